"""Jobs run at the multiples of an interval or at the times of a cron line, in UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from anonchat.runtime.scheduling import JobTrigger

# A Tuesday.
NOON = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def _next_times(trigger: JobTrigger, moment: datetime, count: int) -> list[str]:
    times = []
    for _ in range(count):
        moment = trigger.next_after(moment)
        times.append(f"{moment:%a %m-%d %H:%M:%S}")
    return times


def test_interval_runs_at_its_multiples_whenever_it_is_asked() -> None:
    trigger = JobTrigger.every("10m")
    for moment in (NOON, NOON + SECOND, NOON + timedelta(minutes=10) - timedelta(microseconds=1)):
        assert trigger.next_after(moment) == NOON + timedelta(minutes=10)
    assert trigger.next_after(NOON - SECOND) == NOON
    assert _next_times(JobTrigger.every("7d"), NOON, 2) == [
        "Thu 01-03 00:00:00",
        "Thu 01-10 00:00:00",
    ]


def test_cron_line_runs_at_its_times_and_not_again_at_the_same() -> None:
    trigger = JobTrigger.cron("30 9 * * *")
    assert _next_times(trigger, NOON, 2) == ["Wed 01-02 09:30:00", "Thu 01-03 09:30:00"]
    assert JobTrigger.cron("*/20 * * * *").next_after(NOON) == NOON + timedelta(minutes=20)


@pytest.mark.parametrize(
    ("weekdays", "days"),
    [
        ("mon", "Mon"),
        ("0", "Sun"),
        ("7", "Sun"),
        ("1", "Mon"),
        ("1-5", "Wed Thu Fri Mon Tue"),
        ("5-7", "Fri Sat Sun"),
        ("FRI-mon", "Fri Sat Sun Mon"),
        ("tue,6", "Sat Tue"),
        ("*/3", "Wed Sat Sun"),
        ("1/2", "Wed Fri Mon"),
        ("mon-fri/2", "Wed Fri Mon"),
        ("*", "Wed Thu Fri Sat Sun Mon Tue"),
    ],
)
def test_weekdays_are_counted_from_sunday_as_by_cron(weekdays: str, days: str) -> None:
    expected = days.split()
    times = _next_times(JobTrigger.cron(f"0 9 * * {weekdays}"), NOON, len(expected) + 1)
    assert [time.split()[0] for time in times] == [*expected, expected[0]]


def test_times_are_in_utc() -> None:
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    for trigger in (JobTrigger.every("1d"), JobTrigger.cron("0 0 * * *")):
        found = trigger.next_after(elsewhere)
        assert (found, found.utcoffset()) == (datetime(2030, 1, 2, tzinfo=UTC), timedelta())


@pytest.mark.parametrize("interval", ["", "10", "0s", "-1m", "often"])
def test_wrong_interval_is_refused(interval: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        JobTrigger.every(interval)


@pytest.mark.parametrize(
    "line",
    ["", "monday", "0 9 * *", "0 9 * * mon *", "60 * * * *", "* 24 * * *", "* * 0 * *",
     "* * * 13 *", "* * * * 8", "* * * * mon-", "* * * * today", "* * * * */0", "*/0 * * * *"],
)  # fmt: skip
def test_wrong_cron_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="is not a cron line: "):
        JobTrigger.cron(line)


def test_cron_line_whose_time_never_comes_is_refused() -> None:
    with pytest.raises(ValueError, match="never comes"):
        JobTrigger.cron("0 0 30 2 *")

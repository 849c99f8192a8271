"""The clock never goes back, whatever the wall clock does."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import MonotonicWallClock
from anonchat.runtime.clock import JUMP_CONFIRMATION, DatabaseTime


class FakeTime:
    """A wall clock and a monotonic timer that a test can change."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.elapsed = 50.0

    def advance(self, seconds: float, *, jump: float = 0) -> None:
        self.elapsed += seconds
        self.wall += seconds + jump

    def database_time(self) -> DatabaseTime:
        return DatabaseTime(wall=lambda: self.wall, elapsed=lambda: self.elapsed)

    def clock(self) -> MonotonicWallClock:
        return MonotonicWallClock(wall=lambda: self.wall, elapsed=lambda: self.elapsed)


def test_clock_returns_wall_clock_time_in_utc() -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(30)
    assert clock() == datetime.fromtimestamp(1_000_030, UTC)
    assert clock().tzinfo is UTC


def test_clock_follows_a_small_forward_step_of_the_wall_clock() -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(1, jump=120)
    assert clock() == datetime.fromtimestamp(1_000_121, UTC)


def test_clock_jump_is_logged_as_error_and_not_followed(caplog: pytest.LogCaptureFixture) -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(1, jump=86_400)
    for _ in range(3):
        time.advance(1)
        clock()
    assert clock() == datetime.fromtimestamp(1_000_004, UTC)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "jumped ahead by 86400 s" in caplog.text


def test_reverted_clock_jump_has_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(1, jump=86_400)
    clock()
    time.advance(600, jump=-86_400)
    assert clock() == datetime.fromtimestamp(1_000_601, UTC)
    assert "was reverted" in caplog.text
    time.advance(JUMP_CONFIRMATION.total_seconds(), jump=86_400)
    assert clock() == datetime.fromtimestamp(1_000_601, UTC) + JUMP_CONFIRMATION, (
        "a new jump is observed from the start"
    )


def test_clock_jump_is_accepted_once_it_has_persisted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(1, jump=86_400)
    clock()
    time.advance(JUMP_CONFIRMATION.total_seconds() - 1)
    assert clock() == datetime.fromtimestamp(1_000_000, UTC) + JUMP_CONFIRMATION
    time.advance(1)
    assert clock() == datetime.fromtimestamp(1_086_401, UTC) + JUMP_CONFIRMATION
    assert "accepted, everything expired" in caplog.text


def test_repeated_clock_jumps_are_not_followed() -> None:
    time = FakeTime()
    clock = time.clock()
    for _ in range(10):
        time.advance(600, jump=3_600)
        clock()
    assert clock() == datetime.fromtimestamp(1_006_000, UTC)


def test_clock_includes_time_of_system_sleep() -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(8 * 3_600)
    assert clock() == datetime.fromtimestamp(1_028_800, UTC)


def test_clock_resumes_from_its_time_before_the_restart(caplog: pytest.LogCaptureFixture) -> None:
    time = FakeTime()
    clock = time.clock()
    clock.advance_to(datetime.fromtimestamp(1_007_200, UTC))
    time.advance(5)
    assert clock() == datetime.fromtimestamp(1_007_205, UTC)
    assert "7200 s behind" in caplog.text
    clock.advance_to(datetime.fromtimestamp(900_000, UTC))
    assert clock() == datetime.fromtimestamp(1_007_205, UTC)


def test_clock_keeps_running_when_the_wall_clock_is_set_back() -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(10, jump=-7_200)
    assert clock() == datetime.fromtimestamp(1_000_010, UTC)
    time.advance(20)
    assert clock() == datetime.fromtimestamp(1_000_030, UTC)


def test_clock_does_not_go_back_when_a_small_step_is_reverted() -> None:
    time = FakeTime()
    clock = time.clock()
    time.advance(1, jump=100)
    clock()
    time.advance(1, jump=-100)
    assert clock() == datetime.fromtimestamp(1_000_102, UTC)


def test_database_time_is_local_time_until_the_server_has_answered() -> None:
    time = FakeTime()
    database_time = time.database_time()
    time.advance(5)
    assert database_time() == 1_000_005


def test_database_time_is_corrected_by_half_the_round_trip() -> None:
    time = FakeTime()
    database_time = time.database_time()
    database_time.synchronize(2_000_000, 0.4)
    assert database_time() == pytest.approx(2_000_000.2)


def test_database_time_ignores_jumps_of_the_local_wall_clock() -> None:
    time = FakeTime()
    database_time = time.database_time()
    database_time.synchronize(2_000_000, 0)
    time.advance(60, jump=-5_000)
    assert database_time() == pytest.approx(2_000_060)


def test_slow_answers_do_not_move_database_time_ahead() -> None:
    time = FakeTime()
    database_time = time.database_time()
    database_time.synchronize(2_000_000, 0.01)
    for second in range(1, 20):
        time.advance(1)
        database_time.synchronize(
            2_000_000 + second - 1.9, 2
        )  # the answer was delayed on its way back
        assert database_time() == pytest.approx(2_000_000.005 + second)


def test_database_time_follows_a_change_of_the_server_clock() -> None:
    time = FakeTime()
    database_time = time.database_time()
    for server_time in (2_000_000, 2_000_500, 1_999_000):
        database_time.synchronize(server_time, 0.2)
        assert database_time() == pytest.approx(server_time + 0.1)


def test_clock_begins_at_database_time_even_if_local_time_was_ahead() -> None:
    time = FakeTime()
    database_time = time.database_time()
    clock = MonotonicWallClock(wall=database_time, elapsed=lambda: time.elapsed)
    database_time.synchronize(900_000, 0)  # the clock of this machine was ahead
    clock.reset()
    assert clock() == datetime.fromtimestamp(900_000, UTC)
    database_time.synchronize(900_060, 0)
    assert clock() == datetime.fromtimestamp(900_060, UTC)


steps = st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e6, 1e6)))


@given(steps=steps)
def test_clock_never_goes_back_or_runs_slower_than_elapsed_time(
    steps: list[tuple[float, float]],
) -> None:
    time = FakeTime()
    clock = time.clock()
    before = clock()
    for seconds, jump in steps:
        time.advance(seconds, jump=jump)
        now = clock()
        assert (now - before).total_seconds() >= seconds - 1e-3
        before = now

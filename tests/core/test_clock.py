"""Time never goes back, whatever happens to the wall clock."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import SteadyClock
from anonchat.clock import DOUBT, CommonTime


class Watch:
    """A wall clock and a count of seconds that a test can turn."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.elapsed = 50.0

    def pass_by(self, seconds: float, *, jump: float = 0) -> None:
        self.elapsed += seconds
        self.wall += seconds + jump

    def common(self) -> CommonTime:
        return CommonTime(wall=lambda: self.wall, elapsed=lambda: self.elapsed)

    def clock(self) -> SteadyClock:
        return SteadyClock(wall=lambda: self.wall, elapsed=lambda: self.elapsed)


def test_it_shows_the_time_of_the_wall_clock_in_utc() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(30)
    assert clock() == datetime.fromtimestamp(1_000_030, UTC)
    assert clock().tzinfo is UTC


def test_it_follows_the_wall_clock_forward_by_a_small_step() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(1, jump=120)
    assert clock() == datetime.fromtimestamp(1_000_121, UTC)


def test_a_leap_is_said_loudly_and_not_believed(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(1, jump=86_400)
    for _ in range(3):
        watch.pass_by(1)
        clock()
    assert clock() == datetime.fromtimestamp(1_000_004, UTC)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "leapt ahead by 86400 s" in caplog.text


def test_a_leap_that_is_taken_back_was_nothing(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(1, jump=86_400)
    clock()
    watch.pass_by(600, jump=-86_400)
    assert clock() == datetime.fromtimestamp(1_000_601, UTC)
    assert "has come back" in caplog.text
    watch.pass_by(DOUBT.total_seconds(), jump=86_400)
    assert clock() == datetime.fromtimestamp(1_000_601, UTC) + DOUBT, "doubts begin anew"


def test_a_leap_is_believed_once_the_wall_clock_has_held_on_to_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(1, jump=86_400)
    clock()
    watch.pass_by(DOUBT.total_seconds() - 1)
    assert clock() == datetime.fromtimestamp(1_000_000, UTC) + DOUBT
    watch.pass_by(1)
    assert clock() == datetime.fromtimestamp(1_086_401, UTC) + DOUBT
    assert "believed now" in caplog.text


def test_a_clock_that_leaps_again_and_again_is_not_believed() -> None:
    watch = Watch()
    clock = watch.clock()
    for _ in range(10):
        watch.pass_by(600, jump=3_600)
        clock()
    assert clock() == datetime.fromtimestamp(1_006_000, UTC)


def test_time_that_the_machine_slept_through_has_passed() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(8 * 3_600)
    assert clock() == datetime.fromtimestamp(1_028_800, UTC)


def test_time_goes_on_from_where_it_was_before_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch()
    clock = watch.clock()
    clock.resume(datetime.fromtimestamp(1_007_200, UTC))
    watch.pass_by(5)
    assert clock() == datetime.fromtimestamp(1_007_205, UTC)
    assert "7200 s behind" in caplog.text
    clock.resume(datetime.fromtimestamp(900_000, UTC))
    assert clock() == datetime.fromtimestamp(1_007_205, UTC)


def test_it_goes_on_at_its_own_pace_when_the_wall_clock_is_set_back() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(10, jump=-7_200)
    assert clock() == datetime.fromtimestamp(1_000_010, UTC)
    watch.pass_by(20)
    assert clock() == datetime.fromtimestamp(1_000_030, UTC)


def test_a_step_forward_that_is_taken_back_is_not_gone_back() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(1, jump=100)
    clock()
    watch.pass_by(1, jump=-100)
    assert clock() == datetime.fromtimestamp(1_000_102, UTC)


def test_common_time_is_that_of_this_machine_until_a_server_has_told_it() -> None:
    watch = Watch()
    common = watch.common()
    watch.pass_by(5)
    assert common() == 1_000_005


def test_what_a_server_has_told_is_corrected_by_half_the_time_that_it_took() -> None:
    watch = Watch()
    common = watch.common()
    common.learn(2_000_000, 0.4)
    assert common() == pytest.approx(2_000_000.2)


def test_common_time_goes_on_at_its_natural_pace_whatever_the_machine_says() -> None:
    watch = Watch()
    common = watch.common()
    common.learn(2_000_000, 0)
    watch.pass_by(60, jump=-5_000)
    assert common() == pytest.approx(2_000_060)


def test_answers_that_were_slow_do_not_push_common_time_ahead() -> None:
    watch = Watch()
    common = watch.common()
    common.learn(2_000_000, 0.01)
    for second in range(1, 20):
        watch.pass_by(1)
        common.learn(2_000_000 + second - 1.9, 2)  # it told the time, and then came nothing
        assert common() == pytest.approx(2_000_000.005 + second)


def test_common_time_follows_a_server_whose_clock_was_set() -> None:
    watch = Watch()
    common = watch.common()
    for told in (2_000_000, 2_000_500, 1_999_000):
        common.learn(told, 0.2)
        assert common() == pytest.approx(told + 0.1)


def test_a_clock_begins_where_its_wall_clock_is_even_if_that_was_ahead() -> None:
    watch = Watch()
    common = watch.common()
    clock = SteadyClock(wall=common, elapsed=lambda: watch.elapsed)
    common.learn(900_000, 0)  # the clock of this machine was ahead
    clock.begin()
    assert clock() == datetime.fromtimestamp(900_000, UTC)
    common.learn(900_060, 0)
    assert clock() == datetime.fromtimestamp(900_060, UTC)


steps = st.lists(st.tuples(st.floats(0, 1e5), st.floats(-1e6, 1e6)))


@given(steps=steps)
def test_it_never_goes_back_and_never_stands_still_longer_than_time_does(
    steps: list[tuple[float, float]],
) -> None:
    watch = Watch()
    clock = watch.clock()
    before = clock()
    for seconds, jump in steps:
        watch.pass_by(seconds, jump=jump)
        now = clock()
        assert (now - before).total_seconds() >= seconds - 1e-3
        before = now

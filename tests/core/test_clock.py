"""Time never goes back, whatever happens to the wall clock."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from anonchat import SteadyClock


class Watch:
    """A wall clock and a count of seconds that a test can turn."""

    def __init__(self) -> None:
        self.wall = 1_000_000.0
        self.elapsed = 50.0

    def pass_by(self, seconds: float, *, jump: float = 0) -> None:
        self.elapsed += seconds
        self.wall += seconds + jump

    def clock(self) -> SteadyClock:
        return SteadyClock(wall=lambda: self.wall, elapsed=lambda: self.elapsed)


def test_it_shows_the_time_of_the_wall_clock_in_utc() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(30)
    assert clock() == datetime.fromtimestamp(1_000_030, UTC)
    assert clock().tzinfo is UTC


def test_it_follows_the_wall_clock_forward() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(1, jump=3_600)
    assert clock() == datetime.fromtimestamp(1_003_601, UTC)


def test_it_goes_on_at_its_own_pace_when_the_wall_clock_is_set_back() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(10, jump=-7_200)
    assert clock() == datetime.fromtimestamp(1_000_010, UTC)
    watch.pass_by(20)
    assert clock() == datetime.fromtimestamp(1_000_030, UTC)


def test_a_jump_forward_that_is_taken_back_is_not_gone_back() -> None:
    watch = Watch()
    clock = watch.clock()
    watch.pass_by(1, jump=3_600)
    clock()
    watch.pass_by(1, jump=-3_600)
    assert clock() == datetime.fromtimestamp(1_003_602, UTC)


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

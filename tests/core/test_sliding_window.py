"""At most so many in any span of time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import TooOften
from anonchat import sliding_window as module
from anonchat.sliding_window import SlidingWindow
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)


def make_window(clock: FakeClock, *, times: int = 5) -> SlidingWindow:
    def refuse(seconds: int) -> TooOften:
        return TooOften("{seconds}", seconds=seconds)

    return SlidingWindow(times, 10 * MINUTE, clock=clock, refuse=refuse)


def is_open(window: SlidingWindow, key: str) -> bool:
    try:
        window.check(key)
    except TooOften:
        return False
    return True


def test_window_refuses_until_the_first_of_the_last_five_is_ten_minutes_old(
    clock: FakeClock,
) -> None:
    window = make_window(clock)
    for _ in range(5):
        window.check("ann")
        window.add("ann")
        clock.move(MINUTE)
    with pytest.raises(TooOften) as caught:
        window.check("ann")
    assert caught.value.details == {"seconds": 300}
    assert window.refused == 1
    window.check("bob")
    clock.move(5 * MINUTE)
    window.check("ann")
    window.add("ann")
    assert not is_open(window, "ann")


@given(st.lists(st.integers(0, 400), max_size=80))
def test_window_never_allows_more_in_any_span_wherever_it_begins(pauses: list[int]) -> None:
    clock = FakeClock()
    window, moments = make_window(clock), []
    for pause in pauses:
        clock.move(timedelta(seconds=pause))
        if is_open(window, "ann"):
            window.add("ann")
            moments.append(clock())
    for first in moments:
        assert sum(first <= moment < first + 10 * MINUTE for moment in moments) <= 5


def test_window_holds_over_midnight(clock: FakeClock) -> None:
    window = make_window(clock)
    clock.move(12 * 60 * MINUTE - MINUTE)
    for _ in range(5):
        window.add("ann")
    clock.move(2 * MINUTE)
    assert not is_open(window, "ann")


def test_window_counts_what_other_nodes_have_counted(clock: FakeClock) -> None:
    here, there = make_window(clock), make_window(clock)
    for _ in range(3):
        here.add("ann")
    there.note(here.take_drawn())
    there.note(here.take_drawn())  # nothing new
    there.add("ann")
    assert is_open(there, "ann")
    there.note({"ann": 1_000_000})
    assert not is_open(there, "ann")


def test_window_forgets_keys_whose_span_is_over_and_the_oldest_of_too_many(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make_window(clock)
    for number in range(50):
        window.add(f"key {number}")
    clock.move(10 * MINUTE)
    window.add("ann")
    assert len(window._moments) == 1
    monkeypatch.setattr(module, "_KEPT_MOST", 10)
    for number in range(50):
        window.add(f"key {number}")
        assert len(window._moments) <= 10

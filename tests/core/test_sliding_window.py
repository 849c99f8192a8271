"""The sliding window allows a limited number of events in any span of time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import RateLimited
from anonchat.limits import sliding_window as module
from anonchat.limits.sliding_window import SlidingWindow
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)


def make_window(clock: FakeClock, *, times: int = 5) -> SlidingWindow:
    return SlidingWindow(times, 10 * MINUTE, clock=clock, error=RateLimited)


def is_open(window: SlidingWindow, key: str) -> bool:
    try:
        window.check(key)
    except RateLimited:
        return False
    return True


def test_window_refuses_until_the_oldest_of_5_events_is_10_minutes_old(
    clock: FakeClock,
) -> None:
    window = make_window(clock)
    for _ in range(5):
        window.check("ann")
        window.add("ann")
        clock.advance(MINUTE)
    with pytest.raises(RateLimited) as caught:
        window.check("ann")
    assert caught.value.details == {"seconds": 300}
    assert window.refused == 1
    window.check("bob")
    clock.advance(5 * MINUTE)
    window.check("ann")
    window.add("ann")
    assert not is_open(window, "ann")


@given(st.lists(st.integers(0, 400), max_size=80))
def test_window_never_exceeds_the_limit_in_any_span(pauses: list[int]) -> None:
    clock = FakeClock()
    window, timestamps = make_window(clock), []
    for pause in pauses:
        clock.advance(timedelta(seconds=pause))
        if is_open(window, "ann"):
            window.add("ann")
            timestamps.append(clock())
    for first in timestamps:
        assert sum(first <= timestamp < first + 10 * MINUTE for timestamp in timestamps) <= 5


def test_window_continues_over_midnight(clock: FakeClock) -> None:
    window = make_window(clock)
    clock.advance(12 * 60 * MINUTE - MINUTE)
    for _ in range(5):
        window.add("ann")
    clock.advance(2 * MINUTE)
    assert not is_open(window, "ann")


def test_window_includes_the_events_of_other_nodes(clock: FakeClock) -> None:
    here, there = make_window(clock), make_window(clock)
    for _ in range(3):
        here.add("ann")
    there.add_remote_usage(here.take_usage())
    there.add_remote_usage(here.take_usage())  # nothing new
    there.add("ann")
    assert is_open(there, "ann")
    there.add_remote_usage({"ann": 1_000_000})
    assert not is_open(there, "ann")


def test_window_evicts_expired_keys_and_the_oldest_beyond_the_maximum(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = make_window(clock)
    for number in range(50):
        window.add(f"key {number}")
    clock.advance(10 * MINUTE)
    window.add("ann")
    assert len(window._timestamps) == 1
    monkeypatch.setattr(module, "_KEYS_MAX", 10)
    for number in range(50):
        window.add(f"key {number}")
        assert len(window._timestamps) <= 10

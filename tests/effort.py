"""How long the loop is held by something, in the time of the processor, whatever the machine."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

MOST = 0.020
"""Seconds that nothing may hold the loop of a usual machine."""

_FAR_BELOW = MOST / 4
_TRIES = 12
_USUAL = 0.006  # seconds that `_work` takes on a usual machine
_run: Callable[[asyncio.Handle], None] = asyncio.Handle._run


def effort(act: Callable[[], object]) -> float:
    """Return the seconds that it takes on a usual machine; of several tries, the best."""
    best = float("inf")
    with _without_collection():
        for _ in range(_TRIES):
            best = min(best, _scale(_measure(act)))
            if best < _FAR_BELOW:
                break
    return best


async def longest_step(act: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds of the longest step that the loop makes meanwhile, as `effort` does."""
    best = float("inf")
    with _without_collection():
        for _ in range(_TRIES):
            with _watching_steps() as steps:
                await act()
            best = min(best, _scale(max(steps)))
            if best < _FAR_BELOW:
                break
    return best


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep out the collection of garbage, which takes the longer the more tests have run before."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _watching_steps() -> Iterator[list[float]]:
    steps = [0.0]

    def run(handle: asyncio.Handle) -> None:
        steps.append(_measure(lambda: _run(handle)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", run)
        yield steps


def _scale(seconds: float) -> float:
    """Return what would be as many seconds on a usual machine, by how slow this one is just now."""
    if seconds < _FAR_BELOW:
        return seconds
    return seconds / max(1.0, min(_measure(_work) for _ in range(3)) / _USUAL)


def _measure(act: Callable[[], object]) -> float:
    begun = time.thread_time()
    act()
    return time.thread_time() - begun


def _work() -> int:
    """Make many small texts: neighbours slow that down more than they slow down arithmetic."""
    return len(" ".join(f"<a>{number}</a>" for number in range(25_000)).split())

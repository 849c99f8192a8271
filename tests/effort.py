"""Measures processor time, scaled to a reference machine."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

MOST = 0.020
"""Longest step of the event loop on the reference machine, in seconds."""

_FAST_ENOUGH = MOST / 4
_TRIES = 12
_REFERENCE_SECONDS = 0.006  # seconds that `_run_reference_load` takes on the reference machine
_run_handle: Callable[[asyncio.Handle], None] = asyncio.Handle._run


def effort(act: Callable[[], object]) -> float:
    """Return the seconds that `act` takes on the reference machine; the best of several tries."""
    best = float("inf")
    with _without_garbage_collection():
        for _ in range(_TRIES):
            best = min(best, _scale(_measure(act)))
            if best < _FAST_ENOUGH:
                break
    return best


async def longest_step(act: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds of the longest event-loop step during `act`, measured as in `effort`."""
    best = float("inf")
    with _without_garbage_collection():
        for _ in range(_TRIES):
            with _measured_steps() as steps:
                await act()
            best = min(best, _scale(max(steps)))
            if best < _FAST_ENOUGH:
                break
    return best


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Disable garbage collection, which takes longer the more tests have run before."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def _measured_steps() -> Iterator[list[float]]:
    steps = [0.0]

    def run(handle: asyncio.Handle) -> None:
        steps.append(_measure(lambda: _run_handle(handle)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio.Handle, "_run", run)
        yield steps


def _scale(seconds: float) -> float:
    """Convert seconds of this machine, at its current speed, to those of the reference machine."""
    if seconds < _FAST_ENOUGH:
        return seconds
    reference_seconds = min(_measure(_run_reference_load) for _ in range(3))
    return seconds / max(1.0, reference_seconds / _REFERENCE_SECONDS)


def _measure(act: Callable[[], object]) -> float:
    start = time.thread_time()
    act()
    return time.thread_time() - start


def _run_reference_load() -> int:
    """Create many small strings: other processes slow this down more than arithmetic."""
    return len(" ".join(f"<a>{number}</a>" for number in range(25_000)).split())

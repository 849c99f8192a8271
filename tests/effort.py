"""Measures processor time, scaled to a reference machine."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

MOST = 0.020
"""Longest step of the event loop on the reference machine, in seconds."""

_TRIES = 12
_REFERENCE_SECONDS = 0.006  # seconds that `_run_reference_load` takes on the reference machine
_run_handle: Callable[[asyncio.Handle], None] = asyncio.Handle._run


def effort(act: Callable[[], object], *, enough: float = MOST) -> float:
    """Return the seconds that `act` takes on the reference machine.

    That is the first of several tries below `enough` seconds, or the best of all.
    """
    best = float("inf")
    with _without_garbage_collection():
        for _ in range(_TRIES):
            best = min(best, _scale(_measure(act), enough))
            if best < enough:
                break
    return best


async def longest_step(act: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds of the longest event-loop step during `act`, measured as in `effort`."""
    best = float("inf")
    with _without_garbage_collection():
        for _ in range(_TRIES):
            with _measured_steps() as steps:
                await act()
            best = min(best, _scale(max(steps), MOST))
            if best < MOST:
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


def _scale(seconds: float, enough: float) -> float:
    """Convert seconds of this machine, at its current speed, to those of the reference machine.

    That makes them fewer, so it is left out if they are below `enough` already.
    """
    if seconds < enough:
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

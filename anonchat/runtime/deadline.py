"""A deadline for work, which time that the event loop stood still hardly shortens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_TICKS = 10


@asynccontextmanager
async def deadline(seconds: float) -> AsyncIterator[None]:
    """Raise `TimeoutError` if the block takes longer than `seconds`, as `asyncio.timeout` does.

    The time is counted in ten ticks. However long the event loop stood still, that counts as one
    tick, so that a busy machine does not refuse work that would have been done in time.
    """
    loop = asyncio.get_running_loop()
    remaining = _TICKS
    timer: asyncio.TimerHandle

    def tick() -> None:
        nonlocal remaining, timer
        remaining -= 1
        if remaining:
            timer = loop.call_later(seconds / _TICKS, tick)
        else:
            timeout.reschedule(loop.time())

    async with asyncio.timeout(None) as timeout:
        timer = loop.call_later(seconds / _TICKS, tick)
        try:
            yield
        finally:
            timer.cancel()

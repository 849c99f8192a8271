"""Going through many items without keeping the event loop from everybody else."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

_LONGEST_SECONDS = 0.005


async def pausing(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items, and let others run once their processing has taken 5 ms."""
    begun = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - begun > _LONGEST_SECONDS:
            await asyncio.sleep(0)
            begun = time.perf_counter()

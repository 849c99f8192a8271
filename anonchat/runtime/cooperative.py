"""Iteration over many items without blocking the event loop."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

Item = TypeVar("Item")

_SLICE_SECONDS = 0.005


async def iterate_cooperatively(items: Iterable[Item]) -> AsyncIterator[Item]:
    """Yield the items, and yield to the event loop after each 5 ms of processing."""
    begun = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - begun > _SLICE_SECONDS:
            await asyncio.sleep(0)
            begun = time.perf_counter()

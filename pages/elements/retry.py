"""Retries while the database is unavailable; the page keeps its content meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from anonchat import LimitReached, Unavailable

_T = TypeVar("_T")
_ATTEMPTS = 60
_DELAY_SECONDS = 0.5


async def call_with_retry(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Call `ask` until it succeeds; after 30 s, raise its `Unavailable` or `LimitReached`."""
    for _ in range(_ATTEMPTS):
        try:
            return await ask()
        except (Unavailable, LimitReached):
            await asyncio.sleep(_DELAY_SECONDS)
    return await ask()

"""Asking again while the database is away: the screen keeps what it shows meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from anonchat import LimitReached, Unavailable

_T = TypeVar("_T")
_TRIES = 60
_PAUSE = 0.5  # seconds


async def ask_patiently(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Return the answer as soon as there is one; raise `Unavailable` after half a minute."""
    for _ in range(_TRIES):
        try:
            return await ask()
        except (Unavailable, LimitReached):
            await asyncio.sleep(_PAUSE)
    return await ask()

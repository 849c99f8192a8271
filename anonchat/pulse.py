"""Beats a few times a second: what a node does for the others to know of it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

_BEAT_SECONDS = 0.25
_log = logging.getLogger(__name__)


class Pulse:
    """Calls a function over and over, whatever becomes of a single call."""

    def __init__(self, beat: Callable[[], Awaitable[None]]) -> None:
        self._beat = beat
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._beating = asyncio.create_task(self._keep_beating(), name="pulse")

    def stop(self) -> None:
        """Beat no more."""
        if self._beating:
            self._beating.cancel()

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            try:
                await self._beat()
            except Exception:  # one beat that failed must not be the last
                _log.exception("a beat failed")

"""Beats at even intervals: for what has to be done over and over."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .errors import Unavailable

_CANCEL_SECONDS = 0.1
_log = logging.getLogger(__name__)


class Pulse:
    """Calls a function every so many seconds, whatever becomes of a single call."""

    def __init__(self, beat: Callable[[], Awaitable[None]], *, seconds: float, name: str) -> None:
        self._beat = beat
        self._seconds = seconds
        self._name = name
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._beating = asyncio.create_task(self._keep_beating(), name=self._name)

    def stop(self) -> None:
        """Beat no more."""
        if self._beating:
            self._beating.cancel()

    async def end(self) -> None:
        """Beat no more once this returns, whatever a beat was waiting for."""
        while self._beating and not self._beating.done():
            self._beating.cancel()  # more than once: a client may take one for its own
            await asyncio.wait([self._beating], timeout=_CANCEL_SECONDS)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._beat()
            except Unavailable:  # whoever has refused it has told
                _log.debug("a beat has to wait: %s", self._name, exc_info=True)
            except Exception:  # one beat that failed must not be the last
                _log.exception("a beat failed: %s", self._name)

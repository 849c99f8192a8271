"""The janitor decides when, never what."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from .errors import Unavailable

_log = logging.getLogger(__name__)


class Janitor:
    """Calls `purge` every `interval`, one call at a time.

    The scheduler goes by the wall clock and would wait for it to catch up after it was set back; a
    watchdog that counts real seconds does the round when the scheduler has missed it, so that no
    two rounds are further apart than one and a half intervals.
    """

    def __init__(self, purge: Callable[[], Awaitable[object]], *, interval: timedelta) -> None:
        self._purge = purge
        self._interval = interval.total_seconds()
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._cleaning = asyncio.Lock()
        self._cleaned_at = time.monotonic()
        self._watchdog: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop."""
        self._scheduler.add_job(
            self.clean,
            "interval",
            seconds=self._interval,
            id="purge",
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.start()
        self._watchdog = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Let a round that has begun finish, then stop."""
        if self._watchdog is None:
            return
        async with self._cleaning:
            self._scheduler.shutdown(wait=False)
            self._watchdog.cancel()
        await asyncio.wait([self._watchdog])

    async def clean(self) -> None:
        """Do one round; a failure is logged and the next round tries again."""
        async with self._cleaning:
            try:
                await self._purge()
            except Unavailable:  # whoever has refused it has told
                _log.debug("a purge has to wait", exc_info=True)
            except Exception:  # the janitor must live on: the next round may succeed
                _log.exception("a purge failed")
            self._cleaned_at = time.monotonic()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval / 4)
            if time.monotonic() - self._cleaned_at > 1.25 * self._interval:
                await self.clean()

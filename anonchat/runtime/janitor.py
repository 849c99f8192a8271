"""Schedules the purge of expired data."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from ..errors import Unavailable

_log = logging.getLogger(__name__)


class Janitor:
    """Calls `purge` every `interval`, one call at a time.

    The scheduler follows the wall clock and would stall after it was set back. A watchdog on the
    monotonic clock runs a purge that the scheduler missed, so that two purges are never more than
    1.5 intervals apart.
    """

    def __init__(self, purge: Callable[[], Awaitable[object]], *, interval: timedelta) -> None:
        self._purge = purge
        self._interval = interval.total_seconds()
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._purging = asyncio.Lock()
        self._purged_at = time.monotonic()
        self._watchdog: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; needs a running event loop."""
        self._scheduler.add_job(
            self.run_purge,
            "interval",
            seconds=self._interval,
            id="purge",
            coalesce=True,
            misfire_grace_time=None,
        )
        self._scheduler.start()
        self._watchdog = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Wait for a running purge to finish, then stop."""
        if self._watchdog is None:
            return
        async with self._purging:
            self._scheduler.shutdown(wait=False)
            self._watchdog.cancel()
        await asyncio.wait([self._watchdog])

    async def run_purge(self) -> None:
        """Run one purge; a failure is logged and the next run retries."""
        async with self._purging:
            try:
                await self._purge()
            except Unavailable:  # logged where it was raised
                _log.debug("purge postponed: storage unavailable", exc_info=True)
            except Exception:  # the next run may succeed
                _log.exception("purge failed, the next run retries")
            self._purged_at = time.monotonic()

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._interval / 4)
            if time.monotonic() - self._purged_at > 1.25 * self._interval:
                await self.run_purge()

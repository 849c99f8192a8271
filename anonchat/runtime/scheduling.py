"""Scheduled work: tasks that run at a fixed interval, and the purge of expired data."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from ..errors import Unavailable

_CANCEL_SECONDS = 0.1
_log = logging.getLogger(__name__)


class PeriodicTask:
    """Calls `function` every `seconds` seconds; failures are logged and do not end the task.

    It sleeps by the monotonic clock, so that a change of the wall clock does not delay it.
    """

    def __init__(
        self, function: Callable[[], Awaitable[object]], *, seconds: float, name: str
    ) -> None:
        self._function = function
        self._seconds = seconds
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; needs a running event loop."""
        self._task = asyncio.create_task(self._repeat(), name=self._name)

    def stop(self) -> None:
        """Request cancellation without waiting for it."""
        if self._task:
            self._task.cancel()

    async def end(self) -> None:
        """Cancel the task and wait until it has ended."""
        while self._task and not self._task.done():
            self._task.cancel()  # repeated: a client library may swallow a cancellation
            await asyncio.wait([self._task], timeout=_CANCEL_SECONDS)

    async def _repeat(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            await _run(self._function, self._name)


class Janitor:
    """Calls `purge` every `interval`, one call at a time.

    The scheduler follows the wall clock and would stall after it was set back. A periodic task runs
    a purge that the scheduler missed, so that two purges are never more than 1.5 intervals apart.
    """

    def __init__(self, purge: Callable[[], Awaitable[object]], *, interval: timedelta) -> None:
        self._purge = purge
        self._interval = interval.total_seconds()
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._watchdog = PeriodicTask(
            self._purge_if_overdue, seconds=self._interval / 4, name="purge watchdog"
        )
        self._purging = asyncio.Lock()
        self._purged_at = time.monotonic()

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
        self._watchdog.start()

    async def stop(self) -> None:
        """Wait for a running purge to finish, then stop."""
        async with self._purging:
            if self._scheduler.running:
                self._scheduler.shutdown(wait=False)
            await self._watchdog.end()

    async def run_purge(self) -> None:
        """Run one purge; a failure is logged and the next run retries."""
        async with self._purging:
            await _run(self._purge, "purge")
            self._purged_at = time.monotonic()

    async def _purge_if_overdue(self) -> None:
        if time.monotonic() - self._purged_at > 1.25 * self._interval:
            await self.run_purge()


async def _run(function: Callable[[], Awaitable[object]], name: str) -> None:
    """Call a function; log a failure, because the next run may succeed."""
    try:
        await function()
    except Unavailable:  # logged where it was raised
        _log.debug("%s postponed: storage unavailable", name, exc_info=True)
    except Exception:
        _log.exception("%s failed, the next run retries", name)

"""Scheduled work: tasks that run at a fixed interval, the purge of expired data, times of jobs."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from ..durations import parse_duration
from ..errors import Unavailable
from .weekdays import name_weekdays

_CANCEL_SECONDS = 0.1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)
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


class JobTrigger:
    """The times at which a job runs; the same on all nodes, and after a restart."""

    def __init__(self, find_next: Callable[[datetime], datetime]) -> None:
        self._find_next = find_next

    @classmethod
    def every(cls, interval: str) -> "JobTrigger":
        """Run at the multiples of an interval such as `10m`, counted from the start of 1970.

        Raises `ValueError` if it is not a duration.
        """
        step = parse_duration(interval)
        return cls(lambda moment: moment + step - (moment - _EPOCH) % step)

    @classmethod
    def cron(cls, line: str) -> "JobTrigger":
        """Run at the times of a cron line such as `0 9 * * mon`, in UTC.

        Its fields are minute, hour, day, month and weekday, all of which have to match. Raises
        `ValueError` if it is not one, or if none of its times ever comes.
        """
        try:
            *fields, weekdays = line.split()
            named = " ".join([*fields, name_weekdays(weekdays)])
            cron = CronTrigger.from_crontab(named, timezone=UTC)
        except ValueError as error:
            raise ValueError(f"{line!r} is not a cron line: {error}") from error
        if cron.get_next_fire_time(None, _EPOCH) is None:
            raise ValueError(f"{line!r} is a cron line whose time never comes")
        return cls(lambda moment: cron.get_next_fire_time(None, moment + _MOMENT))

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time after `moment`, which has to have a time zone, in UTC."""
        return self._find_next(moment.astimezone(UTC))


async def _run(function: Callable[[], Awaitable[object]], name: str) -> None:
    """Call a function; log a failure, because the next run may succeed."""
    try:
        await function()
    except Unavailable:  # logged where it was raised
        _log.debug("%s postponed: storage unavailable", name, exc_info=True)
    except Exception:
        _log.exception("%s failed, the next run retries", name)

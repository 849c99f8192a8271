"""Jobs: run at their times, each time on one node of several."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from ..errors import ChatError
from ..runtime.background_tasks import end_tasks
from ..runtime.clock import Clock
from ..runtime.scheduling import PeriodicTask
from .invocation import Values, call_alone, log_failure
from .registrations import Job

_TICK_SECONDS = 1.0
_JOB_SECONDS = 300.0
_log = logging.getLogger(__name__)

Claim = Callable[[str, datetime], Awaitable[bool]]


class Jobs:
    """Runs jobs. A time that passed while no node ran is skipped, and so is one during a run."""

    def __init__(
        self,
        jobs: Iterable[Job],
        *,
        clock: Clock,
        claim: Claim,
        provide: Callable[[Job], Values],
    ) -> None:
        """`claim` returns `True` on one node for each job and time."""
        self._jobs = list(jobs)
        self._clock = clock
        self._claim = claim
        self._provide = provide
        self._due: dict[str, datetime] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._task = PeriodicTask(self.tick, seconds=_TICK_SECONDS, name="jobs of plugins")

    def start(self) -> None:
        """Start, if there are jobs."""
        self._due = {job.name: job.next_after(self._clock()) for job in self._jobs}
        if self._jobs:
            self._task.start()

    async def stop(self) -> None:
        """Stop; cancel the jobs that run, and wait for their end."""
        await self._task.end()
        await end_tasks(self._running.values())

    async def tick(self) -> None:
        """Start all jobs that are due."""
        now = self._clock()
        for job in self._jobs:
            if (slot := self._due[job.name]) > now:
                continue
            self._due[job.name] = job.next_after(now)
            if (task := self._running.get(job.name)) is None or task.done():
                self._running[job.name] = asyncio.create_task(self._run(job, slot), name=job.name)

    async def finish(self) -> None:
        """Wait until all jobs that run have ended."""
        if tasks := [task for task in self._running.values() if not task.done()]:
            await asyncio.wait(tasks)

    async def _run(self, job: Job, slot: datetime) -> None:
        what = f"job {job.name.partition('.')[2]}"
        try:
            if await self._claim(job.name, slot):
                await call_alone(job.call, self._provide(job), what=what, seconds=_JOB_SECONDS)
        except ChatError:  # the database is unavailable
            _log.debug("plugin %s: %s was not claimed", job.call.plugin, what, exc_info=True)
        except Exception as error:
            log_failure(job.call, what, error)

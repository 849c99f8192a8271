"""Purges and periodic tasks run at their intervals, whatever fails."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from anonchat import Unavailable
from anonchat.runtime.scheduling import Janitor, PeriodicTask

SOON = timedelta(milliseconds=10)
NEVER = timedelta(days=1)


class CountingPurge:
    """A purge that counts its runs and lets a test wait for them."""

    def __init__(self, *, failing: bool = False) -> None:
        self.started = 0
        self.running = 0
        self.max_concurrent = 0
        self._failing = failing
        self._changed = asyncio.Condition()

    async def __call__(self) -> None:
        self.running += 1
        self.max_concurrent = max(self.max_concurrent, self.running)
        async with self._changed:
            self.started += 1
            self._changed.notify_all()
        self.running -= 1
        if self._failing:
            raise RuntimeError("the disk is full")

    async def wait_for(self, count: int) -> None:
        """Return once this number of runs has started."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.started >= count)


async def test_janitor_purges_repeatedly() -> None:
    purge = CountingPurge()
    janitor = Janitor(purge, interval=SOON)
    janitor.start()
    await purge.wait_for(3)
    await janitor.stop()


async def test_failed_purge_does_not_stop_the_janitor(caplog: pytest.LogCaptureFixture) -> None:
    purge = CountingPurge(failing=True)
    janitor = Janitor(purge, interval=SOON)
    janitor.start()
    await purge.wait_for(3)
    await janitor.stop()
    assert "purge failed, the next run retries" in caplog.text


async def test_watchdog_purges_when_the_scheduler_does_not() -> None:
    purge = CountingPurge()
    janitor = Janitor(purge, interval=SOON)
    janitor.start()
    janitor._scheduler.pause()  # simulates a wall clock that is set back
    await purge.wait_for(3)
    await janitor.stop()


async def test_scheduler_purges_when_the_watchdog_does_not() -> None:
    purge = CountingPurge()
    janitor = Janitor(purge, interval=SOON)
    janitor.start()
    janitor._watchdog.stop()
    await purge.wait_for(3)
    await janitor.stop()


async def test_purges_never_overlap() -> None:
    purge = CountingPurge()
    janitor = Janitor(purge, interval=NEVER)
    await asyncio.gather(*(janitor.run_purge() for _ in range(10)))
    assert (purge.started, purge.max_concurrent) == (10, 1)


async def test_stop_waits_for_a_running_purge() -> None:
    started, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def purge() -> None:
        started.set()
        await may_end.wait()
        ended.set()

    janitor = await _started(purge)
    await started.wait()
    stopping = asyncio.create_task(janitor.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    may_end.set()
    await stopping
    assert ended.is_set()


async def test_stopped_janitor_runs_no_purge() -> None:
    purge = CountingPurge()
    janitor = await _started(purge)
    await purge.wait_for(1)
    await janitor.stop()
    assert janitor._watchdog._task
    assert janitor._watchdog._task.done()
    assert not janitor._scheduler.running


async def test_stop_before_start_does_nothing() -> None:
    await Janitor(CountingPurge(), interval=NEVER).stop()


@pytest.mark.parametrize("failure", [Unavailable("no space"), RuntimeError("a bug")])
async def test_failure_does_not_end_a_periodic_task(
    caplog: pytest.LogCaptureFixture, failure: Exception
) -> None:
    runs: asyncio.Queue[None] = asyncio.Queue()

    async def fail() -> None:
        runs.put_nowait(None)
        raise failure

    task = PeriodicTask(fail, seconds=0.01, name="feed publisher")
    task.start()
    for _ in range(3):
        await runs.get()
    await task.end()
    is_bug = "feed publisher failed, the next run retries" in caplog.text
    assert is_bug == isinstance(failure, RuntimeError)


async def test_ended_periodic_task_does_not_run_again() -> None:
    purge = CountingPurge()
    task = PeriodicTask(purge, seconds=0.01, name="heartbeat")
    task.start()
    await purge.wait_for(1)
    await task.end()
    assert task._task
    assert task._task.done()


async def _started(purge: Callable[[], Awaitable[object]]) -> Janitor:
    janitor = Janitor(purge, interval=SOON)
    janitor.start()
    return janitor

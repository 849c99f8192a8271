"""The janitor decides when: again and again, whatever goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from anonchat.janitor import Janitor

SOON = timedelta(milliseconds=10)
NEVER = timedelta(days=1)


class Rounds:
    """A purge that counts its rounds and can be waited for."""

    def __init__(self, *, failing: bool = False) -> None:
        self.begun = 0
        self.running = 0
        self.most_at_once = 0
        self._failing = failing
        self._changed = asyncio.Condition()

    async def __call__(self) -> None:
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        async with self._changed:
            self.begun += 1
            self._changed.notify_all()
        self.running -= 1
        if self._failing:
            raise RuntimeError("the disk is full")

    async def wait_for(self, count: int) -> None:
        """Return once so many rounds have begun."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.begun >= count)


async def test_it_purges_again_and_again() -> None:
    rounds = Rounds()
    janitor = Janitor(rounds, interval=SOON)
    janitor.start()
    await rounds.wait_for(3)
    await janitor.stop()


async def test_a_purge_that_fails_does_not_stop_it(caplog: pytest.LogCaptureFixture) -> None:
    rounds = Rounds(failing=True)
    janitor = Janitor(rounds, interval=SOON)
    janitor.start()
    await rounds.wait_for(3)
    await janitor.stop()
    assert "a purge failed" in caplog.text


async def test_the_watchdog_purges_when_the_scheduler_does_not() -> None:
    rounds = Rounds()
    janitor = Janitor(rounds, interval=SOON)
    janitor.start()
    janitor._scheduler.pause()  # as it seems to be while the wall clock is set back
    await rounds.wait_for(3)
    await janitor.stop()


async def test_the_scheduler_purges_when_the_watchdog_does_not() -> None:
    rounds = Rounds()
    janitor = Janitor(rounds, interval=SOON)
    janitor.start()
    assert janitor._watchdog
    janitor._watchdog.cancel()
    await rounds.wait_for(3)
    await janitor.stop()


async def test_two_rounds_never_overlap() -> None:
    rounds = Rounds()
    janitor = Janitor(rounds, interval=NEVER)
    await asyncio.gather(*(janitor.clean() for _ in range(10)))
    assert (rounds.begun, rounds.most_at_once) == (10, 1)


async def test_stopping_lets_a_round_that_has_begun_finish() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def purge() -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    janitor = await _started(purge)
    await begun.wait()
    stopping = asyncio.create_task(janitor.stop())
    await asyncio.sleep(0)
    assert not stopping.done()
    may_end.set()
    await stopping
    assert ended.is_set()


async def test_nothing_is_purged_after_it_was_stopped() -> None:
    rounds = Rounds()
    janitor = await _started(rounds)
    await rounds.wait_for(1)
    await janitor.stop()
    assert janitor._watchdog
    assert janitor._watchdog.done()
    assert not janitor._scheduler.running


async def test_stopping_what_was_never_started_changes_nothing() -> None:
    await Janitor(Rounds(), interval=NEVER).stop()


async def _started(purge: Callable[[], Awaitable[object]]) -> Janitor:
    janitor = Janitor(purge, interval=SOON)
    janitor.start()
    return janitor

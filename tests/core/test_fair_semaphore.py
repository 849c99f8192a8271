"""A semaphore shared fairly between groups."""

import asyncio
import random
from contextlib import suppress

import pytest

from anonchat import LimitReached, Unavailable
from anonchat.runtime.fair_semaphore import FairSemaphore
from tests.timeouts import DEADLINE


class _Users:
    """Tasks that each hold a slot until they are released."""

    def __init__(self, semaphore: FairSemaphore) -> None:
        self._semaphore = semaphore
        self.admitted: list[str] = []
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, *names: str, has_priority: bool = False) -> None:
        """Start these users one by one; the first letter of a name is its group."""
        for name in names:
            self._tasks[name] = asyncio.create_task(self._hold(name, has_priority))
            await asyncio.sleep(0)

    async def release(self, *names: str) -> None:
        """End these users one by one."""
        for name in names:
            self._done[name].set()
            await self._tasks.pop(name)
            await asyncio.sleep(0)

    async def cancel(self, *names: str) -> None:
        """Cancel these users, admitted or waiting."""
        for name in names:
            self._tasks[name].cancel()
        for name in names:
            with suppress(asyncio.CancelledError):
                await self._tasks.pop(name)
        await asyncio.sleep(0)

    async def _hold(self, name: str, has_priority: bool) -> None:
        self._done[name] = asyncio.Event()
        async with self._semaphore.slot(
            name[0], has_priority=has_priority, timeout_seconds=DEADLINE
        ):
            self.admitted.append(name)
            await self._done[name].wait()


async def test_groups_take_turns_regardless_of_their_queue_length() -> None:
    users = _Users(FairSemaphore(1, reserved=0, queue_max=9))
    await users.start("a1", "a2", "a3", "a4", "b1", "c1", "b2")
    await users.release("a1", "a2", "b1", "c1", "a3", "b2", "a4")
    assert users.admitted == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_tasks_with_precedence_are_admitted_before_all_groups() -> None:
    users = _Users(FairSemaphore(1, reserved=0, queue_max=9))
    await users.start("a1", "a2", "b1")
    await users.start("p1", "p2", has_priority=True)
    await users.release("a1", "p1", "p2", "a2")
    assert users.admitted == ["a1", "p1", "p2", "a2", "b1"]
    await users.release("b1")


async def test_reserved_slots_are_for_tasks_with_precedence_only() -> None:
    users = _Users(FairSemaphore(2, reserved=1, queue_max=9))
    await users.start("a1", "b1", "c1")
    assert users.admitted == ["a1", "b1"]
    await users.start("p1", "p2", has_priority=True)
    assert users.admitted == ["a1", "b1", "p1"]
    await users.release("p1")
    assert users.admitted == ["a1", "b1", "p1", "p2"]
    await users.release("p2", "a1")
    assert users.admitted == ["a1", "b1", "p1", "p2", "c1"]
    await users.release("b1", "c1")


async def test_number_of_waiting_tasks_is_limited_per_group() -> None:
    semaphore = FairSemaphore(1, reserved=0, queue_max=2)
    users = _Users(semaphore)
    await users.start("a1", "a2", "a3")
    with pytest.raises(LimitReached):
        async with semaphore.slot("a", timeout_seconds=DEADLINE):
            pass
    await users.start("b1")
    assert semaphore.count_waiting() == 3
    await users.release("a1", "a2", "b1", "a3")


async def test_wait_times_out_with_unavailable() -> None:
    semaphore = FairSemaphore(1, reserved=0, queue_max=2)
    async with semaphore.slot("a", timeout_seconds=DEADLINE):
        for has_priority in (False, True):
            with pytest.raises(Unavailable):
                async with semaphore.slot("b", has_priority=has_priority, timeout_seconds=0.01):
                    pass
        assert semaphore.count_waiting() == 0
    async with semaphore.slot("a", timeout_seconds=DEADLINE):
        pass


async def test_cancelled_users_hold_no_slot() -> None:
    rng = random.Random(7)
    semaphore = FairSemaphore(2, reserved=1, queue_max=100)
    for _ in range(50):
        users = _Users(semaphore)
        names = [f"{rng.choice('abc')}{number}" for number in range(8)]
        await users.start(*names[:6])
        await users.start(*names[6:], has_priority=True)
        cancelled = rng.sample(names, 4)
        users._done[users.admitted[0]].set()  # admits another user during the cancellation
        await users.cancel(*cancelled)
        left = [name for name in names if name not in cancelled]
        while left:
            name = next(name for name in left if name in users.admitted)
            await users.release(name)
            left.remove(name)
        assert semaphore.count_waiting() == 0
        assert semaphore._held == semaphore._held_by_groups == 0
        assert not semaphore._groups


async def test_closed_semaphore_admits_nobody_and_waits_for_those_who_came_before() -> None:
    semaphore = FairSemaphore(1, reserved=0, queue_max=9)
    users = _Users(semaphore)
    await users.start("a1", "a2")
    closing = asyncio.create_task(semaphore.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        async with semaphore.slot("a", timeout_seconds=DEADLINE):
            pass
    await users.release("a1")
    assert not closing.done()
    await users.release("a2")
    await closing
    assert users.admitted == ["a1", "a2"]

"""A semaphore that is shared fairly between groups."""

import asyncio
import random
from contextlib import suppress

import pytest

from anonchat import LimitReached, Unavailable
from anonchat.fair_semaphore import FairSemaphore

_PATIENCE = 60.0


class _Users:
    """Tasks that hold a slot until they are told to let go of it."""

    def __init__(self, semaphore: FairSemaphore) -> None:
        self._semaphore = semaphore
        self.admitted: list[str] = []
        self._done: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, *names: str, has_precedence: bool = False) -> None:
        """Let users come one after the other; their group is the first letter of their name."""
        for name in names:
            self._tasks[name] = asyncio.create_task(self._hold(name, has_precedence))
            await asyncio.sleep(0)

    async def go(self, *names: str) -> None:
        """Let users go one after the other."""
        for name in names:
            self._done[name].set()
            await self._tasks.pop(name)
            await asyncio.sleep(0)

    async def cancel(self, *names: str) -> None:
        """Cancel users, whether they are admitted or wait."""
        for name in names:
            self._tasks[name].cancel()
        for name in names:
            with suppress(asyncio.CancelledError):
                await self._tasks.pop(name)
        await asyncio.sleep(0)

    async def _hold(self, name: str, has_precedence: bool) -> None:
        self._done[name] = asyncio.Event()
        async with self._semaphore.slot(name[0], has_precedence=has_precedence, longest=_PATIENCE):
            self.admitted.append(name)
            await self._done[name].wait()


async def test_groups_take_turns_however_many_of_one_wait() -> None:
    users = _Users(FairSemaphore(1, reserved=0, waiting_most=9))
    await users.come("a1", "a2", "a3", "a4", "b1", "c1", "b2")
    await users.go("a1", "a2", "b1", "c1", "a3", "b2", "a4")
    assert users.admitted == ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]


async def test_precedence_goes_before_all_groups() -> None:
    users = _Users(FairSemaphore(1, reserved=0, waiting_most=9))
    await users.come("a1", "a2", "b1")
    await users.come("p1", "p2", has_precedence=True)
    await users.go("a1", "p1", "p2", "a2")
    assert users.admitted == ["a1", "p1", "p2", "a2", "b1"]
    await users.go("b1")


async def test_reserved_slots_are_for_precedence_alone() -> None:
    users = _Users(FairSemaphore(2, reserved=1, waiting_most=9))
    await users.come("a1", "b1", "c1")
    assert users.admitted == ["a1", "b1"]
    await users.come("p1", "p2", has_precedence=True)
    assert users.admitted == ["a1", "b1", "p1"]
    await users.go("p1")
    assert users.admitted == ["a1", "b1", "p1", "p2"]
    await users.go("p2", "a1")
    assert users.admitted == ["a1", "b1", "p1", "p2", "c1"]
    await users.go("b1", "c1")


async def test_too_many_of_one_group_are_refused_and_another_may_wait() -> None:
    semaphore = FairSemaphore(1, reserved=0, waiting_most=2)
    users = _Users(semaphore)
    await users.come("a1", "a2", "a3")
    with pytest.raises(LimitReached):
        async with semaphore.slot("a", longest=_PATIENCE):
            pass
    await users.come("b1")
    assert semaphore.count_waiting() == 3
    await users.go("a1", "a2", "b1", "a3")


async def test_waiting_ends_with_a_refusal() -> None:
    semaphore = FairSemaphore(1, reserved=0, waiting_most=2)
    async with semaphore.slot("a", longest=_PATIENCE):
        for has_precedence in (False, True):
            with pytest.raises(Unavailable):
                async with semaphore.slot("b", has_precedence=has_precedence, longest=0.01):
                    pass
        assert semaphore.count_waiting() == 0
    async with semaphore.slot("a", longest=_PATIENCE):
        pass


async def test_cancelled_users_leave_no_slot_taken() -> None:
    chance = random.Random(7)
    semaphore = FairSemaphore(2, reserved=1, waiting_most=100)
    for _ in range(50):
        users = _Users(semaphore)
        names = [f"{chance.choice('abc')}{number}" for number in range(8)]
        await users.come(*names[:6])
        await users.come(*names[6:], has_precedence=True)
        gone = chance.sample(names, 4)
        users._done[users.admitted[0]].set()  # admits another while others are being cancelled
        await users.cancel(*gone)
        left = [name for name in names if name not in gone]
        while left:
            name = next(name for name in left if name in users.admitted)
            await users.go(name)
            left.remove(name)
        assert semaphore.count_waiting() == 0
        assert semaphore._held == semaphore._held_by_groups == 0
        assert not semaphore._groups

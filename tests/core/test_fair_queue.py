"""Turns that clients take for what runs one at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from anonchat import LimitReached
from anonchat.fair_queue import FairQueue


class Work:
    """Tasks in a queue; each runs until it is released, and its client is written down."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.ran: list[str] = []
        self.running = 0
        self.tasks: list[asyncio.Task[None]] = []

    async def add(self, *clients: str) -> list[asyncio.Task[None]]:
        """Start a task for each client, in that order."""
        added = []
        for client in clients:
            added.append(asyncio.create_task(self._run(client)))
            await asyncio.sleep(0)
        self.tasks += added
        return added

    async def _run(self, client: str) -> None:
        async with self.queue.turn(client):
            self.running += 1
            assert self.running == 1
            self.ran.append(client)
            await asyncio.sleep(0)
            self.running -= 1

    async def finish(self) -> list[type[BaseException] | None]:
        """Wait for all tasks; return what each has raised."""
        done = await asyncio.gather(*self.tasks, return_exceptions=True)
        return [type(each) if isinstance(each, BaseException) else None for each in done]


@asynccontextmanager
async def _held(work: Work) -> AsyncIterator[None]:
    """Let everybody wait until the end of the block."""
    async with work.queue.turn("first"):
        yield


async def test_queue_runs_one_task_at_a_time_and_takes_turns_between_clients() -> None:
    work = Work(FairQueue(per_client=9, total=99))
    async with _held(work):
        await work.add("a", "a", "a", "a", "b", "c", "b")
    assert await work.finish() == [None] * 7
    assert work.ran == ["a", "b", "c", "a", "b", "a", "a"]


async def test_queue_is_free_again_after_a_task_has_failed() -> None:
    queue = FairQueue(per_client=9, total=99)
    with pytest.raises(ZeroDivisionError):
        async with queue.turn("a"):
            raise ZeroDivisionError
    work = Work(queue)
    await work.add("a")
    assert await work.finish() == [None]


async def test_queue_refuses_a_client_with_too_many_tasks_and_no_other() -> None:
    work = Work(FairQueue(per_client=2, total=99))
    async with _held(work):
        await work.add("a", "a", "a", "b")
    assert await work.finish() == [None, None, LimitReached, None]


async def test_full_queue_drops_the_newest_task_of_the_client_with_the_most() -> None:
    work = Work(FairQueue(per_client=9, total=4))
    async with _held(work):
        await work.add("a", "a", "a", "a", "b", "b", "b")
    assert await work.finish() == [None, None, LimitReached, LimitReached, None, None, LimitReached]


async def test_cancelled_tasks_leave_their_places_and_hand_on_their_turn() -> None:
    work = Work(FairQueue(per_client=9, total=99))
    async with _held(work):
        tasks = await work.add("a", "a", "b", "c")
        tasks[2].cancel()
        await asyncio.sleep(0)
    tasks[0].cancel()  # its turn has come by now
    assert await work.finish() == [asyncio.CancelledError, None, asyncio.CancelledError, None]
    assert sorted(work.ran) == ["a", "c"]
    assert not work.queue._waiting
    assert not work.queue._is_busy

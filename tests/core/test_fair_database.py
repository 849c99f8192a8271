"""Who reads much does not keep others from reading, posting and purging."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from anonchat import Chat, LimitReached
from anonchat import database as database_module
from tests.fakes import FakeClock, gather_in, read, running_chat, say

pytestmark = pytest.mark.usefixtures("either_place")

_PATIENCE = 60


@asynccontextmanager
async def _slow_readers(chat: Chat, group: str, number: int) -> AsyncIterator[list[int]]:
    """Let so many read until the end of the block; give which have had their turn."""
    done, begun = asyncio.Event(), list[int]()

    async def read_slowly(number: int) -> None:
        async with chat._database.reading(group) as session:
            await (await session.connection()).execute(sql("SELECT 1"))
            begun.append(number)
            await done.wait()

    readers = [asyncio.create_task(read_slowly(each)) for each in range(number)]
    while not begun:  # noqa: ASYNC110 - nobody tells us
        await asyncio.sleep(0.01)
    try:
        yield begun
    finally:
        done.set()
        await asyncio.gather(*readers)


@asynccontextmanager
async def _slow_writers(chat: Chat, group: str, number: int) -> AsyncIterator[asyncio.Event]:
    """Let so many wait to write, one by one, each until the event that this gives is set."""
    may_go, begun = asyncio.Event(), asyncio.Event()

    async def write_slowly() -> None:
        async with chat._database.transaction(group):
            begun.set()
            await may_go.wait()

    writers = [asyncio.create_task(write_slowly()) for _ in range(number)]
    await begun.wait()
    try:
        yield may_go
    finally:
        may_go.set()
        await asyncio.gather(*writers)


async def test_purge_waits_for_no_reader(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, message_ttl="60s") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one", "two")
        clock.move(timedelta(seconds=90))
        async with _slow_readers(chat, ann.id, 300) as begun, asyncio.timeout(_PATIENCE):
            done = await chat.purge()
            assert done.messages == 2
            assert len(begun) < 300, "this looks at other things than it says"


async def test_post_and_time_wait_for_no_reader(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        async with _slow_readers(chat, ann.id, 300), asyncio.timeout(_PATIENCE):
            await say(chat, room, bob, "hello")
            assert await chat.list_silent() == []
            await chat._database.tell_time()
        assert await read(chat, room, bob) == ["hello"]


@pytest.mark.single("many write at once to PostgreSQL, and rows are locked there")
async def test_post_goes_before_what_waits_to_be_written(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        order = []

        async def leave() -> None:
            await chat.memberships.leave(room.id, visitor_id=ann.id)
            order.append("leave")

        async def post() -> None:
            await chat.messages.post(room.id, visitor_id=bob.id, text="hello")
            order.append("post")

        async with _slow_writers(chat, ann.id, 1) as may_go:
            leaving = [asyncio.create_task(leave()) for _ in range(20)]
            await asyncio.sleep(0)
            posting = asyncio.create_task(post())
            while not chat._database._writing._preceding:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)
            may_go.set()
            await asyncio.gather(posting, *leaving)
        assert order.index("post") <= 1, "one may have been let in before it"


async def test_readers_of_one_visitor_leave_room_for_another(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        slots = chat._database._kind.readers[0]
        order: list[str] = []

        async def read_once(group: str) -> None:
            async with chat._database.reading(group):
                order.append(group)

        async with _slow_readers(chat, "flood", slots):
            flood = [asyncio.create_task(read_once("flood")) for _ in range(100)]
            await asyncio.sleep(0)
            others = [asyncio.create_task(read_once(name)) for name in ("ann", "bob")]
            await asyncio.sleep(0)
        await asyncio.gather(*flood, *others)
        assert max(order.index("ann"), order.index("bob")) <= 3


async def test_one_visitor_waits_for_a_bounded_number_of_readings(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_WAITING_MOST", 5)
    async with running_chat(tmp_path / "data", clock) as chat:
        slots = chat._database._kind.readers[0]
        async with _slow_readers(chat, "flood", slots + 5) as begun:
            while len(begun) < slots:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0.01)
            with pytest.raises(LimitReached):
                async with chat._database.reading("flood"):
                    pass

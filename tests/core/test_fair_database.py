"""Many database reads of one visitor do not delay other reads, posts and purges."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from anonchat import Chat, LimitReached
from anonchat.storage import database as database_module
from tests.fakes import FakeClock, create_room_with_members, post_messages, read, running_chat
from tests.timeouts import DEADLINE

pytestmark = pytest.mark.usefixtures("either_place")


@asynccontextmanager
async def _slow_readers(chat: Chat, group: str, number: int) -> AsyncIterator[list[int]]:
    """Run `number` reads until the block ends; yield the numbers of those that have started."""
    done, started = asyncio.Event(), list[int]()

    async def read_slowly(number: int) -> None:
        async with chat._database.read_session(group) as session:
            await (await session.connection()).execute(sql("SELECT 1"))
            started.append(number)
            await done.wait()

    readers = [asyncio.create_task(read_slowly(each)) for each in range(number)]
    while not started:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.01)
    try:
        yield started
    finally:
        done.set()
        await asyncio.gather(*readers)


@asynccontextmanager
async def _slow_writers(chat: Chat, group: str, number: int) -> AsyncIterator[asyncio.Event]:
    """Run `number` transactions, each of which ends once the yielded event is set."""
    may_end, started = asyncio.Event(), asyncio.Event()

    async def write_slowly() -> None:
        async with chat._database.transaction(group):
            started.set()
            await may_end.wait()

    writers = [asyncio.create_task(write_slowly()) for _ in range(number)]
    await started.wait()
    try:
        yield may_end
    finally:
        may_end.set()
        await asyncio.gather(*writers)


async def test_purge_does_not_wait_for_reads(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, message_ttl="60s") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one", "two")
        clock.advance(timedelta(seconds=90))
        async with _slow_readers(chat, ann.id, 300) as started, asyncio.timeout(DEADLINE):
            done = await chat.purge()
            assert done.messages == 2
            assert len(started) < 300, (
                "reads must still be waiting, otherwise the test proves nothing"
            )


async def test_post_and_database_time_do_not_wait_for_reads(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        async with _slow_readers(chat, ann.id, 300), asyncio.timeout(DEADLINE):
            await post_messages(chat, room, bob, "hello")
            assert await chat.health.list_unavailable() == []
            await chat._database.read_server_time()
        assert await read(chat, room, bob) == ["hello"]


@pytest.mark.single("PostgreSQL has several writers and locks rows")
async def test_post_has_precedence_over_waiting_writes(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        order = []

        async def leave() -> None:
            await chat.memberships.leave(room.id, visitor_id=ann.id)
            order.append("leave")

        async def post() -> None:
            await chat.messages.post(room.id, visitor_id=bob.id, text="hello")
            order.append("post")

        async with _slow_writers(chat, ann.id, 1) as may_end:
            leaving = [asyncio.create_task(leave()) for _ in range(20)]
            await asyncio.sleep(0)
            posting = asyncio.create_task(post())
            while not chat._database._write_slots._priority_queue:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.01)
            may_end.set()
            await asyncio.gather(posting, *leaving)
        assert order.index("post") <= 1, "one write may have been admitted before it"


async def test_reads_of_one_visitor_do_not_delay_other_visitors(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        slots = chat._database._backend.readers[0]
        order: list[str] = []

        async def read_once(group: str) -> None:
            async with chat._database.read_session(group):
                order.append(group)

        async with _slow_readers(chat, "flood", slots):
            flood = [asyncio.create_task(read_once("flood")) for _ in range(100)]
            await asyncio.sleep(0)
            others = [asyncio.create_task(read_once(name)) for name in ("ann", "bob")]
            await asyncio.sleep(0)
        await asyncio.gather(*flood, *others)
        assert max(order.index("ann"), order.index("bob")) <= 3


async def test_number_of_waiting_reads_per_visitor_is_limited(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_WAITERS_PER_GROUP_MAX", 5)
    async with running_chat(tmp_path / "data", clock) as chat:
        slots = chat._database._backend.readers[0]
        async with _slow_readers(chat, "flood", slots + 5) as started:
            while len(started) < slots:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.01)
            with pytest.raises(LimitReached):
                async with chat._database.read_session("flood"):
                    pass

"""Expired data is purged for good and on time: first its keys, then its rows."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from anonchat import Chat, MessagesDeleted, NotFound, RoomEnded, VisitorForgotten
from anonchat.security.key_names import SPAN
from tests.database_faults import allow, refuse
from tests.fakes import (
    EventRecorder,
    FakeClock,
    crash,
    create_room_with_members,
    execute,
    make_settings,
    post_messages,
    read,
    running_chat,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("either_place")


async def test_purge_deletes_rows_of_expired_messages(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one", "two")
    clock.advance(timedelta(hours=1))
    await post_messages(chat, room, ann, "three")
    clock.advance(room.message_ttl - timedelta(hours=1))
    recorder = EventRecorder(chat)
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (2, 0, 0)
    assert recorder.events == [MessagesDeleted(room.id, (1, 2))]
    assert await _count(chat, "message") == 1
    assert await read(chat, room, ann) == ["three"]


async def test_purge_destroys_the_key_of_an_expired_span(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    assert len(_spans(chat)) == 1
    clock.advance(room.message_ttl + SPAN)
    await chat.expiry.purge()
    assert _spans(chat) == []


async def test_purge_keeps_keys_of_unexpired_messages(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    before = set(chat._keys.names())
    clock.advance(room.message_ttl - timedelta(microseconds=1))
    await chat.expiry.purge()
    assert set(chat._keys.names()) == before
    assert await read(chat, room, ann) == ["one"]


async def test_second_purge_deletes_nothing(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    clock.advance(room.message_ttl)
    await chat.expiry.purge()
    recorder = EventRecorder(chat)
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (0, 0, 0)
    assert recorder.events == []


async def test_purge_deletes_more_than_one_batch(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=str(n)) for n in range(1_201))
    )
    await chat.messages.flush()
    clock.advance(room.message_ttl)
    recorder = EventRecorder(chat)
    assert (await chat.expiry.purge()).messages == 1_201
    batches = [len(event.seqs) for event in recorder.of_type(MessagesDeleted)]
    assert batches == [500, 500, 201]
    assert len({seq for event in recorder.of_type(MessagesDeleted) for seq in event.seqs}) == 1_201


async def test_concurrent_purges_delete_each_message_once(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, *map(str, range(20)))
    clock.advance(room.message_ttl)
    recorder = EventRecorder(chat)
    purges = await asyncio.gather(chat.expiry.purge(), chat.expiry.purge())
    assert sum(purged.messages for purged in purges) == 20
    assert sum(len(event.seqs) for event in recorder.of_type(MessagesDeleted)) == 20


async def test_messages_can_be_posted_during_a_purge(chat: Chat, clock: FakeClock) -> None:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, *map(str, range(20)))
    clock.advance(room.message_ttl)
    await asyncio.gather(chat.expiry.purge(), post_messages(chat, room, ann, "one", "two", "three"))
    assert await read(chat, room, ann) == ["one", "two", "three"]


async def test_room_expiry_destroys_its_key_and_all_its_rows(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    ann = await sign_in(chat, "Ann")
    room = await chat.rooms.create("night train", visitor_id=ann.id, room_ttl=timedelta(hours=1))
    await chat.memberships.join(room.id, visitor_id=ann.id)
    await post_messages(chat, room, ann, "one")
    assert chat._keys.get(f"room {room.id}")
    clock.advance(timedelta(hours=1))
    recorder = EventRecorder(chat)
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (1, 1, 0)
    assert chat._keys.get(f"room {room.id}") is None
    assert recorder.of_type(RoomEnded) == [RoomEnded(room.id)]
    assert [await _count(chat, table) for table in ("room", "member", "message")] == [0, 0, 0]


async def test_visitor_expiry_destroys_their_key_and_all_their_rows(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(
        tmp_path / "data", clock, visitor_ttl="1h", message_ttl="10m", room_ttl="7d"
    ) as chat:
        _, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        clock.advance(timedelta(hours=1))
        recorder = EventRecorder(chat)
        purged = await chat.expiry.purge()
        assert (purged.messages, purged.rooms, purged.visitors) == (0, 0, 1)
        assert chat._keys.get(f"visitor {ann.id}") is None
        assert recorder.events[-1] == VisitorForgotten(ann.id)
        assert [await _count(chat, table) for table in ("visitor", "member", "token")] == [0, 0, 0]
        assert await _count(chat, "room") == 1


async def test_keys_are_destroyed_even_if_rows_cannot_be_deleted(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    clock.advance(chat.settings.visitor_ttl)
    await refuse(chat, "DELETE", "message")
    with pytest.raises(DBAPIError, match="disk full"):
        await chat.expiry.purge()
    assert await _count(chat, "message") == 1, (
        "the row must exist, otherwise the test proves nothing"
    )
    assert list(chat._keys.names()) == []


async def test_purge_finishes_the_work_of_a_failed_purge(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    clock.advance(chat.settings.visitor_ttl)
    await refuse(chat, "DELETE", "message")
    with pytest.raises(DBAPIError):
        await chat.expiry.purge()
    await allow(chat, "message")
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (1, 1, 1)
    assert [await _count(chat, table) for table in ("room", "visitor", "message")] == [0, 0, 0]


async def test_failed_write_of_read_marks_does_not_stop_the_janitor(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=1)
    clock.advance(room.message_ttl)
    await refuse(chat, "UPDATE", "member")
    await chat.janitor.run_purge()
    assert chat.purge_stats.stats
    assert chat.purge_stats.stats.messages == 1
    await allow(chat, "member")


@pytest.mark.single("PostgreSQL manages its journal itself")
async def test_journal_is_empty_after_a_purge(chat: Chat, clock: FakeClock, tmp_path: Path) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    journal = tmp_path / "data" / "anonchat.db-wal"
    assert journal.stat().st_size > 0
    clock.advance(room.message_ttl)
    await chat.expiry.purge()
    assert journal.stat().st_size == 0


async def test_data_that_expired_during_downtime_is_purged_at_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one")
    clock.advance(chat.settings.visitor_ttl)
    async with running_chat(tmp_path / "data", clock) as chat:
        assert chat.purge_stats.stats
        assert (chat.purge_stats.stats.messages, chat.purge_stats.stats.rooms) == (1, 1)
        assert list(chat._keys.names()) == []


@pytest.mark.single("in a cluster another node finishes the purge: tests/core/test_nodes")
async def test_purge_interrupted_after_key_destruction_is_finished_at_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path / "data"), clock=clock)
    await chat.start()
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    other, _ = await create_room_with_members(chat, "day train", "Cid")
    await chat.memberships.join(other.id, visitor_id=bob.id)
    await post_messages(chat, room, ann, "one")
    await post_messages(chat, other, bob, "two")
    await chat._keys.destroy([f"room {room.id}", f"visitor {ann.id}"])
    await crash(chat)
    async with running_chat(tmp_path / "data", clock) as chat:
        with pytest.raises(NotFound):
            await chat.rooms.find(room.slug)
        assert await chat.identity.is_nickname_available("Ann")
        assert (await chat.rooms.open("night train", visitor_id=bob.id)).id != room.id
        assert await read(chat, other, bob) == ["two"]
        assert [await _count(chat, table) for table in ("visitor", "message")] == [2, 1]


async def test_keys_without_rows_are_destroyed_after_the_next_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path / "data"), clock=clock)
    await chat.start()
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one")
    await chat._keys.get_or_create("room never-stored", "visitor never-stored")
    await crash(chat)
    async with running_chat(tmp_path / "data", clock) as chat:
        clock.advance(chat._keys.row_commit_delay)
        await chat.purge()
        assert not [name for name in chat._keys.names() if "never-stored" in name]
        assert await read(chat, room, ann) == ["one"]


async def test_post_accepted_at_the_expiry_of_its_room_is_kept(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(
        tmp_path / "data", clock, room_ttl="1m", message_ttl="1m", visitor_ttl="1d"
    ) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        clock.advance(timedelta(seconds=59))
        keys = chat._keys._write_lock
        async with keys:  # the post waits here, after its check that the room exists
            posting = asyncio.create_task(
                chat.messages.post(room.id, visitor_id=ann.id, text="just in time")
            )
            while not keys._waiters:  # noqa: ASYNC110  # a lock has no event for waiters
                await asyncio.sleep(0)
            clock.advance(timedelta(seconds=1))
            purging = asyncio.create_task(chat.expiry.purge())
            for _ in range(1_000):
                await asyncio.sleep(0)
        await asyncio.wait([posting, purging])
        assert posting.result().text == "just in time"
        assert await read(chat, room, ann) == ["just in time"]


def _spans(chat: Chat) -> list[str]:
    return [name for name in chat._keys.names() if name.startswith("span ")]


async def _count(chat: Chat, table: str) -> int:
    ((count,),) = await execute(chat, f"SELECT count(*) FROM {table}")
    return int(count)

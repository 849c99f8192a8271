"""What has expired goes: its key first, its rows after, on time and for good."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from anonchat import Chat, MessagesGone, NotFound, RoomEnded, VisitorForgotten
from anonchat.keystore import SPAN
from tests.fakes import (
    Ear,
    FakeClock,
    come_in,
    crash,
    execute,
    gather_in,
    make_settings,
    read,
    running_chat,
    say,
)
from tests.obstacles import allow, refuse

pytestmark = pytest.mark.usefixtures("either_place")


async def test_a_purge_removes_the_rows_of_what_has_expired(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one", "two")
    clock.move(timedelta(hours=1))
    await say(chat, room, ann, "three")
    clock.move(room.message_ttl - timedelta(hours=1))
    ear = Ear(chat)
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (2, 0, 0)
    assert ear.heard == [MessagesGone(room.id, (1, 2))]
    assert await _count(chat, "message") == 1
    assert await read(chat, room, ann) == ["three"]


async def test_a_purge_destroys_the_key_of_what_has_expired_within_the_minute(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    assert len(_spans(chat)) == 1
    clock.move(room.message_ttl + SPAN)
    await chat.expiry.purge()
    assert _spans(chat) == []


async def test_a_purge_leaves_the_keys_of_what_still_lives(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    before = set(chat._keys.names())
    clock.move(room.message_ttl - timedelta(microseconds=1))
    await chat.expiry.purge()
    assert set(chat._keys.names()) == before
    assert await read(chat, room, ann) == ["one"]


async def test_purging_again_finds_nothing_more(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    clock.move(room.message_ttl)
    await chat.expiry.purge()
    ear = Ear(chat)
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (0, 0, 0)
    assert ear.heard == []


async def test_more_than_a_batch_is_purged_in_one_go(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=str(n)) for n in range(1_201))
    )
    await chat.messages.finish()
    clock.move(room.message_ttl)
    ear = Ear(chat)
    assert (await chat.expiry.purge()).messages == 1_201
    batches = [len(event.seqs) for event in ear.all(MessagesGone)]
    assert batches == [500, 500, 201]
    assert len({seq for event in ear.all(MessagesGone) for seq in event.seqs}) == 1_201


async def test_two_purges_at_once_remove_everything_once(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, *map(str, range(20)))
    clock.move(room.message_ttl)
    ear = Ear(chat)
    purges = await asyncio.gather(chat.expiry.purge(), chat.expiry.purge())
    assert sum(purged.messages for purged in purges) == 20
    assert sum(len(event.seqs) for event in ear.all(MessagesGone)) == 20


async def test_posting_goes_on_during_a_purge(chat: Chat, clock: FakeClock) -> None:
    room, (ann, _) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, *map(str, range(20)))
    clock.move(room.message_ttl)
    await asyncio.gather(chat.expiry.purge(), say(chat, room, ann, "one", "two", "three"))
    assert await read(chat, room, ann) == ["one", "two", "three"]


async def test_the_end_of_a_room_destroys_its_key_and_all_its_rows(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    ann = await come_in(chat, "Ann")
    room = await chat.rooms.create("night train", visitor_id=ann.id, room_ttl=timedelta(hours=1))
    await chat.memberships.join(room.id, visitor_id=ann.id)
    await say(chat, room, ann, "one")
    assert chat._keys.get(f"room {room.id}")
    clock.move(timedelta(hours=1))
    ear = Ear(chat)
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (1, 1, 0)
    assert chat._keys.get(f"room {room.id}") is None
    assert ear.all(RoomEnded) == [RoomEnded(room.id)]
    assert [await _count(chat, table) for table in ("room", "member", "message")] == [0, 0, 0]


async def test_the_end_of_a_visitor_destroys_their_key_and_all_their_rows(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(
        tmp_path / "data", clock, visitor_ttl="1h", message_ttl="10m", room_ttl="7d"
    ) as chat:
        _, (ann,) = await gather_in(chat, "night train", "Ann")
        clock.move(timedelta(hours=1))
        ear = Ear(chat)
        purged = await chat.expiry.purge()
        assert (purged.messages, purged.rooms, purged.visitors) == (0, 0, 1)
        assert chat._keys.get(f"visitor {ann.id}") is None
        assert ear.heard[-1] == VisitorForgotten(ann.id)
        assert [await _count(chat, table) for table in ("visitor", "member", "token")] == [0, 0, 0]
        assert await _count(chat, "room") == 1


async def test_the_keys_are_destroyed_even_if_no_row_can_be_deleted(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    clock.move(chat.settings.visitor_ttl)
    await refuse(chat, "DELETE", "message")
    with pytest.raises(DBAPIError, match="disk full"):
        await chat.expiry.purge()
    assert await _count(chat, "message") == 1, "the row has to be there for this to mean anything"
    assert list(chat._keys.names()) == []


async def test_a_purge_goes_on_where_a_failed_one_has_stopped(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    clock.move(chat.settings.visitor_ttl)
    await refuse(chat, "DELETE", "message")
    with pytest.raises(DBAPIError):
        await chat.expiry.purge()
    await allow(chat, "message")
    purged = await chat.expiry.purge()
    assert (purged.messages, purged.rooms, purged.visitors) == (1, 1, 1)
    assert [await _count(chat, table) for table in ("room", "visitor", "message")] == [0, 0, 0]


async def test_marks_that_cannot_be_written_do_not_stop_the_janitor(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=1)
    clock.move(room.message_ttl)
    await refuse(chat, "UPDATE", "member")
    await chat.janitor.clean()
    assert chat.ledger.tally
    assert chat.ledger.tally.messages == 1
    await allow(chat, "member")


@pytest.mark.single("PostgreSQL has its journal to itself")
async def test_the_journal_is_empty_after_a_purge(
    chat: Chat, clock: FakeClock, tmp_path: Path
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    journal = tmp_path / "data" / "anonchat.db-wal"
    assert journal.stat().st_size > 0
    clock.move(room.message_ttl)
    await chat.expiry.purge()
    assert journal.stat().st_size == 0


async def test_what_expired_while_the_chat_was_down_is_purged_at_the_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one")
    clock.move(chat.settings.visitor_ttl)
    async with running_chat(tmp_path / "data", clock) as chat:
        assert chat.ledger.tally
        assert (chat.ledger.tally.messages, chat.ledger.tally.rooms) == (1, 1)
        assert list(chat._keys.names()) == []


@pytest.mark.single("of several nodes another goes on: tests/core/test_nodes")
async def test_a_crash_between_the_keys_and_the_rows_is_finished_at_the_next_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path / "data"), clock=clock)
    await chat.start()
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    other, _ = await gather_in(chat, "day train", "Cid")
    await chat.memberships.join(other.id, visitor_id=bob.id)
    await say(chat, room, ann, "one")
    await say(chat, other, bob, "two")
    await chat._keys.destroy([f"room {room.id}", f"visitor {ann.id}"])
    await crash(chat)
    async with running_chat(tmp_path / "data", clock) as chat:
        with pytest.raises(NotFound):
            await chat.rooms.find(room.slug)
        assert await chat.identity.is_free("Ann")
        assert (await chat.rooms.open("night train", visitor_id=bob.id)).id != room.id
        assert await read(chat, other, bob) == ["two"]
        assert [await _count(chat, table) for table in ("visitor", "message")] == [2, 1]


async def test_keys_whose_rows_were_never_stored_are_destroyed_at_the_next_start(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path / "data"), clock=clock)
    await chat.start()
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one")
    await chat._keys.obtain("room never-stored", "visitor never-stored")
    await crash(chat)
    async with running_chat(tmp_path / "data", clock) as chat:
        clock.move(chat._keys.row_delay)
        await chat.purge()
        assert not [name for name in chat._keys.names() if "never-stored" in name]
        assert await read(chat, room, ann) == ["one"]


async def test_a_post_at_the_very_end_of_its_room_is_refused_or_kept_and_never_lost(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(
        tmp_path / "data", clock, room_ttl="1m", message_ttl="1m", visitor_ttl="1d"
    ) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        clock.move(timedelta(seconds=59))
        keys = chat._keys._writing
        async with keys:  # the post has to wait here, after it was found that the room lives
            posting = asyncio.create_task(
                chat.messages.post(room.id, visitor_id=ann.id, text="just in time")
            )
            while not keys._waiters:  # noqa: ASYNC110  # a lock tells nobody who waits for it
                await asyncio.sleep(0)
            clock.move(timedelta(seconds=1))
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

"""What is unread in the rooms of a visitor: how much, which mentions, and when it disappears."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat, EventsLost, MembersMentioned, Post, Room, Unread, Visitor
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    post_messages,
    running_chat,
)

pytestmark = pytest.mark.usefixtures("either_place")

Place = tuple[Room, Visitor, Visitor]


@pytest.fixture
async def place(chat: Chat) -> Place:
    """Return a room of Ann, and its two members."""
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    return room, ann, bob


async def test_newest_unread_mention_is_found_until_it_is_read(chat: Chat, place: Place) -> None:
    room, ann, bob = place
    other = await chat.rooms.open("other", visitor_id=bob.id)
    await post_messages(chat, room, ann, "hello", "@bob one", "and @Bob two", "nothing")
    assert await _find_mentions(chat, bob) == {room.id: 3, other.id: 0}
    assert await _find_mentions(chat, ann) == {room.id: 0}
    for seq, mention in ((2, 3), (3, 0), (4, 0)):
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=seq)
        assert (await _find_mentions(chat, bob))[room.id] == mention


async def test_mention_goes_with_its_message(chat: Chat, place: Place, clock: FakeClock) -> None:
    room, ann, bob = place
    ttl = timedelta(minutes=1)
    deleted = await chat.messages.post(room.id, visitor_id=ann.id, text="@bob")
    await chat.messages.post(room.id, visitor_id=ann.id, post=Post("@bob", ttl=ttl))
    assert await _find_mentions(chat, bob) == {room.id: 2}
    clock.advance(ttl)
    await chat.expiry.purge()
    assert await _find_mentions(chat, bob) == {room.id: 1}
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=deleted.id)
    assert await _find_mentions(chat, bob) == {room.id: 0}


async def test_edit_changes_who_is_mentioned(chat: Chat, place: Place) -> None:
    room, ann, bob = place
    recorder = EventRecorder(chat)
    await chat.messages.post(room.id, visitor_id=ann.id, text="bob")
    assert recorder.of_type(MembersMentioned) == []
    for text, mention in (("@bob", 1), ("@bob!", 1), ("bob", 0)):
        await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=1, text=text)
        assert await _find_mentions(chat, bob) == {room.id: mention}
    assert recorder.of_type(MembersMentioned) == [
        MembersMentioned(room.id, 1, (bob.id,)),
        MembersMentioned(room.id, 1, (), (bob.id,)),
    ]


async def test_who_mentions_themselves_is_not_told(chat: Chat, place: Place) -> None:
    room, ann, bob = place
    recorder = EventRecorder(chat)
    await post_messages(chat, room, ann, "I, @ann", "@ann and @bob")
    await chat.messages.flush()
    assert recorder.of_type(MembersMentioned) == [MembersMentioned(room.id, 2, (bob.id,))]
    await chat.bus.publish(EventsLost())
    assert await _find_mentions(chat, ann) == {room.id: 0}


async def test_next_unread_message_to_disappear_is_found(
    chat: Chat, place: Place, clock: FakeClock
) -> None:
    room, ann, bob = place
    await post_messages(chat, room, ann, "read")
    await post_messages(chat, room, bob, "of Bob")
    clock.advance(timedelta(seconds=9))
    first = await chat.messages.post(room.id, visitor_id=ann.id, text="first")
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=1)
    await post_messages(chat, room, ann, "last")
    assert await chat.memberships.list_unread(bob.id) == {room.id: Unread(2, first.expires_at)}
    clock.advance(timedelta(seconds=1))
    short = Post("short", ttl=timedelta(minutes=1))
    message = await chat.messages.post(room.id, visitor_id=ann.id, post=short)
    assert await chat.memberships.list_unread(bob.id) == {room.id: Unread(2, message.expires_at)}
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=5)
    assert await chat.memberships.list_unread(bob.id) == {room.id: Unread(5)}


@pytest.mark.single("reads the file of SQLite")
async def test_stored_mention_names_nobody(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        author = (await chat.memberships.require(room.id, visitor_id=bob.id)).author
        await post_messages(chat, room, ann, "@bob")
        connection = sqlite3.connect(tmp_path / "anonchat.db")
        (row,) = connection.execute("SELECT * FROM mention").fetchall()
        connection.close()
    assert row[:2] == (room.id, 1)
    assert not any(id.encode() in row[2] for id in (ann.id, bob.id, author))
    async with running_chat(tmp_path, clock) as chat:
        unread = await chat.memberships.list_unread(bob.id)
        assert {id: replace(each, next_expiry=None) for id, each in unread.items()} == {
            room.id: Unread(0, mention=1)
        }


async def _find_mentions(chat: Chat, visitor: Visitor) -> dict[str, int]:
    unread = await chat.memberships.list_unread(visitor.id)
    return {room_id: each.mention for room_id, each in unread.items()}

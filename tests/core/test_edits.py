"""Editing messages: who may, what everybody reads afterwards, and in which order."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    EventsLost,
    InvalidMessage,
    MessageEdited,
    MessagePosted,
    MessagesDeleted,
    NeedsConfirmation,
    NotAllowed,
    NotAMember,
    NotFound,
    Post,
    RateLimited,
    Refused,
    Reviewed,
    Room,
    Visitor,
)
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    find_decryptable_deleted_spans,
    read,
    running_chat,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("either_place")

Place = tuple[Room, Visitor, Visitor]


@pytest.fixture
async def place(chat: Chat) -> Place:
    """Return a room of Ann, and its two members."""
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    return room, ann, bob


async def test_edited_message_is_read_from_the_cache_the_database_and_after_a_restart(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        recorder = EventRecorder(chat)
        await read(chat, room, bob)
        post = Post("helo", reply_to="abc")
        message = await chat.messages.post(room.id, visitor_id=ann.id, post=post, dedup_id="d")
        await chat.messages.post(room.id, visitor_id=bob.id, text="hi")
        clock.advance(timedelta(minutes=1))
        edited = await chat.messages.edit(
            room.id, visitor_id=ann.id, message_id=message.id, text=" hello @bob "
        )
        author = (await chat.memberships.require(room.id, visitor_id=bob.id)).author
        assert edited == replace(
            message, text="hello @bob", mentions=(author,), edited=True, revision=1
        )
        assert recorder.of_type(MessageEdited) == [MessageEdited(edited, ann.id)]
        assert await read(chat, room, bob) == ["hello @bob", "hi"]
        chat.messages._history._pages.invalidate(room.id)
        assert await read(chat, room, bob) == ["hello @bob", "hi"]
        assert await find_decryptable_deleted_spans(chat) == []
        again = await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=1, text="hey")
        assert again == replace(edited, text="hey", mentions=(), revision=2)
    async with running_chat(tmp_path, clock) as chat:
        page = await chat.messages.history(room.id, visitor_id=ann.id, limit=5)
        assert page[0] == again
        retried = await chat.messages.post(room.id, visitor_id=ann.id, post=post, dedup_id="d")
        assert retried == again, "the retry of a post does not bring its old text back"


async def test_only_the_author_edits_a_message_while_a_member(chat: Chat, place: Place) -> None:
    room, ann, bob = place  # Ann owns the room
    message = await chat.messages.post(room.id, visitor_id=bob.id, text="of Bob")
    outsider = await sign_in(chat, "Cid")

    async def edit(visitor: Visitor, room_id: str = room.id, id: str = message.id) -> None:
        await chat.messages.edit(room_id, visitor_id=visitor.id, message_id=id, text="changed")

    with pytest.raises(NotAllowed, match="Only its author"):
        await edit(ann)
    with pytest.raises(NotAMember):
        await edit(outsider)
    other = await chat.rooms.open("other", visitor_id=bob.id)
    for room_id, id in ((other.id, message.id), (room.id, "absent"), (room.id, "a\x00")):
        with pytest.raises(NotFound):
            await edit(bob, room_id, id)
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    with pytest.raises(NotAMember):
        await edit(bob)
    assert await read(chat, room, ann) == ["of Bob"]


async def test_deleted_and_expired_messages_and_those_of_a_kind_are_not_edited(
    chat: Chat, place: Place, clock: FakeClock
) -> None:
    room, ann, _ = place
    deleted, expired = [
        await chat.messages.post(room.id, visitor_id=ann.id, text=text) for text in "12"
    ]
    roll = await chat.messages.post(room.id, visitor_id=ann.id, post=Post(kind="dice", data=[4]))
    with pytest.raises(NotAllowed, match="text"):
        await chat.messages.edit(room.id, visitor_id=ann.id, message_id=roll.id, text="6")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=deleted.id)
    clock.advance(room.message_ttl)
    for message in (deleted, expired):
        with pytest.raises(NotFound):
            await chat.messages.edit(room.id, visitor_id=ann.id, message_id=message.id, text="x")


async def test_new_text_is_normalized_reviewed_and_confirmed_as_a_post_is(
    chat: Chat, place: Place
) -> None:
    room, ann, _ = place
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")

    async def review(_room_id: str, _visitor_id: str, post: Post) -> Reviewed:
        if post.text == "bad":
            raise Refused("Not that.")
        return Reviewed(Post(post.text.upper()), ("Really?",))

    chat.messages.review = review

    async def edit(text: str, *, confirmed: bool = True) -> None:
        await chat.messages.edit(
            room.id, visitor_id=ann.id, message_id=message.id, text=text, confirmed=confirmed
        )

    for text, error in (("", InvalidMessage), ("x" * 4_001, InvalidMessage), ("bad", Refused)):
        with pytest.raises(error):
            await edit(text)
    with pytest.raises(NeedsConfirmation):
        await edit("hey", confirmed=False)
    assert await read(chat, room, ann) == ["hello"]
    await edit("hey")
    assert await read(chat, room, ann) == ["HEY"]


async def test_edits_are_limited_and_a_refused_one_is_not_counted(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, edits_per_visitor="2/1m") as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await chat.messages.post(room.id, visitor_id=ann.id, text="0")
        for _ in range(3):
            with pytest.raises(NotAllowed):
                await chat.messages.edit_by_seq(room.id, visitor_id=bob.id, seq=1, text="x")
        for text in "12":
            await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=1, text=text)
        with pytest.raises(RateLimited):
            await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=1, text="3")
        assert await read(chat, room, bob) == ["2"]


async def test_deletion_beats_a_concurrent_edit(chat: Chat, place: Place) -> None:
    room, ann, bob = place
    recorder = EventRecorder(chat)
    for seq in range(1, 11):
        await chat.messages.post(room.id, visitor_id=ann.id, text="old")
        await asyncio.gather(
            chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=seq, text="new"),
            chat.messages.delete_by_seq(room.id, visitor_id=ann.id, seq=seq),
            return_exceptions=True,
        )
        assert await read(chat, room, bob) == []
        changes = [
            event for event in recorder.events if isinstance(event, MessageEdited | MessagesDeleted)
        ]
        assert isinstance(changes[-1], MessagesDeleted)
    assert await find_decryptable_deleted_spans(chat) == []


async def test_late_events_bring_neither_deleted_nor_old_texts_back(
    chat: Chat, place: Place
) -> None:
    room, ann, bob = place
    await read(chat, room, bob)
    recorder = EventRecorder(chat)
    await chat.messages.post(room.id, visitor_id=ann.id, text="0")
    await chat.messages.flush()
    for text in "12":
        await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=1, text=text)
    posted, first, second = recorder.of_type(MessagePosted)[0], *recorder.of_type(MessageEdited)
    recorder.events.clear()
    for late in (posted, first):
        await chat.bus.publish_local(late)
    assert recorder.events == [replace(posted, message=second.message)]
    assert await read(chat, room, bob) == ["2"]
    await chat.messages.delete_by_seq(room.id, visitor_id=ann.id, seq=1)
    recorder.events.clear()
    for late in (posted, first, second):
        await chat.bus.publish_local(late)
    assert recorder.events == []
    assert await read(chat, room, bob) == []


async def test_changed_messages_are_listed_from_the_cache_and_from_the_database(
    chat: Chat, place: Place
) -> None:
    room, ann, bob = place
    for text in "12345":
        await chat.messages.post(room.id, visitor_id=ann.id, text=text)
    for seq in (2, 4, 5):
        await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=seq, text=f"new {seq}")

    async def changed(first: int, last: int, limit: int = 10) -> list[int]:
        found = await chat.messages.list_changed(
            room.id, visitor_id=bob.id, first=first, last=last, limit=limit
        )
        assert [message.text for message in found] == [f"new {each.seq}" for each in found]
        return [message.seq for message in found]

    for is_cached in (False, True):
        if is_cached:
            await read(chat, room, bob)
        else:
            await chat.bus.publish_local(EventsLost())
        assert await changed(1, 4) == [2, 4]
        assert await changed(3, 9) == [4, 5]
        assert await changed(1, 9, limit=2) == [4, 5]
    with pytest.raises(NotAMember):
        await chat.messages.list_changed(
            room.id, visitor_id=(await sign_in(chat, "Cid")).id, first=1, last=9, limit=9
        )

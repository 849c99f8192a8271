"""Messages that each reader can open once."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    InvalidMessage,
    LimitReached,
    Message,
    MessageOpened,
    MessagePosted,
    MessagesDeleted,
    NotAllowed,
    NotAMember,
    NotFound,
    Post,
    RateLimited,
    Reviewed,
    Room,
    Visitor,
)
from anonchat.security.key_names import span_at
from anonchat.storage.draft import Draft
from anonchat.storage.openings import READERS_MAX
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    execute,
    find_decryptable_deleted_spans,
    read,
    running_chat,
    sign_in,
)

Place = tuple[Room, Visitor, Visitor, Visitor, Message]
SECRET = "under the mat"
DAY = timedelta(hours=24)


async def post_once(chat: Chat, room: Room, visitor: Visitor, text: str = SECRET) -> Message:
    """Post a text that can be opened once."""
    return await chat.messages.post(room.id, visitor_id=visitor.id, post=Post(text, once=True))


async def open_once(chat: Chat, visitor: Visitor, message: Message) -> str:
    """Open a message."""
    return await chat.messages.open_once(
        message.room_id, visitor_id=visitor.id, message_id=message.id
    )


async def author_of(chat: Chat, room: Room, visitor: Visitor) -> str:
    """Return the pseudonym of a member."""
    return (await chat.memberships.require(room.id, visitor_id=visitor.id)).author


async def history(chat: Chat, room: Room, visitor: Visitor) -> list[Message]:
    """Return the messages of a room, from the cache and from the database."""
    cached = await chat.messages.history(room.id, visitor_id=visitor.id, limit=10)
    chat.messages._history._pages.invalidate(room.id)
    assert await chat.messages.history(room.id, visitor_id=visitor.id, limit=10) == cached
    return cached


@pytest.fixture
async def place(chat: Chat) -> Place:
    """Return a room, its three members, and a message of the first to be opened once."""
    names = ("Ann", "Bob", "Cid")
    room, (ann, bob, cid) = await create_room_with_members(chat, "night train", *names)
    await read(chat, room, ann)
    return room, ann, bob, cid, await post_once(chat, room, ann)


@pytest.mark.usefixtures("either_place")
async def test_each_reader_opens_a_message_once_and_the_last_one_deletes_it(chat: Chat) -> None:
    names = ("Ann", "Bob", "Cid")
    room, (ann, bob, cid) = await create_room_with_members(chat, "night train", *names)
    recorder = EventRecorder(chat)
    message = await post_once(chat, room, ann)
    await chat.messages.flush()
    authors = [await author_of(chat, room, each) for each in (bob, cid)]
    (posted,) = recorder.of_type(MessagePosted)
    assert posted.message == message
    assert (message.once, message.text, message.openers) == (True, "", ())
    assert message.readers == tuple(sorted(authors))
    assert await history(chat, room, bob) == [message]
    recorder.events.clear()

    assert await open_once(chat, bob, message) == SECRET
    (opened,) = recorder.of_type(MessageOpened)
    assert opened.visitor_id == ann.id
    assert (opened.message.readers, opened.message.openers) == ((authors[1],), (authors[0],))
    assert opened.message.revision > message.revision
    assert await history(chat, room, ann) == [opened.message]
    with pytest.raises(NotAllowed, match="already"):
        await open_once(chat, bob, message)

    recorder.events.clear()
    assert await open_once(chat, cid, message) == SECRET
    assert recorder.events == [MessagesDeleted(room.id, (message.seq,))]
    assert await history(chat, room, ann) == []
    for visitor in (bob, cid):
        with pytest.raises(NotFound):
            await open_once(chat, visitor, message)
    for table in ("message", "opening"):
        assert await execute(chat, f"SELECT count(*) FROM {table}") == [(0,)]
    assert await find_decryptable_deleted_spans(chat) == []


async def test_text_is_given_to_nobody_but_by_opening(chat: Chat, place: Place) -> None:
    room, ann, bob, cid, message = place
    answer = Post("why?", reply_to=message.id)
    await chat.messages.post(room.id, visitor_id=bob.id, post=answer)
    await open_once(chat, cid, message)
    reacted = await chat.messages.react(
        room.id, visitor_id=bob.id, message_id=message.id, emoji="👍", on=True
    )
    assert (reacted.text, reacted.opened, len(reacted.readers)) == ("", 1, 1)
    for visitor in (ann, bob, cid):
        assert [each.text for each in await history(chat, room, visitor)] == ["", "why?"]
        found = await chat.messages.find(room.id, visitor_id=visitor.id, message_id=message.id)
        assert found == reacted
        changed = await chat.messages.list_changed(
            room.id, visitor_id=visitor.id, first=1, last=9, limit=9
        )
        assert changed == [reacted]
        matches = await chat.messages.search(room.id, visitor_id=visitor.id, query="mat", limit=9)
        assert matches.messages == []


async def test_message_is_read_after_a_restart_and_a_new_key(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob, cid) = await create_room_with_members(chat, "train", "Ann", "Bob", "Cid")
        message = await post_once(chat, room, ann)
        await open_once(chat, bob, message)
        other = await chat.messages.post(room.id, visitor_id=ann.id, text="of the same span")
        assert span_at(other.expires_at) == span_at(message.expires_at)
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=other.id)
    async with running_chat(tmp_path, clock) as chat:
        (found,) = await history(chat, room, cid)
        assert (found.text, found.opened) == ("", 1)
        assert await open_once(chat, cid, message) == SECRET


async def test_only_readers_open_it(chat: Chat, place: Place) -> None:
    room, ann, bob, _, message = place
    outsider, late = await sign_in(chat, "Dan"), await sign_in(chat, "Eve")
    await chat.memberships.join(room.id, visitor_id=late.id)
    with pytest.raises(NotAMember):
        await open_once(chat, outsider, message)
    with pytest.raises(NotAllowed, match="when it was posted"):
        await open_once(chat, late, message)
    with pytest.raises(NotAllowed, match="Only the others"):
        await open_once(chat, ann, message)
    plain = await chat.messages.post(room.id, visitor_id=ann.id, text="for all")
    with pytest.raises(NotAllowed):
        await open_once(chat, bob, plain)
    other = await chat.rooms.open("other", visitor_id=bob.id)
    for room_id, id in ((other.id, message.id), (room.id, "absent"), (room.id, "a\x00")):
        with pytest.raises(NotFound):
            await chat.messages.open_once(room_id, visitor_id=bob.id, message_id=id)
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    with pytest.raises(NotAMember):
        await open_once(chat, bob, message)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    assert await chat.messages.open_once_by_seq(room.id, visitor_id=bob.id, seq=1) == SECRET


@pytest.mark.usefixtures("either_place")
async def test_reader_who_opens_it_twice_at_once_gets_it_once(chat: Chat) -> None:
    room, (ann, bob, cid) = await create_room_with_members(chat, "train", "Ann", "Bob", "Cid")
    message = await post_once(chat, room, ann)
    tries = [open_once(chat, visitor, message) for visitor in (bob, cid) for _ in range(3)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert answers.count(SECRET) == 2
    assert all(isinstance(each, NotAllowed | NotFound) for each in answers if each != SECRET)
    assert await read(chat, room, ann) == []


@pytest.mark.parametrize(
    ("room_ttl", "own", "lifetime"),
    [
        (timedelta(hours=1), None, timedelta(hours=1)),
        (timedelta(days=7), None, DAY),
        (timedelta(days=7), timedelta(days=2), DAY),
        (timedelta(days=7), timedelta(minutes=1), timedelta(minutes=1)),
    ],
)
async def test_it_ends_after_a_day_or_with_the_lifetime_of_the_room(
    chat: Chat, clock: FakeClock, room_ttl: timedelta, own: timedelta | None, lifetime: timedelta
) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    room = await chat.room_editor.update(
        room.id, visitor_id=ann.id, message_ttl=room_ttl, room_ttl=timedelta(days=30)
    )
    post = Post(SECRET, once=True, ttl=own)
    message = await chat.messages.post(room.id, visitor_id=ann.id, post=post)
    assert message.expires_at - message.posted_at == lifetime
    clock.advance(lifetime - timedelta(seconds=1))
    assert await read(chat, room, bob) == [""]
    clock.advance(timedelta(seconds=1))
    with pytest.raises(NotFound):
        await open_once(chat, bob, message)
    await chat.expiry.purge()
    assert await execute(chat, "SELECT count(*) FROM opening") == [(0,)]


async def test_what_cannot_be_opened_once_is_refused(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await sign_in(chat, "Ann")
    alone = await chat.rooms.open("alone", visitor_id=ann.id)
    with pytest.raises(InvalidMessage, match="Nobody else"):
        await post_once(chat, alone, ann)
    assert await read(chat, alone, ann) == []
    room, (bob, cid, _) = await create_room_with_members(chat, "train", "Bob", "Cid", "Dan")
    dice = Post(kind="dice", data=[1], once=True)
    with pytest.raises(InvalidMessage, match="Only a text"):
        await chat.messages.post(room.id, visitor_id=bob.id, post=dice)
    message = await post_once(chat, room, bob)
    with pytest.raises(NotAllowed):
        await chat.messages.edit(room.id, visitor_id=bob.id, message_id=message.id, text="other")
    assert await open_once(chat, cid, message) == SECRET
    assert READERS_MAX >= 50
    monkeypatch.setattr("anonchat.storage.message_batch.READERS_MAX", 1)
    with pytest.raises(LimitReached):
        await post_once(chat, room, bob)


async def test_filters_do_not_make_it_readable_by_all(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "train", "Ann", "Bob")

    async def review(_room: str, _visitor: str, post: Post) -> Reviewed:
        return Reviewed(Post(post.text.upper()))

    chat.messages.review = review
    message = await post_once(chat, room, ann, f"@Bob {SECRET}")
    assert (message.once, message.text, message.mentions) == (True, "", ())
    assert await open_once(chat, bob, message) == f"@BOB {SECRET.upper()}"


async def test_retried_post_is_stored_once_and_not_after_it_was_opened(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "train", "Ann", "Bob")
    post = Post(SECRET, once=True)
    first, second = [
        await chat.messages.post(room.id, visitor_id=ann.id, post=post, dedup_id="1")
        for _ in range(2)
    ]
    assert (first.id, second.text) == (second.id, "")
    await open_once(chat, bob, first)
    with pytest.raises(InvalidMessage):
        await chat.messages.post(room.id, visitor_id=ann.id, post=post, dedup_id="1")


@pytest.mark.usefixtures("either_place")
async def test_readers_who_are_forgotten_are_not_waited_for(chat: Chat) -> None:
    room, (ann, bob, cid) = await create_room_with_members(chat, "train", "Ann", "Bob", "Cid")
    kept, ended = await post_once(chat, room, ann), await post_once(chat, room, ann)
    assert await open_once(chat, bob, ended) == SECRET
    recorder = EventRecorder(chat)
    await chat.identity.forget(cid.id)
    bob_in = await author_of(chat, room, bob)
    (changed,) = recorder.of_type(MessageOpened)
    assert (changed.message.id, changed.message.readers) == (kept.id, (bob_in,))
    assert recorder.of_type(MessagesDeleted) == [MessagesDeleted(room.id, (ended.seq,))]
    assert await history(chat, room, ann) == [changed.message]
    await chat.purge()
    assert await find_decryptable_deleted_spans(chat) == []
    assert await execute(chat, "SELECT count(*) FROM opening") == [(1,)]


async def test_openings_go_with_their_message_and_author(chat: Chat, place: Place) -> None:
    room, ann, bob, _, message = place
    second = await post_once(chat, room, bob)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    with pytest.raises(NotFound):
        await open_once(chat, bob, message)
    await chat.identity.forget(bob.id)
    with pytest.raises(NotFound):
        await open_once(chat, ann, second)
    assert await execute(chat, "SELECT count(*) FROM opening") == [(0,)]


async def test_openings_are_limited_per_visitor(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, openings_per_visitor="1/1m") as chat:
        room, (ann, bob) = await create_room_with_members(chat, "train", "Ann", "Bob")
        first, second = await post_once(chat, room, ann), await post_once(chat, room, ann)
        assert await open_once(chat, bob, first) == SECRET
        with pytest.raises(RateLimited):
            await open_once(chat, bob, second)
        clock.advance(timedelta(minutes=1))
        assert await open_once(chat, bob, second) == SECRET


async def test_retry_publishes_the_readers_of_the_attempt_that_was_stored(
    place: Place, chat: Chat
) -> None:
    room, ann, bob, cid, _ = place
    batches = chat.messages._writer._batches
    draft, other = (
        Draft(room.id, ann.id, Post(text, once=text == SECRET), text, dedup_key=text.encode())
        for text in (SECRET, "hello")
    )
    readers = tuple(sorted([await author_of(chat, room, each) for each in (bob, cid)]))
    await batches.commit([draft])  # its answer is lost
    for visitor in (bob, cid):
        await chat.memberships.leave(room.id, visitor_id=visitor.id)
    batch = await batches.commit([draft, other])
    (_, message), (_, posted) = batch.new_messages
    assert {message.id} == draft.attempted_ids
    assert (message.readers, posted.text) == (readers, "hello")

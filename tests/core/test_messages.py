"""Posting, reading and deleting messages."""

import asyncio
import errno
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

from anonchat import (
    Chat,
    ChatError,
    Event,
    EventsLost,
    InvalidMessage,
    LimitReached,
    Message,
    MessageExpired,
    MessagePosted,
    MessagesDeleted,
    NotAllowed,
    NotAMember,
    NotFound,
    Room,
    Unavailable,
    Visitor,
)
from anonchat.security.key_names import visitor_key_name
from anonchat.text.normalization import normalize_message
from tests.database_faults import allow, refuse
from tests.fakes import (
    EventRecorder,
    FakeClock,
    crash,
    create_room_with_members,
    make_settings,
    post_messages,
    read,
    running_chat,
    sign_in,
)
from tests.hostile_texts import HOSTILE_TEXTS, VALID_EMOJI

pytestmark = pytest.mark.usefixtures("either_place")

MINUTE = timedelta(minutes=1)

Post = Callable[..., asyncio.Task[Message]]


@pytest.fixture
async def room_and_members(chat: Chat) -> tuple[Room, Visitor, Visitor]:
    """Return a room and its two members."""
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    return room, ann, bob


@pytest.fixture
def post(chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]) -> Post:
    """Return a function that starts to post a text, by default as Ann."""
    room, ann, _ = room_and_members

    def start_post(text: str, **changes: str) -> asyncio.Task[Message]:
        arguments = {"room_id": room.id, "visitor_id": ann.id, "text": text, **changes}
        return asyncio.create_task(chat.messages.post(**arguments))

    return start_post


async def test_posted_message_is_read_by_every_member(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = room_and_members
    message = await chat.messages.post(room.id, visitor_id=ann.id, text=" hello ", dedup_id="d1")
    author = (await chat.memberships.require(room.id, visitor_id=ann.id)).author
    assert message == Message(
        id=message.id,
        room_id=room.id,
        seq=1,
        author=author,
        nickname="Ann",
        badge="",
        text="hello",
        dedup_id="d1",
        posted_at=clock(),
        expires_at=clock() + room.message_ttl,
    )
    for visitor in (ann, bob):
        history = await chat.messages.history(room.id, visitor_id=visitor.id, limit=10)
        assert history == [message]


async def test_concurrent_posts_are_numbered_without_gaps(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    messages = await asyncio.gather(
        *(post(f"text {n}", **({"visitor_id": bob.id} if n % 2 else {})) for n in range(450))
    )
    assert [message.seq for message in messages] == list(range(1, 451))
    assert await read(chat, room, bob, limit=450) == [f"text {n}" for n in range(450)]
    assert (await chat.rooms.find(room.slug)).last_seq == 450


async def test_each_room_numbers_its_own_messages(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    _, ann, _ = room_and_members
    other = await chat.rooms.open("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    messages = await asyncio.gather(
        *(post("x", **({"room_id": other.id} if n % 2 else {})) for n in range(10))
    )
    assert [message.seq for message in messages] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


async def test_numbering_continues_after_a_restart_and_a_purge(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await post_messages(chat, room, ann, "one", "two")
        clock.advance(room.message_ttl)
        await chat.expiry.purge()
    async with running_chat(tmp_path, clock) as chat:
        message = await chat.messages.post(room.id, visitor_id=ann.id, text="three")
        assert message.seq == 3


async def test_repeated_dedup_id_returns_the_same_message(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    recorder = EventRecorder(chat)
    first = await post("once", dedup_id="d1")
    for _ in range(100):
        assert await post("once", dedup_id="d1") == first
    assert await read(chat, room, bob) == ["once"]
    await chat.messages.flush()
    assert len(recorder.of_type(MessagePosted)) == 1


async def test_concurrent_posts_with_one_dedup_id_create_one_message(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    recorder = EventRecorder(chat)
    messages = await asyncio.gather(*(post("once", dedup_id="d1") for _ in range(300)))
    assert len({message.id for message in messages}) == 1
    assert await read(chat, room, bob) == ["once"]
    await chat.messages.flush()
    assert len(recorder.of_type(MessagePosted)) == 1


async def test_repeated_dedup_id_after_a_crash_returns_the_same_message(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path), clock=clock)
    await chat.start()
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    first = await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")
    await crash(chat)
    async with running_chat(tmp_path, clock) as chat:
        again = await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")
        assert again == first
        assert await read(chat, room, ann) == ["once"]


async def test_repeated_dedup_id_of_an_expired_message_is_refused(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, _, bob = room_and_members
    await post("once", dedup_id="d1")
    clock.advance(room.message_ttl)
    await _assert_refused_as_expired(chat, room, bob, post)


@pytest.mark.single("with several nodes another one may still hold the key")
async def test_repeated_dedup_id_of_a_message_without_key_is_refused(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    await post("once", dedup_id="d1")
    await chat._keys.destroy(name for name in chat._keys.names() if name.startswith("span "))
    await _assert_refused_as_expired(chat, room, bob, post)


async def _assert_refused_as_expired(chat: Chat, room: Room, reader: Visitor, post: Post) -> None:
    recorder = EventRecorder(chat)
    with pytest.raises(MessageExpired, match="come to its end"):
        await post("once", dedup_id="d1")
    await chat.messages.flush()
    assert recorder.events == []
    assert await read(chat, room, reader) == []
    assert (await post("twice", dedup_id="d2")).seq == 2


async def test_retry_by_a_former_member_is_refused(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = room_and_members
    await post("once", dedup_id="d1")
    deleted = await post("deleted", dedup_id="d2")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=deleted.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    recorder = EventRecorder(chat)
    for dedup_id in ("d1", "d2"):
        with pytest.raises(NotAMember):
            await post("once", dedup_id=dedup_id)
    at_once = await asyncio.gather(
        *(post("once", dedup_id="d1") for _ in range(5)),
        post("mine", visitor_id=bob.id),
        return_exceptions=True,
    )
    assert [type(each) for each in at_once] == [NotAMember] * 5 + [Message]
    await chat.messages.flush()
    assert [event.message.text for event in recorder.of_type(MessagePosted)] == ["mine"]
    await chat.memberships.join(room.id, visitor_id=ann.id)
    assert (await post("once", dedup_id="d1")).seq == 1


async def test_retry_in_an_ended_room_is_refused(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, ann, _ = room_and_members
    brief = await chat.rooms.create(
        "brief", visitor_id=ann.id, message_ttl=MINUTE, room_ttl=MINUTE, listed=False
    )
    await post("once", dedup_id="d1", room_id=brief.id)
    await post("once", dedup_id="d1")
    await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    clock.advance(MINUTE)
    for room_id in (brief.id, room.id):  # the first one is not purged yet
        with pytest.raises(NotFound):
            await post("once", dedup_id="d1", room_id=room_id)


async def test_retry_by_a_forgotten_visitor_is_refused(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    _, ann, _ = room_and_members
    await post("once", dedup_id="d1")
    await chat.identity.forget(ann.id)
    with pytest.raises(NotAMember):
        await post("once", dedup_id="d1")


async def test_retry_by_an_expired_visitor_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h", message_ttl="1h") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")
        clock.advance(timedelta(hours=1, minutes=1))
        with pytest.raises(NotAMember):
            await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")


async def test_dedup_id_is_scoped_to_one_visitor_and_one_room(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = room_and_members
    other = await chat.rooms.open("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    await asyncio.gather(
        post("of Ann", dedup_id="d1"),
        post("of Bob", dedup_id="d1", visitor_id=bob.id),
        post("elsewhere", dedup_id="d1", room_id=other.id),
    )
    assert await read(chat, room, bob) == ["of Ann", "of Bob"]
    assert await read(chat, other, ann) == ["elsewhere"]


async def test_same_text_without_dedup_id_is_posted_twice(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    await asyncio.gather(post("ha"), post("ha"))
    assert await read(chat, room, bob) == ["ha", "ha"]


@pytest.mark.parametrize("dedup_id", ["x" * 65, "\ud800", "a b", "\0", "й", 7, None, ["d1"], {}])
async def test_invalid_dedup_id_is_refused_without_affecting_other_posts(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post, dedup_id: str
) -> None:
    room, _, bob = room_and_members
    good = post("good", visitor_id=bob.id)
    bad = post("bad", dedup_id=dedup_id)
    await asyncio.wait([good, bad])
    assert isinstance(bad.exception(), InvalidMessage)
    assert await read(chat, room, bob) == ["good"]


async def test_refused_posts_do_not_block_other_posts(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    outsider, former = await sign_in(chat, "Cid"), await sign_in(chat, "Dan")
    await chat.memberships.join(room.id, visitor_id=former.id)
    await chat.memberships.leave(room.id, visitor_id=former.id)
    answers = await asyncio.gather(
        post("one"),
        post("x", visitor_id=outsider.id),
        post(""),
        post("two"),
        post("x", room_id="no such room"),
        post("x", visitor_id=former.id),
        post("three"),
        return_exceptions=True,
    )
    refusals = [type(answer) for answer in answers if isinstance(answer, ChatError)]
    assert refusals == [NotAMember, InvalidMessage, NotFound, NotAMember]
    assert [answer.seq for answer in answers if isinstance(answer, Message)] == [1, 2, 3]
    assert await read(chat, room, bob) == ["one", "two", "three"]


async def test_visitor_forgotten_while_posting_does_not_block_other_posts(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = room_and_members
    keys = chat._keys._write_lock
    async with keys:  # both queue for this lock, forget() first
        forgetting = asyncio.create_task(chat.identity.forget(ann.id))
        await _until(lambda: len(keys._waiters or ()) == 1)
        posts = post("of Ann"), post("of Bob", visitor_id=bob.id)
        await _until(lambda: len(keys._waiters or ()) == 2)
    await asyncio.wait([forgetting, *posts])
    assert isinstance(posts[0].exception(), NotAMember)
    assert posts[1].result().seq == 1
    assert await read(chat, room, bob) == ["of Bob"]


async def test_cancelled_post_does_not_block_other_posts(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    posts = [post("one"), post("two"), post("three")]
    await asyncio.sleep(0)
    posts[1].cancel()
    await asyncio.wait(posts)
    assert [posts[0].result().text, posts[2].result().text] == ["one", "three"]
    assert await read(chat, room, bob) == ["one", "two", "three"]


async def test_non_members_and_former_members_cannot_read(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "secret")
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    outsider = await sign_in(chat, "Cid")
    for visitor_id in (bob.id, outsider.id, "nobody", ""):
        with pytest.raises(NotAMember):
            await chat.messages.history(room.id, visitor_id=visitor_id, limit=10)
        with pytest.raises(NotAMember):
            await chat.messages.list_seqs(room.id, visitor_id=visitor_id, first=1, last=9, limit=9)


async def test_post_to_an_ended_room_is_refused(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, _, _ = room_and_members
    clock.advance(room.room_ttl)
    with pytest.raises(NotFound):
        await post("too late")


async def test_post_by_an_expired_visitor_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        clock.advance(timedelta(hours=1))
        with pytest.raises(NotAMember):
            await chat.messages.post(room.id, visitor_id=ann.id, text="too late")


async def test_posting_extends_the_lifetime_of_the_visitor(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h", message_ttl="1m") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        for _ in range(5):
            clock.advance(timedelta(minutes=50))
            await chat.expiry.purge()
            await post_messages(chat, room, ann, "still here")
        assert await read(chat, room, ann) == ["still here"]


async def test_text_is_refused_or_returned_exactly_as_normalized(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    accepted = []
    for name, text in (HOSTILE_TEXTS | VALID_EMOJI).items():
        try:
            normalized = normalize_message(text)
        except InvalidMessage:
            with pytest.raises(InvalidMessage):
                await post(text)
        else:
            assert (await post(text)).text == normalized, name
            accepted.append(normalized)
    assert len(accepted) > 25
    assert [text.encode() for text in await read(chat, room, bob)] == [
        text.encode() for text in accepted
    ]


@pytest.mark.parametrize("text", [None, 7, b"bytes", ["a"], {"text": "a"}, True])
async def test_text_that_is_not_a_string_is_refused(post: Post, text: str) -> None:
    with pytest.raises(InvalidMessage):
        await post(text)


async def test_history_is_paged_backwards_and_forwards(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, *(str(n) for n in range(1, 11)))

    async def seqs(**page: int) -> list[int]:
        history = await chat.messages.history(room.id, visitor_id=bob.id, **page)
        return [message.seq for message in history]

    assert await seqs(limit=3) == [8, 9, 10]
    assert await seqs(limit=3, before=8) == [5, 6, 7]
    assert await seqs(limit=3, before=2) == [1]
    assert await seqs(limit=3, before=1) == []
    assert await seqs(limit=3, after=4) == [5, 6, 7]
    assert await seqs(limit=3, after=9) == [10]
    assert await seqs(limit=3, after=10) == []
    assert await seqs(limit=3, after=0) == [1, 2, 3]
    assert await seqs(limit=9, after=4, before=7) == [5, 6]
    assert await seqs(limit=100) == list(range(1, 11))


async def test_expired_messages_are_not_read_before_they_are_purged(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "one")
    clock.advance(timedelta(hours=1))
    await post_messages(chat, room, ann, "two")
    clock.advance(room.message_ttl - timedelta(hours=1, microseconds=1))
    assert await read(chat, room, bob) == ["one", "two"]
    clock.advance(timedelta(microseconds=1))
    assert await read(chat, room, bob) == ["two"]
    seqs = await chat.messages.list_seqs(room.id, visitor_id=bob.id, first=1, last=2, limit=9)
    assert seqs == [2]
    assert await chat.messages.history(room.id, visitor_id=bob.id, before=2, limit=9) == []
    clock.advance(timedelta(hours=1))
    assert await read(chat, room, bob) == []


async def test_message_without_key_does_not_hide_other_messages(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "one")
    await chat._keys.destroy([name for name in chat._keys.names() if name.startswith("span")])
    await post_messages(chat, room, ann, "two")  # creates a new key with the name of the old one
    assert await read(chat, room, bob) == ["two"]


@pytest.mark.parametrize("where", [{"after": 0}, {}], ids=["forwards", "backwards"])
async def test_history_page_is_filled_despite_unreadable_messages(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], where: dict[str, int]
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "one")
    await post_messages(chat, room, bob, "two", "three", "four")
    await post_messages(chat, room, ann, "five")
    await chat._keys.destroy([visitor_key_name(bob.id)])  # the first step of forget()
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=2, **where)
    assert [message.text for message in page] == ["one", "five"]


async def test_message_is_readable_when_its_event_is_published(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = room_and_members
    received: list[tuple[object, list[str]]] = []

    async def record(event: object) -> None:
        received.append((event, await read(chat, room, bob)))

    chat.bus.subscribe(record)
    message = await post("hello")
    await chat.messages.flush()
    assert received == [
        (MessagePosted(await chat.rooms.find(room.slug), message, ann.id), ["hello"])
    ]


async def test_message_events_are_published_in_order_of_seq(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    recorder = EventRecorder(chat)
    await asyncio.gather(*(post(str(n)) for n in range(450)))
    await chat.messages.flush()
    seqs = [event.message.seq for event in recorder.of_type(MessagePosted)]
    assert seqs == list(range(1, 451))


@pytest.mark.parametrize("is_task", [False, True])
async def test_listener_may_wait_for_a_post_of_its_own(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post, is_task: bool
) -> None:
    room, _, bob = room_and_members

    async def answer(event: object) -> None:
        if isinstance(event, MessagePosted) and event.message.text == "ping":
            reply = chat.messages.post(room.id, visitor_id=bob.id, text="pong")
            await (asyncio.create_task(reply) if is_task else reply)

    chat.bus.subscribe(answer)
    recorder = EventRecorder(chat)
    await post("ping")
    await chat.messages.flush()
    posted = [event.message for event in recorder.of_type(MessagePosted)]
    assert [(each.seq, each.text) for each in posted] == [(1, "ping"), (2, "pong")]


async def test_slow_listener_does_not_delay_posts(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    released = asyncio.Event()

    async def wait(_event: object) -> None:
        await released.wait()

    chat.bus.subscribe(wait)
    recorder = EventRecorder(chat)
    for text in ("one", "two", "three"):
        await post(text)
    assert recorder.events == []
    released.set()
    await chat.messages.flush()
    assert [event.message.text for event in recorder.of_type(MessagePosted)] == [
        "one",
        "two",
        "three",
    ]


async def test_posts_are_refused_while_too_many_events_wait_for_a_listener(
    tmp_path: Path, clock: FakeClock
) -> None:
    released = asyncio.Event()

    async def wait(_event: object) -> None:
        await released.wait()

    async with running_chat(tmp_path, clock, post_queue_max=3) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        chat.bus.subscribe(wait)
        for text in "1234":  # the listener has one, and three wait
            await chat.messages.post(room.id, visitor_id=ann.id, text=text)
        with pytest.raises(LimitReached):
            await chat.messages.post(room.id, visitor_id=ann.id, text="5")
        released.set()
        await chat.messages.flush()
        await post_messages(chat, room, ann, "6")
        assert await read(chat, room, ann) == [*"12346"]


async def test_refused_posts_publish_no_event(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    recorder = EventRecorder(chat)
    await asyncio.wait([post(""), post("x", visitor_id="nobody"), post("x", room_id="nowhere")])
    await chat.messages.flush()
    assert recorder.events == []


async def test_an_accepted_message_survives_a_crash(tmp_path: Path, clock: FakeClock) -> None:
    chat = Chat(make_settings(tmp_path), clock=clock)
    await chat.start()
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=str(n)) for n in range(10))
    )
    await crash(chat)
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == [str(n) for n in range(10)]


async def test_queued_post_is_stored_on_shutdown(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        posting = asyncio.create_task(
            chat.messages.post(room.id, visitor_id=ann.id, text="just in time")
        )
        await asyncio.sleep(0)
    assert (await posting).seq == 1
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == ["just in time"]


async def test_posts_beyond_the_queue_limit_are_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, post_queue_max=2) as chat:
        room, members = await create_room_with_members(
            chat, "night train", "Ann", "Bob", "Cleo", "Dan", "Eve"
        )
        ann, *_ = members
        answers = await asyncio.gather(
            *(
                chat.messages.post(room.id, visitor_id=visitor.id, text=str(n))
                for n, visitor in enumerate(members)
            ),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers[2:]] == [LimitReached] * 3
        assert await read(chat, room, ann) == ["0", "1"]


async def test_failed_insert_fails_all_waiting_posts_and_loses_no_seq(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = room_and_members
    await refuse(chat, "INSERT", "message")
    refused = [post("a secret"), post("another secret")]
    await asyncio.wait(refused)
    assert all(isinstance(task.exception(), DBAPIError) for task in refused)
    await allow(chat, "message")
    assert (await post("later")).seq == 1
    assert await read(chat, room, bob) == ["later"]


async def test_database_error_contains_no_stored_values(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, _ = room_and_members
    await refuse(chat, "INSERT", "message")
    with pytest.raises(DBAPIError) as caught:
        await post("a secret", dedup_id="d1234")
    for value in (room.id, ann.id, "d1234", "a secret"):
        assert value not in str(caught.value)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # a lock has no event for its waiters
        await asyncio.sleep(0)


async def test_author_and_room_owner_can_delete_a_message_and_an_event_is_published(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = room_and_members  # Ann owns the room
    recorder = EventRecorder(chat)
    for visitor in (bob, ann):
        message = await post("of Bob", visitor_id=bob.id)
        await chat.messages.delete(room.id, visitor_id=visitor.id, message_id=message.id)
        assert recorder.of_type(MessagesDeleted)[-1] == MessagesDeleted(room.id, (message.seq,))
        with pytest.raises(NotFound):
            await chat.messages.delete(room.id, visitor_id=visitor.id, message_id=message.id)
    assert await read(chat, room, bob) == []
    assert (await post("next")).seq == 3


async def test_message_cannot_be_deleted_by_others(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = room_and_members
    message = await post("of Ann")
    outsider = await sign_in(chat, "Cid")
    with pytest.raises(NotAllowed):
        await chat.messages.delete(room.id, visitor_id=bob.id, message_id=message.id)
    with pytest.raises(NotAMember):
        await chat.messages.delete(room.id, visitor_id=outsider.id, message_id=message.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    with pytest.raises(NotAMember):
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    assert await read(chat, room, bob) == ["of Ann"]


async def test_message_cannot_be_deleted_via_another_room_or_after_expiry(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, ann, _ = room_and_members
    message = await post("here")
    other = await chat.rooms.open("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    with pytest.raises(NotFound):
        await chat.messages.delete(other.id, visitor_id=ann.id, message_id=message.id)
    clock.advance(room.message_ttl)
    with pytest.raises(NotFound):
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)


async def test_message_is_deleted_by_its_seq_under_the_same_conditions(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, ann, bob = room_and_members  # Ann owns the room
    await post("of Ann")
    await post("of Bob", visitor_id=bob.id)
    expired = await post("expired")
    other = await chat.rooms.create("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    outsider = await sign_in(chat, "Cid")
    with pytest.raises(NotAllowed):
        await chat.messages.delete_by_seq(room.id, visitor_id=bob.id, seq=1)
    with pytest.raises(NotAMember):
        await chat.messages.delete_by_seq(room.id, visitor_id=outsider.id, seq=1)
    with pytest.raises(NotFound):
        await chat.messages.delete_by_seq(other.id, visitor_id=ann.id, seq=1)
    recorder = EventRecorder(chat)
    for visitor, seq in ((ann, 1), (ann, 2)):
        await chat.messages.delete_by_seq(room.id, visitor_id=visitor.id, seq=seq)
        assert recorder.of_type(MessagesDeleted)[-1] == MessagesDeleted(room.id, (seq,))
        with pytest.raises(NotFound):
            await chat.messages.delete_by_seq(room.id, visitor_id=visitor.id, seq=seq)
    assert await read(chat, room, bob) == ["expired"]
    clock.advance(room.message_ttl)
    with pytest.raises(NotFound):
        await chat.messages.delete_by_seq(room.id, visitor_id=ann.id, seq=expired.seq)


async def _newest(chat: Chat, room: Room, visitor: Visitor, limit: int) -> list[str]:
    page = await chat.messages.history(room.id, visitor_id=visitor.id, limit=limit)
    return [message.text for message in page]


async def test_cached_page_shows_new_messages_and_omits_deleted_ones(chat: Chat) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "kitchen", "Ann", "Ben")
    await post_messages(chat, room, ann, "1", "2", "3")
    assert await _newest(chat, room, ben, 3) == ["1", "2", "3"]
    await post_messages(chat, room, ben, "4")
    assert await _newest(chat, room, ben, 3) == ["2", "3", "4"]
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=3)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[1].id)
    assert await _newest(chat, room, ben, 3) == ["1", "2", "4"]
    assert await _newest(chat, room, ben, 4) == ["1", "2", "4"]
    assert await _newest(chat, room, ben, 1) == ["4"]


async def test_cached_page_shows_a_message_to_its_author_although_a_listener_is_slow(
    chat: Chat,
) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")
    await post_messages(chat, room, ann, "1")
    assert await _newest(chat, room, ann, 3) == ["1"]

    async def listen_slowly(_event: Event) -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)

    chat.bus.subscribe(listen_slowly)
    shown = await asyncio.gather(*(_post_and_read(chat, room, ann, text) for text in "234"))
    assert all(text in page for text, page in zip("234", shown, strict=True))


async def _post_and_read(chat: Chat, room: Room, author: Visitor, text: str) -> list[str]:
    await chat.messages.post(room.id, visitor_id=author.id, text=text)
    return await _newest(chat, room, author, 5)


async def test_cached_page_omits_expired_messages(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")
    await post_messages(chat, room, ann, "early")
    clock.advance(timedelta(hours=1))
    await post_messages(chat, room, ann, "late")
    assert await _newest(chat, room, ann, 5) == ["early", "late"]
    clock.advance(room.message_ttl - timedelta(hours=1))
    assert await _newest(chat, room, ann, 5) == ["late"]


async def test_cached_page_omits_messages_whose_author_key_is_destroyed(
    chat: Chat,
) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "kitchen", "Ann", "Ben")
    await post_messages(chat, room, ann, "mine")
    await post_messages(chat, room, ben, "yours")
    assert await _newest(chat, room, ben, 5) == ["mine", "yours"]
    await chat._keys.destroy([visitor_key_name(ann.id)])
    assert await _newest(chat, room, ben, 5) == ["yours"]


async def test_cached_page_is_refused_to_a_former_member(chat: Chat) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "kitchen", "Ann", "Ben")
    await post_messages(chat, room, ann, "among us")
    assert await _newest(chat, room, ben, 5) == ["among us"]
    assert await chat.memberships.list_members(room.id, visitor_id=ben.id)
    await chat.memberships.leave(room.id, visitor_id=ben.id)
    for refused in (
        chat.messages.history(room.id, visitor_id=ben.id, limit=5),
        chat.memberships.list_members(room.id, visitor_id=ben.id),
        chat.memberships.require(room.id, visitor_id=ben.id),
    ):
        with pytest.raises(NotAMember):
            await refused


@pytest.mark.single("the plan of PostgreSQL depends on the amount of data")
async def test_history_queries_use_the_index(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")
    await post_messages(chat, room, ann, "hello")
    executed: list[tuple[str, object]] = []

    def record(
        _connection: object, _cursor: object, statement: str, parameters: object, *_: object
    ) -> None:
        executed.append((statement, parameters))

    event.listen(chat._database._engine.sync_engine, "before_cursor_execute", record)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=5, after=0)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=5, before=2)
    await _newest(chat, room, ann, 5)
    await chat.memberships.list_unread(ann.id)
    queries = [
        (statement, parameters) for statement, parameters in executed if "FROM message" in statement
    ]
    assert len(queries) == 4
    for statement, parameters in queries:
        async with chat._database._engine.connect() as connection:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps = " ".join(str(step) for step in plan)
        assert "(room_id=? AND seq>? AND seq<?)" in steps
        assert "message" not in statement.split("ORDER BY")[-1] or "TEMP B-TREE" not in steps


async def test_catch_up_from_the_cached_page_equals_that_from_the_database(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "kitchen", "Ann", "Bob")
    await chat.bus.subscribe_room(room.id)
    for number in range(12):
        await post_messages(chat, room, (ann, bob)[number % 2], f"number {number}")
        clock.advance(timedelta(hours=3))  # the first messages expire meanwhile
    await _newest(chat, room, ann, 30)
    for seq in (7, 9):
        (message,) = await chat.messages.history(room.id, visitor_id=ann.id, after=seq - 1, limit=1)
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    await chat.identity.forget(bob.id)

    async def catch_up() -> list[object]:
        found: list[object] = []
        for seq in range(13):
            for limit in (1, 3, 30):
                found.append(
                    await chat.messages.history(room.id, visitor_id=ann.id, after=seq, limit=limit)
                )
                found.append(
                    await chat.messages.list_seqs(
                        room.id, visitor_id=ann.id, first=seq, last=seq + limit, limit=limit
                    )
                )
        return found

    await _newest(chat, room, ann, 30)
    cached = await catch_up()
    chat.messages._history._pages.clear()
    assert cached == await catch_up()
    assert any(cached)


async def test_catch_up_from_the_cached_page_queries_no_messages(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")
    await chat.bus.subscribe_room(room.id)
    await post_messages(chat, room, ann, "one", "two", "three")
    await _newest(chat, room, ann, 5)
    executed: list[str] = []
    event.listen(
        chat._database._engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: executed.append(statement),
    )
    history = await chat.messages.history(room.id, visitor_id=ann.id, after=1, limit=5)
    seqs = await chat.messages.list_seqs(room.id, visitor_id=ann.id, first=1, last=3, limit=5)
    assert ([message.text for message in history], seqs) == (["two", "three"], [1, 2, 3])
    assert not [statement for statement in executed if "message" in statement]


async def test_post_whose_key_cannot_be_written_is_refused_and_not_retried(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")

    def raise_disk_full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(chat._keys._file, "_write_slot", raise_disk_full)
    with pytest.raises(Unavailable) as caught:
        await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    assert type(caught.value) is Unavailable, "the database connection is intact"


async def test_living_seqs_returns_at_most_limit_numbers(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "one", "two", "three")
    assert [1, 2] == await chat.messages.list_seqs(
        room.id, visitor_id=bob.id, first=1, last=9, limit=2
    )


async def test_expired_messages_of_a_forgotten_visitor_leave_the_cache(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = room_and_members
    await post_messages(chat, room, ann, "swordfish")
    assert await read(chat, room, bob) == ["swordfish"]
    clock.advance(room.message_ttl + timedelta(seconds=1))
    await chat.identity.forget(ann.id)
    assert "swordfish" not in repr(chat.messages._history._pages.get(room.id))


async def test_late_event_of_a_deleted_message_does_not_restore_it(
    chat: Chat, room_and_members: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = room_and_members
    recorder = EventRecorder(chat)
    await post_messages(chat, room, ann, "one", "two")
    late = recorder.of_type(MessagePosted)[-1]
    (newest,) = await chat.messages.history(room.id, visitor_id=ann.id, limit=1)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=newest.id)
    await chat.bus.publish_local(EventsLost())
    assert await read(chat, room, bob) == ["one"]
    await chat.bus.publish_local(late)  # a delayed event from another node
    assert recorder.of_type(MessagePosted)[-1] is late
    assert len(recorder.of_type(MessagePosted)) == 2
    assert await read(chat, room, bob) == ["one"]

"""Posting and reading messages."""

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
    InvalidMessage,
    LimitReached,
    Message,
    MessageExpired,
    MessagePosted,
    MessagesGone,
    NewsMissed,
    NotAllowed,
    NotAMember,
    NotFound,
    Room,
    Unavailable,
    Visitor,
)
from anonchat.keystore import visitor_key
from anonchat.text import tidy_message
from tests.fakes import (
    Ear,
    FakeClock,
    come_in,
    crash,
    gather_in,
    make_settings,
    read,
    running_chat,
    say,
)
from tests.nasty import GOOD_EMOJI, NASTY
from tests.obstacles import allow, refuse

pytestmark = pytest.mark.usefixtures("either_place")

MINUTE = timedelta(minutes=1)

Post = Callable[..., asyncio.Task[Message]]


@pytest.fixture
async def inside(chat: Chat) -> tuple[Room, Visitor, Visitor]:
    """Return a room, and two who are in it."""
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    return room, ann, bob


@pytest.fixture
def post(chat: Chat, inside: tuple[Room, Visitor, Visitor]) -> Post:
    """Return a function that begins to post a text of Ann's, unless told otherwise."""
    room, ann, _ = inside

    def begin(text: str, **changes: str) -> asyncio.Task[Message]:
        arguments = {"room_id": room.id, "visitor_id": ann.id, "text": text, **changes}
        return asyncio.create_task(chat.messages.post(**arguments))

    return begin


async def test_what_was_posted_is_read_by_every_member(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = inside
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


async def test_messages_posted_at_once_are_numbered_without_gaps(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    messages = await asyncio.gather(
        *(post(f"text {n}", **({"visitor_id": bob.id} if n % 2 else {})) for n in range(450))
    )
    assert [message.seq for message in messages] == list(range(1, 451))
    assert await read(chat, room, bob, limit=450) == [f"text {n}" for n in range(450)]
    assert (await chat.rooms.find(room.slug)).last_seq == 450


async def test_each_room_counts_for_itself(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    _, ann, _ = inside
    other = await chat.rooms.open("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    messages = await asyncio.gather(
        *(post("x", **({"room_id": other.id} if n % 2 else {})) for n in range(10))
    )
    assert [message.seq for message in messages] == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


async def test_numbers_go_on_after_a_restart_and_after_a_purge(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, _) = await gather_in(chat, "night train", "Ann", "Bob")
        await say(chat, room, ann, "one", "two")
        clock.move(room.message_ttl)
        await chat.expiry.purge()
    async with running_chat(tmp_path, clock) as chat:
        message = await chat.messages.post(room.id, visitor_id=ann.id, text="three")
        assert message.seq == 3


async def test_the_same_dedup_id_again_gives_the_same_message(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    ear = Ear(chat)
    first = await post("once", dedup_id="d1")
    for _ in range(100):
        assert await post("once", dedup_id="d1") == first
    assert await read(chat, room, bob) == ["once"]
    await chat.messages.finish()
    assert len(ear.all(MessagePosted)) == 1


async def test_the_same_dedup_id_many_times_at_once_gives_one_message(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    ear = Ear(chat)
    messages = await asyncio.gather(*(post("once", dedup_id="d1") for _ in range(300)))
    assert len({message.id for message in messages}) == 1
    assert await read(chat, room, bob) == ["once"]
    await chat.messages.finish()
    assert len(ear.all(MessagePosted)) == 1


async def test_the_same_dedup_id_after_a_crash_gives_the_same_message(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path), clock=clock)
    await chat.start()
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    first = await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")
    await crash(chat)
    async with running_chat(tmp_path, clock) as chat:
        again = await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")
        assert again == first
        assert await read(chat, room, ann) == ["once"]


async def test_the_same_dedup_id_after_the_end_of_its_message_is_refused_with_the_reason(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, _, bob = inside
    await post("once", dedup_id="d1")
    clock.move(room.message_ttl)
    await _is_refused_for_its_end(chat, room, bob, post)


@pytest.mark.single("of several nodes another might know the key")
async def test_the_same_dedup_id_without_the_key_of_its_message_is_refused_with_the_reason(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    await post("once", dedup_id="d1")
    await chat._keys.destroy(name for name in chat._keys.names() if name.startswith("span "))
    await _is_refused_for_its_end(chat, room, bob, post)


async def _is_refused_for_its_end(chat: Chat, room: Room, reader: Visitor, post: Post) -> None:
    ear = Ear(chat)
    with pytest.raises(MessageExpired, match="come to its end"):
        await post("once", dedup_id="d1")
    await chat.messages.finish()
    assert ear.heard == []
    assert await read(chat, room, reader) == []
    assert (await post("twice", dedup_id="d2")).seq == 2


async def test_retry_by_a_former_member_is_refused(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = inside
    await post("once", dedup_id="d1")
    deleted = await post("deleted", dedup_id="d2")
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=deleted.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    ear = Ear(chat)
    for dedup_id in ("d1", "d2"):
        with pytest.raises(NotAMember):
            await post("once", dedup_id=dedup_id)
    at_once = await asyncio.gather(
        *(post("once", dedup_id="d1") for _ in range(5)),
        post("mine", visitor_id=bob.id),
        return_exceptions=True,
    )
    assert [type(each) for each in at_once] == [NotAMember] * 5 + [Message]
    await chat.messages.finish()
    assert [event.message.text for event in ear.all(MessagePosted)] == ["mine"]
    await chat.memberships.join(room.id, visitor_id=ann.id)
    assert (await post("once", dedup_id="d1")).seq == 1


async def test_retry_in_an_ended_room_is_refused(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, ann, _ = inside
    brief = await chat.rooms.create(
        "brief", visitor_id=ann.id, message_ttl=MINUTE, room_ttl=MINUTE, listed=False
    )
    await post("once", dedup_id="d1", room_id=brief.id)
    await post("once", dedup_id="d1")
    await chat.rooms.burn(room.id, visitor_id=ann.id)
    clock.move(MINUTE)
    for room_id in (brief.id, room.id):  # nobody has purged the first one
        with pytest.raises(NotFound):
            await post("once", dedup_id="d1", room_id=room_id)


async def test_retry_by_a_forgotten_visitor_is_refused(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    _, ann, _ = inside
    await post("once", dedup_id="d1")
    await chat.identity.forget(ann.id)
    with pytest.raises(NotAMember):
        await post("once", dedup_id="d1")


async def test_retry_by_an_expired_visitor_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h", message_ttl="1h") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")
        clock.move(timedelta(hours=1, minutes=1))
        with pytest.raises(NotAMember):
            await chat.messages.post(room.id, visitor_id=ann.id, text="once", dedup_id="d1")


async def test_a_dedup_id_means_something_to_its_visitor_in_its_room_alone(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = inside
    other = await chat.rooms.open("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    await asyncio.gather(
        post("of Ann", dedup_id="d1"),
        post("of Bob", dedup_id="d1", visitor_id=bob.id),
        post("elsewhere", dedup_id="d1", room_id=other.id),
    )
    assert await read(chat, room, bob) == ["of Ann", "of Bob"]
    assert await read(chat, other, ann) == ["elsewhere"]


async def test_without_a_dedup_id_the_same_text_is_posted_again(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    await asyncio.gather(post("ha"), post("ha"))
    assert await read(chat, room, bob) == ["ha", "ha"]


@pytest.mark.parametrize("dedup_id", ["x" * 65, "\ud800", "a b", "\0", "й", 7, None, ["d1"], {}])
async def test_a_bad_dedup_id_is_refused_and_harms_nobody(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post, dedup_id: str
) -> None:
    room, _, bob = inside
    good = post("good", visitor_id=bob.id)
    bad = post("bad", dedup_id=dedup_id)
    await asyncio.wait([good, bad])
    assert isinstance(bad.exception(), InvalidMessage)
    assert await read(chat, room, bob) == ["good"]


async def test_what_is_refused_does_not_hold_up_the_others(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    stranger, former = await come_in(chat, "Cid"), await come_in(chat, "Dan")
    await chat.memberships.join(room.id, visitor_id=former.id)
    await chat.memberships.leave(room.id, visitor_id=former.id)
    answers = await asyncio.gather(
        post("one"),
        post("x", visitor_id=stranger.id),
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


async def test_being_forgotten_while_posting_does_not_hold_up_the_others(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = inside
    keys = chat._keys._writing
    async with keys:  # both have to wait here, first the one who goes
        forgetting = asyncio.create_task(chat.identity.forget(ann.id))
        await _until(lambda: len(keys._waiters or ()) == 1)
        posts = post("of Ann"), post("of Bob", visitor_id=bob.id)
        await _until(lambda: len(keys._waiters or ()) == 2)
    await asyncio.wait([forgetting, *posts])
    assert isinstance(posts[0].exception(), NotAMember)
    assert posts[1].result().seq == 1
    assert await read(chat, room, bob) == ["of Bob"]


async def test_one_who_gives_up_waiting_does_not_hold_up_the_others(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    posts = [post("one"), post("two"), post("three")]
    await asyncio.sleep(0)
    posts[1].cancel()
    await asyncio.wait(posts)
    assert [posts[0].result().text, posts[2].result().text] == ["one", "three"]
    assert await read(chat, room, bob) == ["one", "two", "three"]


async def test_strangers_and_former_members_cannot_read(
    chat: Chat, inside: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = inside
    await say(chat, room, ann, "secret")
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    stranger = await come_in(chat, "Cid")
    for visitor_id in (bob.id, stranger.id, "nobody", ""):
        with pytest.raises(NotAMember):
            await chat.messages.history(room.id, visitor_id=visitor_id, limit=10)
        with pytest.raises(NotAMember):
            await chat.messages.living_seqs(
                room.id, visitor_id=visitor_id, first=1, last=9, limit=9
            )


async def test_an_ended_room_takes_no_message(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, _, _ = inside
    clock.move(room.room_ttl)
    with pytest.raises(NotFound):
        await post("too late")


async def test_an_expired_visitor_posts_nothing(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        clock.move(timedelta(hours=1))
        with pytest.raises(NotAMember):
            await chat.messages.post(room.id, visitor_id=ann.id, text="too late")


async def test_who_posts_now_and_then_is_not_forgotten(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, visitor_ttl="1h", message_ttl="1m") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        for _ in range(5):
            clock.move(timedelta(minutes=50))
            await chat.expiry.purge()
            await say(chat, room, ann, "still here")
        assert await read(chat, room, ann) == ["still here"]


async def test_a_text_comes_back_byte_for_byte_as_it_was_tidied_or_is_refused(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    kept = []
    for name, text in (NASTY | GOOD_EMOJI).items():
        try:
            tidied = tidy_message(text)
        except InvalidMessage:
            with pytest.raises(InvalidMessage):
                await post(text)
        else:
            assert (await post(text)).text == tidied, name
            kept.append(tidied)
    assert len(kept) > 25
    assert [text.encode() for text in await read(chat, room, bob)] == [
        text.encode() for text in kept
    ]


@pytest.mark.parametrize("text", [None, 7, b"bytes", ["a"], {"text": "a"}, True])
async def test_what_is_no_text_is_refused(post: Post, text: str) -> None:
    with pytest.raises(InvalidMessage):
        await post(text)


async def test_history_is_paged_backwards_and_forwards(
    chat: Chat, inside: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = inside
    await say(chat, room, ann, *(str(n) for n in range(1, 11)))

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


async def test_the_expired_is_never_read_although_nothing_was_purged(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = inside
    await say(chat, room, ann, "one")
    clock.move(timedelta(hours=1))
    await say(chat, room, ann, "two")
    clock.move(room.message_ttl - timedelta(hours=1, microseconds=1))
    assert await read(chat, room, bob) == ["one", "two"]
    clock.move(timedelta(microseconds=1))
    assert await read(chat, room, bob) == ["two"]
    seqs = await chat.messages.living_seqs(room.id, visitor_id=bob.id, first=1, last=2, limit=9)
    assert seqs == [2]
    assert await chat.messages.history(room.id, visitor_id=bob.id, before=2, limit=9) == []
    clock.move(timedelta(hours=1))
    assert await read(chat, room, bob) == []


async def test_a_message_whose_key_is_gone_does_not_hide_the_others(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = inside
    await say(chat, room, ann, "one")
    await chat._keys.destroy([name for name in chat._keys.names() if name.startswith("span")])
    await say(chat, room, ann, "two")  # makes a new key under the name of the old one
    assert await read(chat, room, bob) == ["two"]


@pytest.mark.parametrize("where", [{"after": 0}, {}], ids=["forwards", "backwards"])
async def test_a_page_is_full_although_some_of_it_cannot_be_read_any_more(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], where: dict[str, int]
) -> None:
    room, ann, bob = inside
    await say(chat, room, ann, "one")
    await say(chat, room, bob, "two", "three", "four")
    await say(chat, room, ann, "five")
    await chat._keys.destroy([visitor_key(bob.id)])  # as at the beginning of being forgotten
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=2, **where)
    assert [message.text for message in page] == ["one", "five"]


async def test_whoever_hears_of_a_message_can_read_it(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = inside
    heard: list[tuple[object, list[str]]] = []

    async def listen(event: object) -> None:
        heard.append((event, await read(chat, room, bob)))

    chat.bus.subscribe(listen)
    message = await post("hello")
    await chat.messages.finish()
    assert heard == [(MessagePosted(await chat.rooms.find(room.slug), message, ann.id), ["hello"])]


async def test_messages_are_announced_in_the_order_of_their_numbers(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    ear = Ear(chat)
    await asyncio.gather(*(post(str(n)) for n in range(450)))
    await chat.messages.finish()
    seqs = [event.message.seq for event in ear.all(MessagePosted)]
    assert seqs == list(range(1, 451))


async def test_nothing_that_was_refused_is_announced(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    ear = Ear(chat)
    await asyncio.wait([post(""), post("x", visitor_id="nobody"), post("x", room_id="nowhere")])
    await chat.messages.finish()
    assert ear.heard == []


async def test_an_accepted_message_survives_a_crash(tmp_path: Path, clock: FakeClock) -> None:
    chat = Chat(make_settings(tmp_path), clock=clock)
    await chat.start()
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await asyncio.gather(
        *(chat.messages.post(room.id, visitor_id=ann.id, text=str(n)) for n in range(10))
    )
    await crash(chat)
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == [str(n) for n in range(10)]


async def test_stopping_stores_what_was_accepted_for_posting(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        posting = asyncio.create_task(
            chat.messages.post(room.id, visitor_id=ann.id, text="just in time")
        )
        await asyncio.sleep(0)
    assert (await posting).seq == 1
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == ["just in time"]


async def test_too_many_waiting_posts_are_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, waiting_posts_max=2) as chat:
        room, members = await gather_in(chat, "night train", "Ann", "Bob", "Cleo", "Dan", "Eve")
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


async def test_when_the_database_refuses_nobody_waits_for_ever_and_no_number_is_lost(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, _, bob = inside
    await refuse(chat, "INSERT", "message")
    refused = [post("a secret"), post("another secret")]
    await asyncio.wait(refused)
    assert all(isinstance(task.exception(), DBAPIError) for task in refused)
    await allow(chat, "message")
    assert (await post("later")).seq == 1
    assert await read(chat, room, bob) == ["later"]


async def test_an_error_of_the_database_tells_nothing_of_what_was_stored(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, _ = inside
    await refuse(chat, "INSERT", "message")
    with pytest.raises(DBAPIError) as caught:
        await post("a secret", dedup_id="d1234")
    for told in (room.id, ann.id, "d1234", "a secret"):
        assert told not in str(caught.value)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # a lock tells nobody who waits for it
        await asyncio.sleep(0)


async def test_the_author_and_the_owner_may_delete_a_message_and_everybody_hears_of_it(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = inside  # Ann owns the room
    ear = Ear(chat)
    for who in (bob, ann):
        message = await post("of Bob", visitor_id=bob.id)
        await chat.messages.delete(room.id, visitor_id=who.id, message_id=message.id)
        assert ear.all(MessagesGone)[-1] == MessagesGone(room.id, (message.seq,))
        with pytest.raises(NotFound):
            await chat.messages.delete(room.id, visitor_id=who.id, message_id=message.id)
    assert await read(chat, room, bob) == []
    assert (await post("next")).seq == 3


async def test_others_may_not_delete_a_message(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post
) -> None:
    room, ann, bob = inside
    message = await post("of Ann")
    stranger = await come_in(chat, "Cid")
    with pytest.raises(NotAllowed):
        await chat.messages.delete(room.id, visitor_id=bob.id, message_id=message.id)
    with pytest.raises(NotAMember):
        await chat.messages.delete(room.id, visitor_id=stranger.id, message_id=message.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    with pytest.raises(NotAMember):
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    assert await read(chat, room, bob) == ["of Ann"]


async def test_a_message_is_deleted_in_its_own_room_alone_and_before_its_end(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], post: Post, clock: FakeClock
) -> None:
    room, ann, _ = inside
    message = await post("here")
    other = await chat.rooms.open("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    with pytest.raises(NotFound):
        await chat.messages.delete(other.id, visitor_id=ann.id, message_id=message.id)
    clock.move(room.message_ttl)
    with pytest.raises(NotFound):
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)


async def _newest(chat: Chat, room: Room, visitor: Visitor, limit: int) -> list[str]:
    page = await chat.messages.history(room.id, visitor_id=visitor.id, limit=limit)
    return [message.text for message in page]


async def test_a_page_that_was_read_before_shows_what_came_and_not_what_went(chat: Chat) -> None:
    room, (ann, ben) = await gather_in(chat, "kitchen", "Ann", "Ben")
    await say(chat, room, ann, "1", "2", "3")
    assert await _newest(chat, room, ben, 3) == ["1", "2", "3"]
    await say(chat, room, ben, "4")
    assert await _newest(chat, room, ben, 3) == ["2", "3", "4"]
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=3)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=page[1].id)
    assert await _newest(chat, room, ben, 3) == ["1", "2", "4"]
    assert await _newest(chat, room, ben, 4) == ["1", "2", "4"]
    assert await _newest(chat, room, ben, 1) == ["4"]


async def test_a_page_that_was_read_before_ends_with_its_messages(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann,) = await gather_in(chat, "kitchen", "Ann")
    await say(chat, room, ann, "early")
    clock.move(timedelta(hours=1))
    await say(chat, room, ann, "late")
    assert await _newest(chat, room, ann, 5) == ["early", "late"]
    clock.move(room.message_ttl - timedelta(hours=1))
    assert await _newest(chat, room, ann, 5) == ["late"]


async def test_a_page_that_was_read_before_is_nothing_without_the_key_of_an_author(
    chat: Chat,
) -> None:
    room, (ann, ben) = await gather_in(chat, "kitchen", "Ann", "Ben")
    await say(chat, room, ann, "mine")
    await say(chat, room, ben, "yours")
    assert await _newest(chat, room, ben, 5) == ["mine", "yours"]
    await chat._keys.destroy([visitor_key(ann.id)])
    assert await _newest(chat, room, ben, 5) == ["yours"]


async def test_a_page_that_was_read_before_is_refused_to_a_former_member(chat: Chat) -> None:
    room, (ann, ben) = await gather_in(chat, "kitchen", "Ann", "Ben")
    await say(chat, room, ann, "among us")
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


@pytest.mark.single("SQLite says how it will go about it; PostgreSQL decides by how much there is")
async def test_the_newest_page_costs_no_more_where_much_was_said(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "kitchen", "Ann")
    await say(chat, room, ann, "hello")
    asked: list[tuple[str, object]] = []

    def listen(
        _connection: object, _cursor: object, statement: str, given: object, *_: object
    ) -> None:
        asked.append((statement, given))

    event.listen(chat._database._engine.sync_engine, "before_cursor_execute", listen)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=5, after=0)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=5, before=2)
    await _newest(chat, room, ann, 5)
    await chat.memberships.read_marks(ann.id)
    about = [(statement, given) for statement, given in asked if "FROM message" in statement]
    assert len(about) == 4
    for statement, given in about:
        async with chat._database._engine.connect() as connection:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
            steps = " ".join(str(step) for step in plan)
        assert "(room_id=? AND seq>? AND seq<?)" in steps
        assert "message" not in statement.split("ORDER BY")[-1] or "TEMP B-TREE" not in steps


async def test_catch_up_from_the_kept_page_is_that_of_the_database(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, bob) = await gather_in(chat, "kitchen", "Ann", "Bob")
    await chat.bus.attend(room.id)
    for number in range(12):
        await say(chat, room, (ann, bob)[number % 2], f"number {number}")
        clock.move(timedelta(hours=3))  # the first ones end on the way
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
                    await chat.messages.living_seqs(
                        room.id, visitor_id=ann.id, first=seq, last=seq + limit, limit=limit
                    )
                )
        return found

    await _newest(chat, room, ann, 30)
    kept = await catch_up()
    chat.messages._pages.clear()
    assert kept == await catch_up()
    assert any(kept)


async def test_catch_up_from_the_kept_page_asks_for_no_message(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "kitchen", "Ann")
    await chat.bus.attend(room.id)
    await say(chat, room, ann, "one", "two", "three")
    await _newest(chat, room, ann, 5)
    asked: list[str] = []
    event.listen(
        chat._database._engine.sync_engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, *_: asked.append(statement),
    )
    history = await chat.messages.history(room.id, visitor_id=ann.id, after=1, limit=5)
    seqs = await chat.messages.living_seqs(room.id, visitor_id=ann.id, first=1, last=3, limit=5)
    assert ([message.text for message in history], seqs) == (["two", "three"], [1, 2, 3])
    assert not [statement for statement in asked if "message" in statement]


async def test_a_post_whose_key_no_disk_takes_is_refused_and_not_tried_again(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await gather_in(chat, "kitchen", "Ann")

    def fill_up(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(chat._keys, "_put", fill_up)
    with pytest.raises(Unavailable) as caught:
        await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    assert type(caught.value) is Unavailable, "the line to the database is whole"


async def test_no_more_are_named_as_living_than_were_asked_for(
    chat: Chat, inside: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = inside
    await say(chat, room, ann, "one", "two", "three")
    assert [1, 2] == await chat.messages.living_seqs(
        room.id, visitor_id=bob.id, first=1, last=9, limit=2
    )


async def test_what_the_forgotten_have_said_leaves_memory_even_when_it_had_expired(
    chat: Chat, inside: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = inside
    await say(chat, room, ann, "swordfish")
    assert await read(chat, room, bob) == ["swordfish"]
    clock.move(room.message_ttl + timedelta(seconds=1))
    await chat.identity.forget(ann.id)
    assert "swordfish" not in repr(chat.messages._pages.peek(room.id))


async def test_a_message_that_went_before_it_was_heard_of_is_not_heard_of(
    chat: Chat, inside: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = inside
    ear = Ear(chat)
    await say(chat, room, ann, "one", "two")
    late = ear.all(MessagePosted)[-1]
    gone = await chat.messages.history(room.id, visitor_id=ann.id, limit=1)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=gone[0].id)
    await chat.bus.tell(NewsMissed())
    assert await read(chat, room, bob) == ["one"]
    await chat.bus.tell(late)  # from another node, which was slow to tell
    assert ear.all(MessagePosted)[-1] is late
    assert len(ear.all(MessagePosted)) == 2
    assert await read(chat, room, bob) == ["one"]

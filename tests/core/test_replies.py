"""Replies, mentions, and messages with a lifetime of their own."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    InvalidMessage,
    MessagePosted,
    NotAMember,
    NotFound,
    Post,
    Reviewed,
    Room,
    Visitor,
)
from anonchat.text.mentions import MENTIONS_MAX, find_mentions
from tests.effort import effort
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    read,
    running_chat,
    sign_in,
)

MEMBERS = [
    ("Ann", "1"),
    ("Ann Lee", "2"),
    ("Зоя", "3"),
    ("straße", "4"),
    ("Bob🚂", "5"),
    ("a.b", "6"),
]


@pytest.mark.parametrize(
    ("text", "mentioned"),
    [
        ("@Ann", "1"),
        ("hi @ann, and @ANN!", "1"),
        ("@Ann Lee @Ann", "21"),
        ("@Ann  Lee", "1"),
        ("＠Ａｎｎ", "1"),
        ("@зоя,@STRASSE", "34"),
        ("(@Bob🚂)\n@a.b.", "56"),
        ("你好@Ann", "1"),
        ("@Anna @Ann_ @Ann1 @Anné @Ann\u0301", ""),
        ("mail@ann.example", ""),
        ("@Аnn", ""),  # Cyrillic
        ("@ Ann Ann @", ""),
        ("@A\u200bnn", ""),
        ("", ""),
    ],
)
def test_mention_is_a_whole_nickname_of_a_member(text: str, mentioned: str) -> None:
    assert "".join(find_mentions(text, MEMBERS)) == mentioned


def test_mentions_are_bounded_whatever_the_text() -> None:
    members = [(f"n{number}", str(number)) for number in range(500)]
    text = " ".join(f"@n{number}" for number in range(500))
    assert find_mentions(text, members) == tuple(map(str, range(MENTIONS_MAX)))
    assert find_mentions("@" * 200 + "n1", members) == ()
    long = [("x" * length, str(length)) for length in range(1, 240)]
    ordinary = effort(lambda: find_mentions("hi @n1 and @n2 " * 250, members))
    assert effort(lambda: find_mentions("@" + "@x" * 1_999, [*members, *long])) < 20 * ordinary


@pytest.fixture
async def place(chat: Chat) -> tuple[Room, Visitor, Visitor]:
    """Return a room and its two members."""
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    return room, ann, bob


@pytest.mark.usefixtures("either_place")
async def test_reply_and_mentions_are_read_from_the_cache_and_from_the_database(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        recorder = EventRecorder(chat)
        await read(chat, room, ann)
        first = await chat.messages.post(room.id, visitor_id=ann.id, text="who?")
        author = (await chat.memberships.require(room.id, visitor_id=ann.id)).author
        post = Post("me, @ann", reply_to=first.id)
        answer = await chat.messages.post(room.id, visitor_id=bob.id, post=post)
        assert (answer.reply_to, answer.mentions) == (first.id, (author,))
        await chat.messages.flush()
        assert [event.message for event in recorder.of_type(MessagePosted)] == [first, answer]
        assert await chat.messages.history(room.id, visitor_id=ann.id, limit=5) == [first, answer]
    async with running_chat(tmp_path, clock) as chat:
        assert await chat.messages.history(room.id, visitor_id=ann.id, limit=5) == [first, answer]


async def test_data_and_extras_are_kept_together(
    chat: Chat, place: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, _ = place
    post = Post("see @bob", kind="note", data={"a": [None]}, reply_to="gone")
    message = await chat.messages.post(room.id, visitor_id=ann.id, post=post)
    assert len(message.mentions) == 1
    chat.messages._history._pages.invalidate(room.id)
    assert await chat.messages.history(room.id, visitor_id=ann.id, limit=5) == [message]


async def test_former_members_are_not_mentioned(
    chat: Chat, place: tuple[Room, Visitor, Visitor]
) -> None:
    room, ann, bob = place
    assert len((await chat.messages.post(room.id, visitor_id=ann.id, text="@Bob")).mentions) == 1
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    assert (await chat.messages.post(room.id, visitor_id=ann.id, text="@Bob")).mentions == ()


@pytest.mark.parametrize("given", ["no id", "x" * 65, "a\x00", 7])
async def test_reply_to_what_cannot_be_an_id_is_refused(
    chat: Chat, place: tuple[Room, Visitor, Visitor], given: str
) -> None:
    room, ann, _ = place
    with pytest.raises(InvalidMessage):
        await chat.messages.post(room.id, visitor_id=ann.id, post=Post("x", reply_to=given))


async def test_message_with_a_lifetime_of_its_own_expires_before_the_others(
    chat: Chat, place: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = place
    post = Post("short", ttl=timedelta(minutes=1))
    short = await chat.messages.post(room.id, visitor_id=ann.id, post=post)
    await chat.messages.post(room.id, visitor_id=ann.id, text="long")
    assert short.expires_at == clock() + timedelta(minutes=1)
    assert await read(chat, room, bob) == ["short", "long"]
    clock.advance(timedelta(minutes=1))
    assert await read(chat, room, bob) == ["long"]
    await chat.expiry.purge()
    chat.messages._history._pages.invalidate(room.id)
    assert await read(chat, room, bob) == ["long"]


@pytest.mark.parametrize(
    "ttl",
    [timedelta(seconds=9), timedelta(hours=24, seconds=1), timedelta.max, -timedelta(days=1), "1h"],
)
async def test_lifetime_outside_the_bounds_of_the_room_is_refused(
    chat: Chat, place: tuple[Room, Visitor, Visitor], ttl: timedelta
) -> None:
    room, ann, _ = place
    with pytest.raises(InvalidMessage):
        await chat.messages.post(room.id, visitor_id=ann.id, post=Post("x", ttl=ttl))
    assert await read(chat, room, ann) == []


async def test_review_changes_neither_reply_nor_lifetime(
    chat: Chat, place: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = place

    async def review(_room_id: str, _visitor_id: str, post: Post) -> Reviewed:
        return Reviewed(replace(Post(), text=f"{post.text}, @bob"))

    chat.messages.review = review
    post = Post("hello", reply_to="abc", ttl=timedelta(minutes=1))
    message = await chat.messages.post(room.id, visitor_id=ann.id, post=post)
    member = await chat.memberships.require(room.id, visitor_id=bob.id)
    assert (message.text, message.mentions) == ("hello, @bob", (member.author,))
    assert (message.reply_to, message.expires_at - clock()) == ("abc", timedelta(minutes=1))


async def test_message_is_found_by_its_id_by_members_of_its_room_while_it_lives(
    chat: Chat, place: tuple[Room, Visitor, Visitor], clock: FakeClock
) -> None:
    room, ann, bob = place
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="here")
    other = await chat.rooms.open("other", visitor_id=ann.id)
    await chat.memberships.join(other.id, visitor_id=ann.id)
    find = chat.messages.find
    assert await find(room.id, visitor_id=bob.id, message_id=message.id) == message
    for room_id, id in ((other.id, message.id), (room.id, "absent"), (room.id, "a\x00")):
        with pytest.raises(NotFound):
            await find(room_id, visitor_id=ann.id, message_id=id)
    with pytest.raises(NotAMember):
        await find(room.id, visitor_id=(await sign_in(chat, "Cid")).id, message_id=message.id)
    clock.advance(room.message_ttl)
    with pytest.raises(NotFound):
        await find(room.id, visitor_id=ann.id, message_id=message.id)

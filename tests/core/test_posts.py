"""Posts of a kind with data: what is accepted, stored, shown and reviewed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from anonchat import (
    Chat,
    ChatError,
    InvalidMessage,
    MessagePosted,
    NeedsConfirmation,
    Post,
    Refused,
    Reviewed,
    Room,
    Visitor,
)
from anonchat.crypto import encrypt_texts
from anonchat.security.key_names import span_at
from anonchat.text.normalization import MESSAGE_CHARACTERS
from anonchat.text.posts import DATA_BYTES, normalize_post
from models import MessageRow
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    post_messages,
    read,
    running_chat,
)

ROLL = Post(kind="dice", data={"rolled": [4, 2], "of": 6.5, "by": None, "Ё": "🎲"})


@pytest.fixture
async def place(chat: Chat) -> tuple[Room, Visitor]:
    """Return a room and its only member."""
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    return room, ann


@pytest.mark.usefixtures("either_place")
async def test_data_is_read_from_the_cache_from_the_database_and_after_a_restart(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        recorder = EventRecorder(chat)
        await read(chat, room, ann)
        message = await chat.messages.post(room.id, visitor_id=ann.id, post=ROLL, dedup_id="d")
        assert (message.kind, message.data) == (ROLL.kind, ROLL.data)
        await chat.messages.flush()
        assert [event.message for event in recorder.of_type(MessagePosted)] == [message]
        assert await chat.messages.history(room.id, visitor_id=ann.id, limit=5) == [message]
        chat.messages._history._pages.invalidate(room.id)
        assert await chat.messages.history(room.id, visitor_id=ann.id, limit=5) == [message]
    async with running_chat(tmp_path, clock) as chat:
        assert await chat.messages.history(room.id, visitor_id=ann.id, after=0, limit=5) == [
            message
        ]
        again = await chat.messages.post(room.id, visitor_id=ann.id, post=ROLL, dedup_id="d")
        assert again == message


async def test_row_of_an_earlier_release_is_an_ordinary_message(
    chat: Chat, place: tuple[Room, Visitor]
) -> None:
    room, ann = place
    message = await chat.messages.post(room.id, visitor_id=ann.id, post=ROLL)
    cipher = chat.key_rotation._cipher
    async with chat._database.transaction() as session:
        row = (await session.exec(select(MessageRow))).one()
        key = cipher._own_key(row, ann.id, 0)
        assert key
        row.sealed = encrypt_texts(
            key, "Ann", "", "hello", "d1", associated_data=f"{room.id} {message.id}"
        )
    chat.messages._history._pages.invalidate(room.id)
    (old,) = await chat.messages.history(room.id, visitor_id=ann.id, limit=5)
    assert old == replace(message, text="hello", dedup_id="d1", kind="", data=None)


async def test_ordinary_message_is_stored_as_by_an_earlier_release(
    chat: Chat, place: tuple[Room, Visitor]
) -> None:
    room, ann = place
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id="d1")
    async with chat._database.read_session() as session:
        row = (await session.exec(select(MessageRow))).one()
    decrypted = chat.key_rotation._cipher._decrypt(row)
    assert decrypted
    assert decrypted.texts == ["Ann", "", "hello", "d1"]
    assert chat._keys.span_key_names(span_at(message.expires_at))


async def test_text_is_made_of_kind_and_data_unless_given() -> None:
    assert normalize_post(ROLL).text == 'dice: {"rolled":[4,2],"of":6.5,"by":null,"Ё":"🎲"}'
    assert normalize_post(replace(ROLL, text=" two dice ")).text == "two dice"
    assert normalize_post(Post(kind="sign")).text == "sign: null"
    long = normalize_post(Post(kind="note", data="e\u0301\u0958" * 2_500)).text
    assert long.startswith('note: "é')
    assert len(long) == MESSAGE_CHARACTERS
    lines = normalize_post(Post(kind="note", data="a\u2028" * 300)).text
    assert lines.startswith('note: "a a a')


def _nested(depth: int) -> list[Any]:
    data: list[Any] = []
    for _ in range(depth):
        data = [data]
    return data


INVALID_POSTS = {
    "no text": Post(),
    "data alone": Post(data=[1]),
    "data without kind": Post("hello", data=[1]),
    "invisible text": Post("\u200b", kind="dice"),
    "long text": Post("x" * 4_001, kind="dice"),
    "large letter": Post(kind="Dice"),
    "digit first": Post(kind="1st"),
    "two words": Post(kind="a b"),
    "line end": Post(kind="dice\n"),
    "long kind": Post(kind="x" * 33),
    "long data": Post(kind="dice", data="x" * (DATA_BYTES - 1)),
    "long data in UTF-8": Post(kind="dice", data="é" * (DATA_BYTES // 2)),
    "no number": Post(kind="dice", data=float("nan")),
    "infinity": Post(kind="dice", data=[float("inf")]),
    "surrogate": Post(kind="dice", data="\ud800"),
    "object": Post(kind="dice", data=object()),  # type: ignore[arg-type]
    "set": Post(kind="dice", data={"a": {1}}),  # type: ignore[dict-item]
    "deep data": Post(kind="dice", data=_nested(300)),
    "very deep data": Post(kind="dice", data=_nested(8_000)),
    "kind is a number": Post(kind=7),  # type: ignore[arg-type]
    "text is none": Post(None),  # type: ignore[arg-type]
    "long nickname": Post("hello", nickname="x" * 25),
    "invisible nickname": Post("hello", nickname="\u200b"),
    "nickname with a badge": Post("hello", nickname="Ann ✔ 2345b"),
}


@pytest.mark.parametrize("post", INVALID_POSTS.values(), ids=INVALID_POSTS.keys())
async def test_invalid_post_is_refused(post: Post) -> None:
    with pytest.raises(InvalidMessage):
        normalize_post(post)


async def test_data_of_the_largest_size_and_depth_is_accepted() -> None:
    for data in ("x" * (DATA_BYTES - 2), _nested(150)):
        assert normalize_post(Post(kind="x" * 32, data=data)).data == data


async def test_later_changes_of_the_data_do_not_change_the_message(
    chat: Chat, place: tuple[Room, Visitor]
) -> None:
    room, ann = place
    rolled: list[Any] = [4]
    message = await chat.messages.post(
        room.id, visitor_id=ann.id, post=Post(kind="dice", data=rolled)
    )
    rolled.append(6)
    assert message.data == [4]


async def test_message_is_hashable_whatever_its_data_is(
    chat: Chat, place: tuple[Room, Visitor]
) -> None:
    room, ann = place
    message = await chat.messages.post(room.id, visitor_id=ann.id, post=ROLL)
    assert len({message, replace(message, data=[6])}) == 2


async def test_nickname_of_a_post_replaces_that_of_its_author_and_the_badge(chat: Chat) -> None:
    _, token = await chat.identity.sign_in("Ann", phrase="correct horse battery")
    ann = await chat.identity.authenticate(token)
    assert ann
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    member = await chat.memberships.join(room.id, visitor_id=ann.id)
    own = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    said = await chat.messages.post(
        room.id, visitor_id=ann.id, post=Post("hello", nickname=" The  dealer ")
    )
    assert (own.nickname, own.badge) == ("Ann", ann.badge)
    assert ann.badge
    assert (said.nickname, said.badge, said.author) == ("The dealer", "", member.author)
    chat.messages._history._pages.invalidate(room.id)
    assert await chat.messages.history(room.id, visitor_id=ann.id, limit=5) == [own, said]


async def test_reviewed_post_is_stored_normalized(chat: Chat, place: tuple[Room, Visitor]) -> None:
    room, ann = place
    seen: list[tuple[str, str, Post]] = []

    async def review(room_id: str, visitor_id: str, post: Post) -> Reviewed:
        seen.append((room_id, visitor_id, post))
        return Reviewed(replace(post, text=f" {post.text}!\u0000 "))

    chat.messages.review = review
    message = await chat.messages.post(room.id, visitor_id=ann.id, text=" hello ")
    assert seen == [(room.id, ann.id, Post("hello"))]
    assert message.text == "hello!"


@pytest.mark.parametrize("invalid", [Post(), Post("x" * 4_001), Post("x", data=1)])
async def test_reviewed_post_is_checked_again(
    chat: Chat, place: tuple[Room, Visitor], invalid: Post
) -> None:
    room, ann = place

    async def review(_room_id: str, _visitor_id: str, _post: Post) -> Reviewed:
        return Reviewed(invalid)

    chat.messages.review = review
    with pytest.raises(InvalidMessage):
        await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    assert await read(chat, room, ann) == []


async def test_post_with_warnings_is_stored_once_it_is_confirmed(
    chat: Chat, place: tuple[Room, Visitor]
) -> None:
    room, ann = place

    async def review(_room_id: str, _visitor_id: str, post: Post) -> Reviewed:
        return Reviewed(post, ("That looks like an address.",) if "street" in post.text else ())

    chat.messages.review = review
    sent = {"visitor_id": ann.id, "text": "1 Main street", "dedup_id": "d1"}
    with pytest.raises(NeedsConfirmation) as raised:
        await chat.messages.post(room.id, **sent, confirmed=False)
    assert raised.value.details == {"warnings": ("That looks like an address.",)}
    assert await read(chat, room, ann) == []
    await chat.messages.post(room.id, visitor_id=ann.id, text="hello", confirmed=False)
    await chat.messages.post(room.id, **sent, confirmed=True)
    assert await read(chat, room, ann) == ["hello", "1 Main street"]


async def test_refused_post_is_not_stored(chat: Chat, place: tuple[Room, Visitor]) -> None:
    room, ann = place

    async def review(_room_id: str, _visitor_id: str, post: Post) -> Reviewed:
        raise Refused(f"Please do not say {post.text}")

    chat.messages.review = review
    with pytest.raises(Refused) as raised:
        await chat.messages.post(room.id, visitor_id=ann.id, text="{0} {name} }{")
    assert str(raised.value) == "Please do not say {0} {name} }{"
    chat.messages.review = None
    await post_messages(chat, room, ann, "hello")
    assert await read(chat, room, ann) == ["hello"]


async def test_refusal_fills_its_placeholders() -> None:
    error: ChatError = Refused("Wait {seconds} s.", seconds=3)
    assert (str(error), error.sentence, error.details) == (
        "Wait 3 s.",
        "Wait {seconds} s.",
        {"seconds": 3},
    )

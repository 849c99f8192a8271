"""Reactions: which, whose, how many, and who sees them."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from anonchat import (
    Chat,
    InvalidMessage,
    LimitReached,
    Message,
    MessageReacted,
    NotAMember,
    NotFound,
    RateLimited,
    Reaction,
    Room,
    Visitor,
)
from anonchat.security.key_names import span_at
from anonchat.storage.reactions import KINDS_MAX, REACTORS_MAX
from anonchat.text.emoji import normalize_emoji
from models import ReactionRow
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
from tests.hostile_texts import VALID_EMOJI

Place = tuple[Room, Visitor, Visitor, Message]
FLAG_OF_SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.fixture
async def place(chat: Chat) -> Place:
    """Return a room, its two members, and a message of the first."""
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    return room, ann, bob, message


async def react(chat: Chat, room: Room, visitor: Visitor, emoji: str, *, on: bool = True) -> str:
    """React to the first message of a room; return the reactions as everybody sees them."""
    message = await chat.messages.react_by_seq(
        room.id, visitor_id=visitor.id, seq=1, emoji=emoji, on=on
    )
    return describe(message)


def describe(message: Message) -> str:
    """Return the kinds and counts of the reactions to a message."""
    return " ".join(f"{each.emoji}{each.count}" for each in message.reactions)


async def seen_by(chat: Chat, room: Room, visitor: Visitor) -> str:
    """Return the reactions to the first message of a room."""
    return describe((await chat.messages.history(room.id, visitor_id=visitor.id, limit=5))[0])


@pytest.mark.usefixtures("either_place")
async def test_reactions_are_read_from_the_cache_the_database_and_after_a_restart(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        members = [
            (await chat.memberships.require(room.id, visitor_id=each.id)).author
            for each in (ann, bob)
        ]
        await read(chat, room, bob)
        message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
        recorder = EventRecorder(chat)
        assert await react(chat, room, bob, "👍") == "👍1"
        assert await react(chat, room, ann, "🎉") == "👍1 🎉1"
        assert await react(chat, room, ann, "👍") == "👍2 🎉1"
        event = recorder.of_type(MessageReacted)[-1]
        assert event.visitor_id == ann.id
        assert event.message.reactions == (
            Reaction("👍", (members[1], members[0])),
            Reaction("🎉", (members[0],)),
        )
        assert (event.message.text, event.message.edited) == ("hello", False)
        for _ in range(2):
            page = await chat.messages.history(room.id, visitor_id=ann.id, limit=5)
            assert page == [event.message]
            chat.messages._history._pages.invalidate(room.id)
        recorder.events.clear()
        assert await react(chat, room, bob, "👍", on=False) == "🎉1 👍1"
        assert await react(chat, room, ann, "🎉", on=False) == "👍1"
        edited = await chat.messages.edit(
            room.id, visitor_id=ann.id, message_id=message.id, text="hey"
        )
        assert describe(edited) == "👍1"
    async with running_chat(tmp_path, clock) as chat:
        assert await seen_by(chat, room, bob) == "👍1"


async def test_repeated_reaction_changes_nothing(chat: Chat, place: Place) -> None:
    room, _, bob, _ = place
    await react(chat, room, bob, "👍")
    recorder = EventRecorder(chat)
    assert await react(chat, room, bob, "👍") == "👍1"
    assert await react(chat, room, bob, "🎉", on=False) == "👍1"
    assert recorder.events == []


@pytest.mark.usefixtures("either_place")
async def test_concurrent_reactions_are_all_counted(chat: Chat) -> None:
    names = [f"N{number}" for number in range(8)]
    room, visitors = await create_room_with_members(chat, "night train", *names)
    await chat.messages.post(room.id, visitor_id=visitors[0].id, text="hello")
    await asyncio.gather(
        *(react(chat, room, visitor, emoji) for visitor in visitors for emoji in "👍🎉")
    )
    seen = await seen_by(chat, room, visitors[0])
    assert sorted(seen.split()) == sorted(["👍8", "🎉8"])
    chat.messages._history._pages.invalidate(room.id)
    assert await seen_by(chat, room, visitors[0]) == seen


async def test_only_members_react_to_live_messages_of_their_room(
    chat: Chat, place: Place, clock: FakeClock
) -> None:
    room, ann, bob, message = place
    outsider = await sign_in(chat, "Cid")
    other = await chat.rooms.open("other", visitor_id=bob.id)

    async def try_to_react(visitor: Visitor, room_id: str = room.id, id: str = message.id) -> None:
        await chat.messages.react(
            room_id, visitor_id=visitor.id, message_id=id, emoji="👍", on=True
        )

    with pytest.raises(NotAMember):
        await try_to_react(outsider)
    for room_id, id in ((other.id, message.id), (room.id, "absent"), (room.id, "a\x00")):
        with pytest.raises(NotFound):
            await try_to_react(bob, room_id, id)
    clock.advance(room.message_ttl)
    with pytest.raises(NotFound):
        await try_to_react(bob)
    await chat.expiry.purge()
    assert await execute(chat, "SELECT count(*) FROM reaction") == [(0,)]
    assert await read(chat, room, ann) == []


async def test_message_has_at_most_twenty_kinds_and_a_bounded_number_of_reactors(
    chat: Chat, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, ann, bob, _ = place
    kinds = [chr(0x1F600 + number) for number in range(KINDS_MAX + 1)]
    for emoji in kinds[:-1]:
        await react(chat, room, ann, emoji)
    with pytest.raises(LimitReached):
        await react(chat, room, bob, kinds[-1])
    assert len((await react(chat, room, bob, kinds[0])).split()) == KINDS_MAX
    await react(chat, room, ann, kinds[1], on=False)
    await react(chat, room, bob, kinds[-1])
    assert REACTORS_MAX >= 100
    monkeypatch.setattr("anonchat.storage.reactions.REACTORS_MAX", 2)
    cid = await sign_in(chat, "Cid")
    await chat.memberships.join(room.id, visitor_id=cid.id)
    with pytest.raises(LimitReached):
        await react(chat, room, cid, kinds[0])
    await react(chat, room, bob, kinds[2])


async def test_reactions_are_limited_per_visitor(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, reactions_per_visitor="2/1m") as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
        for on in (True, True, False):
            await react(chat, room, ann, "👍", on=on)
        with pytest.raises(RateLimited):
            await react(chat, room, ann, "👍")
        assert await react(chat, room, bob, "👍") == "👍1"


@pytest.mark.usefixtures("either_place")
async def test_reactions_of_a_forgotten_visitor_disappear_at_once(chat: Chat, place: Place) -> None:
    room, ann, bob, _ = place
    await chat.messages.post(room.id, visitor_id=bob.id, text="of Bob")
    for visitor in (ann, bob):
        for seq in (1, 2):
            await chat.messages.react_by_seq(
                room.id, visitor_id=visitor.id, seq=seq, emoji="👍", on=True
            )
    await react(chat, room, bob, "🎉")
    assert await seen_by(chat, room, ann) == "👍2 🎉1"
    recorder = EventRecorder(chat)
    await chat.identity.forget(bob.id)
    (event,) = recorder.of_type(MessageReacted)
    assert (event.message.text, describe(event.message)) == ("hello", "👍1")
    for _ in range(2):
        assert await seen_by(chat, room, ann) == "👍1"
        chat.messages._history._pages.invalidate(room.id)
    assert await execute(chat, "SELECT count(*) FROM reaction") == [(1,)]


@pytest.mark.usefixtures("either_place")
async def test_reactions_are_kept_when_the_keys_of_their_span_are_replaced(
    chat: Chat, place: Place
) -> None:
    room, ann, bob, message = place
    for number in range(30):  # more than one batch
        await chat.messages.post(room.id, visitor_id=ann.id, text=str(number))
        await chat.messages.react_by_seq(
            room.id, visitor_id=bob.id, seq=number + 2, emoji="👍", on=True
        )
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    assert await find_decryptable_deleted_spans(chat) == []
    assert len(chat._keys.span_key_names(span_at(message.expires_at))) == 1
    await chat.messages.react_by_seq(room.id, visitor_id=ann.id, seq=2, emoji="🎉", on=True)
    chat.messages._history._pages.invalidate(room.id)
    page = await chat.messages.history(room.id, visitor_id=ann.id, limit=50)
    assert [describe(each) for each in page] == ["👍1 🎉1", *["👍1"] * 29]


async def test_late_reaction_does_not_bring_a_deleted_message_back(
    chat: Chat, place: Place
) -> None:
    room, ann, bob, message = place
    recorder = EventRecorder(chat)
    await react(chat, room, bob, "👍")
    await react(chat, room, bob, "🎉")
    first, second = recorder.of_type(MessageReacted)
    recorder.events.clear()
    await chat.bus.publish_local(first)
    assert recorder.events == []
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    recorder.events.clear()
    await chat.bus.publish_local(second)
    assert recorder.events == []


async def test_reaction_of_a_member_who_left_stays(chat: Chat, place: Place) -> None:
    room, ann, bob, _ = place
    await react(chat, room, bob, "👍")
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    chat.messages._history._pages.invalidate(room.id)
    assert await seen_by(chat, room, ann) == "👍1"


async def test_row_of_a_reaction_has_neither_pseudonym_nor_emoji(chat: Chat, place: Place) -> None:
    room, _, bob, _ = place
    await react(chat, room, bob, "👍")
    author = (await chat.memberships.require(room.id, visitor_id=bob.id)).author
    async with chat._database.read_session() as session:
        (row,) = (await session.exec(select(ReactionRow))).all()
    assert author.encode() not in row.sealed
    assert "👍".encode() not in row.sealed


async def test_reaction_does_not_change_the_expiry(
    chat: Chat, place: Place, clock: FakeClock
) -> None:
    room, ann, bob, message = place
    clock.advance(room.message_ttl - timedelta(seconds=1))
    await react(chat, room, bob, "👍")
    found = await chat.messages.find(room.id, visitor_id=ann.id, message_id=message.id)
    assert found.expires_at == message.expires_at


@pytest.mark.parametrize("emoji", [*VALID_EMOJI.values(), FLAG_OF_SCOTLAND, "©️", "🏻", "0️⃣"])
def test_one_emoji_is_a_reaction(emoji: str) -> None:
    assert normalize_emoji(emoji)
    assert normalize_emoji(normalize_emoji(emoji)) == normalize_emoji(emoji)


def test_emoji_is_written_in_one_way() -> None:
    assert normalize_emoji("❤") == normalize_emoji("❤\ufe0f") == "❤\ufe0f"
    assert normalize_emoji("👍\ufe0f") == "👍"
    assert normalize_emoji("1\u20e3") == "1\ufe0f\u20e3"


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "a", "1", "#", ":)", "👍👍", "👍 ", " 👍", "👍a", "🇩", "🇩🇪🇫", "\u200d", "👍\u200d",
        "\ufe0f", "\u20e3", "<b>", "👍\n", "\x00", "👩\u200d" * 20 + "👩", "\U0001f3f4\U000e0067",
        "👍\U000e0061\U000e007f", 7, None,
    ],
)  # fmt: skip
def test_anything_else_is_no_reaction(text: str) -> None:
    with pytest.raises(InvalidMessage):
        normalize_emoji(text)

"""The rules of a room for what is written: pause, slow mode, and words that are not wanted."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat, Member, Room, RoomPaused, TooSoon, UnwantedWord, Visitor
from anonchat.limits.last_use import LastUse
from anonchat.text.unwanted import find_unwanted, fold_word, split_words
from tests.fakes import FakeClock, create_room_with_members, read, running_chat

SECONDS_30 = timedelta(seconds=30)
Place = tuple[Room, Visitor, Visitor, Visitor]


@pytest.fixture
async def place(chat: Chat) -> Place:
    """Return a room with its owner, a helper and an ordinary member."""
    return await make_place(chat)


async def make_place(chat: Chat) -> Place:
    """Create the room."""
    room, (ann, bob, cid) = await create_room_with_members(chat, "night train", "Ann", "Bob", "Cid")
    member = await find_member(chat, room, bob)
    await chat.moderation.set_role(room.id, member.author, "helper", visitor_id=ann.id)
    return room, ann, bob, cid


async def find_member(chat: Chat, room: Room, visitor: Visitor) -> Member:
    """Return a visitor as a member."""
    return await chat.memberships.require(room.id, visitor_id=visitor.id)


async def test_only_owner_and_helpers_write_in_a_paused_room(chat: Chat, place: Place) -> None:
    room, ann, bob, cid = place
    await chat.messages.post(room.id, visitor_id=cid.id, text="before")
    await chat.room_editor.update(room.id, visitor_id=ann.id, paused=True)
    for visitor in (ann, bob):
        await chat.messages.post(room.id, visitor_id=visitor.id, text=visitor.nickname)
    await chat.messages.edit_by_seq(room.id, visitor_id=ann.id, seq=2, text="Ann!")
    with pytest.raises(RoomPaused):
        await chat.messages.post(room.id, visitor_id=cid.id, text="now")
    with pytest.raises(RoomPaused):
        await chat.messages.edit_by_seq(room.id, visitor_id=cid.id, seq=1, text="now")
    await chat.room_editor.update(room.id, visitor_id=ann.id, paused=False)
    await chat.messages.post(room.id, visitor_id=cid.id, text="after")
    assert await read(chat, room, ann) == ["before", "Ann!", "Bob", "after"]


async def test_retry_of_a_post_stored_before_the_pause_returns_its_message(
    chat: Chat, place: Place
) -> None:
    room, ann, _, cid = place
    post = lambda: chat.messages.post(room.id, visitor_id=cid.id, text="hi", dedup_id="d")  # noqa: E731
    message = await post()
    await chat.room_editor.update(room.id, visitor_id=ann.id, paused=True)
    assert (await post()).id == message.id


@pytest.mark.usefixtures("either_place")
async def test_members_wait_between_messages_in_slow_mode(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, ann, bob, cid = await make_place(chat)
        other = await chat.rooms.open("day train", visitor_id=cid.id)
        await chat.room_editor.update(room.id, visitor_id=ann.id, slow_mode=SECONDS_30)

        async def post(visitor: Visitor, place: Room = room, dedup_id: str = "") -> None:
            await chat.messages.post(place.id, visitor_id=visitor.id, text="hi", dedup_id=dedup_id)

        await post(cid, dedup_id="first")
        await post(cid, dedup_id="first")  # a retry
        await post(cid, other)
        clock.advance(timedelta(seconds=10))
        with pytest.raises(TooSoon) as refused:
            await post(cid)
        assert refused.value.details == {"seconds": 20}
        for visitor in (ann, ann, bob, bob):
            await post(visitor)
        clock.advance(timedelta(seconds=20))
        await post(cid)
        with pytest.raises(TooSoon):
            await asyncio.gather(post(cid), post(cid))
        await chat.room_editor.update(room.id, visitor_id=ann.id, slow_mode=timedelta())
        await post(cid)


async def test_shorter_slow_mode_holds_at_once(chat: Chat, place: Place, clock: FakeClock) -> None:
    room, ann, _, cid = place
    await chat.room_editor.update(room.id, visitor_id=ann.id, slow_mode=timedelta(hours=1))
    await chat.messages.post(room.id, visitor_id=cid.id, text="one")
    clock.advance(SECONDS_30)
    await chat.room_editor.update(room.id, visitor_id=ann.id, slow_mode=SECONDS_30)
    await chat.messages.post(room.id, visitor_id=cid.id, text="two")


async def test_messages_and_edits_with_unwanted_words_are_refused(chat: Chat, place: Place) -> None:
    room, ann, _, cid = place
    words = ["casino", "Buy now", "🍆"]
    await chat.room_editor.update(room.id, visitor_id=ann.id, unwanted=words)
    for visitor, text, word in (
        (cid, "The CASINO!", "casino"),
        (cid, "the саsino", "casino"),  # two Cyrillic letters
        (ann, "buy  now.", "Buy now"),
        (cid, "a🍆b", "🍆"),
    ):
        with pytest.raises(UnwantedWord, match=word):
            await chat.messages.post(room.id, visitor_id=visitor.id, text=text)
    await chat.messages.post(room.id, visitor_id=cid.id, text="casinos; now buy")
    with pytest.raises(UnwantedWord):
        await chat.messages.edit_by_seq(room.id, visitor_id=cid.id, seq=1, text="casino")


def test_unwanted_words_are_whole_words_and_phrases() -> None:
    def find(text: str, *unwanted: str) -> str:
        return find_unwanted(text, [*map(fold_word, split_words(text))], unwanted)

    assert find("") == ""
    assert find("classic", "ass") == ""
    assert find("kick ass", "Ass") == "Ass"
    assert find("don't", "don't") == "don't"
    assert find("one two three", "two three", "two four") == "two three"
    assert find("ok :-)", ":-)") == ":-)"


def test_last_use_is_known_on_other_nodes_and_bounded(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.limits.last_use._KEYS_MAX", 2)
    own, peer = LastUse(clock, str.upper), LastUse(clock, str.upper)
    own.add("a")
    peer.add_remote_usage(own.take_usage())
    assert own.take_usage() == {}
    clock.advance(timedelta(seconds=10))
    assert peer.wait_time("a", SECONDS_30) == timedelta(seconds=20)
    peer.add_remote_usage({"A": 0.0})  # an older use that arrives late
    assert peer.wait_time("a", SECONDS_30) == timedelta(seconds=20)
    assert peer.wait_time("a", timedelta()) == timedelta()
    for key in "bc":
        peer.add(key)
    assert [peer.wait_time(key, SECONDS_30) for key in "abc"] == [
        timedelta(),
        SECONDS_30,
        SECONDS_30,
    ]

"""Finding, opening and creating rooms."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    InvalidRoom,
    LimitReached,
    MemberJoined,
    NotFound,
    Room,
    RoomNameConfusable,
    RoomNameTaken,
    RoomOpened,
    UnknownVisitor,
    Visitor,
)
from models import RoomRow
from tests.fakes import EventRecorder, FakeClock, post_messages, running_chat, sign_in

pytestmark = pytest.mark.usefixtures("either_place")

HOUR = timedelta(hours=1)


@pytest.fixture
async def ann(chat: Chat) -> Visitor:
    return await sign_in(chat, "Ann")


async def test_open_with_a_new_name_creates_the_room(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("  Night   Train ", visitor_id=ann.id)
    assert (room.name, room.slug, room.listed) == ("Night Train", "night-train", True)
    assert room.last_seq == 0
    assert room.message_ttl == chat.settings.message_ttl
    assert room.expires_at == room.created_at + chat.settings.new_room_ttl
    assert await chat.rooms.find("night-train") == room


async def test_new_room_can_be_found_when_its_event_is_published(chat: Chat, ann: Visitor) -> None:
    found = []

    async def find(event: object) -> None:
        if isinstance(event, RoomOpened):
            found.append(await chat.rooms.find(event.room.slug))

    chat.bus.subscribe(find)
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    assert found == [room]


@pytest.mark.parametrize("listed", [True, False])
async def test_creator_of_a_room_is_a_member_immediately(
    chat: Chat, ann: Visitor, listed: bool
) -> None:
    recorder = EventRecorder(chat)
    room = await chat.rooms.create("night train", visitor_id=ann.id, listed=listed)
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    assert member.author == room.owner
    assert recorder.events == [RoomOpened(room), MemberJoined(room, member)]
    assert await chat.memberships.join(room.id, visitor_id=ann.id) == member
    assert len(recorder.events) == 2


async def test_visitor_at_the_room_limit_creates_no_room(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, rooms_per_visitor_max=1) as chat:
        ann = await sign_in(chat, "Ann")
        await chat.rooms.open("one", visitor_id=ann.id)
        recorder, keys = EventRecorder(chat), sorted(chat._keys.names())
        for _ in range(2):
            with pytest.raises(LimitReached, match="too many rooms"):
                await chat.rooms.open("two", visitor_id=ann.id)
        assert await chat.rooms.find_by_name("two") is None
        assert recorder.events == []
        assert sorted(chat._keys.names()) == keys


@pytest.mark.parametrize("name", ["Night Train", "NIGHT train", "ｎight  train", "night-train"])
async def test_open_with_an_existing_name_returns_the_room(
    chat: Chat, ann: Visitor, name: str
) -> None:
    room = await chat.rooms.open("Night Train", visitor_id=ann.id)
    recorder = EventRecorder(chat)
    assert await chat.rooms.open(name, visitor_id=ann.id) == room
    assert recorder.events == []


async def test_concurrent_opens_of_one_name_return_the_same_room(chat: Chat, ann: Visitor) -> None:
    names = ["night train", "Night Train", "NIGHT TRAIN"] * 5
    rooms = await asyncio.gather(*(chat.rooms.open(name, visitor_id=ann.id) for name in names))
    assert len({room.id for room in rooms}) == 1


async def test_create_with_an_existing_name_is_refused(chat: Chat, ann: Visitor) -> None:
    await chat.rooms.open("night train", visitor_id=ann.id)
    with pytest.raises(RoomNameTaken):
        await chat.rooms.create("Night Train", visitor_id=ann.id)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("CAXA", "\u0421\u0410\u0425\u0410"),  # Cyrillic
        ("room 1", "room l"),
        ("Burning", "Buming"),
        ("Night train", "Night  tra\u0131n"),
        ("Bob", "B0B"),
    ],
)
async def test_name_confusable_with_that_of_a_listed_room_is_refused(
    chat: Chat, ann: Visitor, name: str, other: str
) -> None:
    room = await chat.rooms.open(name, visitor_id=ann.id)
    recorder = EventRecorder(chat)
    assert await chat.rooms.find_by_name(other) is None
    for method in (chat.rooms.open, chat.rooms.create):
        with pytest.raises(RoomNameConfusable, match="looks the same") as refused:
            await method(other, visitor_id=ann.id)
        assert refused.value.details == {"name": name}
    assert recorder.events == []
    assert await chat.rooms.open(name, visitor_id=ann.id) == room


async def test_name_of_an_unlisted_room_may_be_confusable(chat: Chat, ann: Visitor) -> None:
    await chat.rooms.open("CAXA", visitor_id=ann.id)
    for name in ("\u0421\u0410\u0425\u0410", "\u0421AXA"):
        hidden = await chat.rooms.create(name, visitor_id=ann.id, listed=False)
        assert await chat.rooms.find(hidden.slug) == hidden
    await chat.rooms.create("attic", visitor_id=ann.id, listed=False)
    assert (await chat.rooms.open("ATTlC", visitor_id=ann.id)).listed


async def test_listed_room_name_with_mixed_alphabets_in_a_word_is_refused(
    chat: Chat, ann: Visitor
) -> None:
    for name in ("N\u0456ght train", "room 1\u0968"):
        for method in (chat.rooms.open, chat.rooms.create):
            with pytest.raises(InvalidRoom, match="mixes"):
                await method(name, visitor_id=ann.id)
    assert await chat.rooms.open("DJ \u0412\u0430\u0441\u044f", visitor_id=ann.id)


async def test_name_confusable_with_that_of_an_ended_room_is_free(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    await chat.rooms.create("room 1", visitor_id=ann.id, room_ttl=HOUR)
    clock.advance(HOUR)
    assert (await chat.rooms.open("room l", visitor_id=ann.id)).name == "room l"


async def test_rooms_of_an_earlier_release_get_skeletons_and_keep_their_names(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        ann = await sign_in(chat, "Ann")
        rooms = []
        for name in ("room 1", "attic", "r\u043e\u043em 1"):
            room = await chat.rooms.create(f"new {name[:1]}{len(rooms)}", visitor_id=ann.id)
            await _store_as_earlier_release(chat, room, name)
            rooms.append((name, room.id))
        hidden = await chat.rooms.create("hidden", visitor_id=ann.id, listed=False)
    async with running_chat(tmp_path, clock) as chat:
        for name, id in rooms:
            assert (await chat.rooms.open(name, visitor_id=ann.id)).id == id
        for other in ("ATTlC", "room l"):
            with pytest.raises(RoomNameConfusable):
                await chat.rooms.open(other, visitor_id=ann.id)
        assert await chat.rooms.open("h1dden", visitor_id=ann.id)
        assert (await chat.rooms.find(hidden.slug)).id == hidden.id
        assert await chat.room_names.update_skeletons() == 0


async def _store_as_earlier_release(chat: Chat, room: Room, name: str) -> None:
    """Store a room as an earlier release did: under that name, without skeletons."""
    encrypted = chat.rooms._cipher.encrypt_room(room.id, "", name=name, topic="", slug=room.slug)
    async with chat._database.transaction() as session:
        row = await session.get(RoomRow, room.id)
        assert row
        row.sealed, row.name_key = encrypted, chat.room_names.name_key(name)
        row.shape_key, row.folded_key, row.skeleton_version = None, None, 0
        row.texts_key_id = ""


async def test_unlisted_room_is_found_by_slug_and_not_by_name(chat: Chat, ann: Visitor) -> None:
    hidden = await chat.rooms.create("night train", visitor_id=ann.id, listed=False)
    assert await chat.rooms.find_by_name("night train") is None
    with pytest.raises(NotFound):
        await chat.rooms.find("night-train")
    assert await chat.rooms.find(hidden.slug) == hidden
    assert await chat.rooms.open(hidden.slug, visitor_id=ann.id) == hidden
    assert (await chat.rooms.open("night train", visitor_id=ann.id)).id != hidden.id


@pytest.mark.parametrize(
    "address",
    [
        "https://chat.example/r/night-train",
        "http://127.0.0.1:8080/r/night-train/",
        "chat.example/r/night-train",
        " /r/night-train ",
        "https://chat.example/r/night-train?x=1#top",
        "HTTPS://Chat.Example/r/NIGHT-Train/",
        "/r/Night-train",
    ],
)
async def test_open_with_a_room_url_finds_the_room_and_never_creates_one(
    chat: Chat, ann: Visitor, address: str
) -> None:
    with pytest.raises(NotFound):
        await chat.rooms.open(address, visitor_id=ann.id)
    room = await chat.rooms.open("Night Train", visitor_id=ann.id)
    assert await chat.rooms.open(address, visitor_id=ann.id) == room
    hidden = await chat.rooms.create("hidden", visitor_id=ann.id, listed=False)
    link = re.sub("night-train", hidden.slug, address, flags=re.IGNORECASE)
    assert await chat.rooms.open(link, visitor_id=ann.id) == hidden
    assert chat.room_directory.count() == (0, 1)


@pytest.mark.parametrize(
    "text", ["https://elsewhere.example", "http://x/rooms/night-train", "javascript://r/x", "://"]
)
async def test_url_that_is_not_of_a_room_is_refused(chat: Chat, ann: Visitor, text: str) -> None:
    with pytest.raises(InvalidRoom, match="address"):
        await chat.rooms.open(text, visitor_id=ann.id)
    with pytest.raises(InvalidRoom, match="address"):
        await chat.rooms.create(text, visitor_id=ann.id)


@pytest.mark.parametrize("name", ["r/night", "and/or", "12:30", "a // b"])
async def test_name_that_resembles_a_url_is_accepted(chat: Chat, ann: Visitor, name: str) -> None:
    assert (await chat.rooms.open(name, visitor_id=ann.id)).name == name


@pytest.mark.parametrize("name", ["night-train", "NIGHT-TRAIN", "ｎight-train"])
async def test_room_name_equal_to_the_slug_of_another_room_is_refused(
    chat: Chat, ann: Visitor, name: str
) -> None:
    room = await chat.rooms.open("Night Train", visitor_id=ann.id)
    with pytest.raises(RoomNameTaken):
        await chat.rooms.create(name, visitor_id=ann.id)
    assert await chat.rooms.open(name, visitor_id=ann.id) == room
    assert (await chat.rooms.create(name, visitor_id=ann.id, listed=False)).name == name


async def test_slug_of_an_ended_room_is_free_as_a_name(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    old = await chat.rooms.open("Night Train", visitor_id=ann.id)
    clock.advance(old.room_ttl)
    assert (await chat.rooms.open("night-train", visitor_id=ann.id)).id != old.id


async def test_slug_of_an_unlisted_room_cannot_be_guessed(chat: Chat, ann: Visitor) -> None:
    rooms = [await chat.rooms.create("x", visitor_id=ann.id, listed=False) for _ in range(10)]
    assert len({room.slug for room in rooms}) == 10
    assert all(len(room.slug) == 27 and room.slug.isalnum() for room in rooms)


async def test_names_with_the_same_slug_get_distinct_slugs(chat: Chat, ann: Visitor) -> None:
    names = ["C", "C++", "C#", "C!", "C?", "C*", "C=", "¡C"]
    rooms = [await chat.rooms.open(name, visitor_id=ann.id) for name in names]
    slugs = [room.slug for room in rooms]
    assert slugs[:5] == ["c", "c-2", "c-3", "c-4", "c-5"]
    assert len(set(slugs)) == len(names)
    assert [await chat.rooms.find(slug) for slug in slugs] == rooms
    assert [await chat.rooms.open(name, visitor_id=ann.id) for name in names] == rooms


@pytest.mark.parametrize(
    ("name", "slug"),
    [("🎉", "room"), ("Ночной поезд", "nochnoi-poezd"), ("夜行列車", "ye-xing-lie-che")],
)
async def test_room_name_in_any_script_gets_a_slug(
    chat: Chat, ann: Visitor, name: str, slug: str
) -> None:
    room = await chat.rooms.open(name, visitor_id=ann.id)
    assert (room.name, room.slug) == (name, slug)
    assert await chat.rooms.open(name.upper(), visitor_id=ann.id) == room


async def test_unknown_slug_is_not_found(chat: Chat) -> None:
    for slug in ("", "nowhere", "../etc", "\ud800", "x" * 5_000, "\0"):
        with pytest.raises(NotFound):
            await chat.rooms.find(slug)


@pytest.mark.parametrize("name", ["", " ", "\u200b", "a" * 61])
async def test_invalid_room_name_is_refused(chat: Chat, ann: Visitor, name: str) -> None:
    with pytest.raises(InvalidRoom):
        await chat.rooms.open(name, visitor_id=ann.id)
    with pytest.raises(InvalidRoom):
        await chat.rooms.find_by_name(name)


async def test_a_topic_that_is_too_long_is_refused(chat: Chat, ann: Visitor) -> None:
    with pytest.raises(InvalidRoom):
        await chat.rooms.create("night train", visitor_id=ann.id, topic="a" * 201)


async def test_unknown_visitor_cannot_open_a_room(chat: Chat, ann: Visitor) -> None:
    await chat.identity.forget(ann.id)
    for visitor_id in (ann.id, "nobody"):
        with pytest.raises(UnknownVisitor):
            await chat.rooms.open("night train", visitor_id=visitor_id)


@pytest.mark.parametrize("ttl", [timedelta(0), -HOUR, timedelta(seconds=9), timedelta(days=31)])
async def test_message_ttl_outside_the_configured_range_is_refused(
    chat: Chat, ann: Visitor, ttl: timedelta
) -> None:
    with pytest.raises(InvalidRoom, match="between 10s and 30d"):
        await chat.rooms.create("night train", visitor_id=ann.id, message_ttl=ttl)


@pytest.mark.parametrize("ttl", [timedelta(0), -HOUR, timedelta(seconds=9), timedelta(days=91)])
async def test_room_ttl_outside_the_configured_range_is_refused(
    chat: Chat, ann: Visitor, ttl: timedelta
) -> None:
    with pytest.raises(InvalidRoom, match="between 10s and 90d"):
        await chat.rooms.create("night train", visitor_id=ann.id, room_ttl=ttl)


async def test_message_ttl_is_capped_by_the_room_ttl(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.create("night train", visitor_id=ann.id, room_ttl=HOUR)
    assert room.message_ttl == room.room_ttl == HOUR


async def test_message_ttl_above_the_room_ttl_is_refused(chat: Chat, ann: Visitor) -> None:
    with pytest.raises(InvalidRoom, match="outlive"):
        await chat.rooms.create(
            "night train", visitor_id=ann.id, message_ttl=2 * HOUR, room_ttl=HOUR
        )


async def test_ended_room_is_not_found_before_it_is_purged(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    clock.advance(room.room_ttl)
    assert await chat.rooms.find_by_name("night train") is None
    with pytest.raises(NotFound):
        await chat.rooms.find(room.slug)


async def test_name_of_an_ended_room_is_free_before_it_is_purged(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    old = await chat.rooms.open("night train", visitor_id=ann.id)
    clock.advance(old.room_ttl)
    new = await chat.rooms.open("Night Train", visitor_id=ann.id)
    assert new.id != old.id
    assert new.slug == "night-train"
    await chat.expiry.purge()
    assert await chat.rooms.find("night-train") == new


async def test_posting_extends_the_lifetime_of_the_room(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.create("night train", visitor_id=ann.id, room_ttl=HOUR)
    await chat.memberships.join(room.id, visitor_id=ann.id)
    for _ in range(3):
        clock.advance(HOUR - timedelta(seconds=1))
        await post_messages(chat, room, ann, "still here")
    found = await chat.rooms.find(room.slug)
    assert found.expires_at == clock() + HOUR


async def test_joining_extends_the_lifetime_of_the_room_but_finding_does_not(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    bob = await sign_in(chat, "Bob")
    clock.advance(HOUR)
    assert (await chat.rooms.find(room.slug)).expires_at == room.expires_at
    await chat.memberships.join(room.id, visitor_id=bob.id)
    assert (await chat.rooms.find(room.slug)).expires_at == clock() + room.room_ttl
    clock.advance(HOUR)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    assert (await chat.rooms.find(room.slug)).expires_at == clock() + room.room_ttl - HOUR


async def test_room_beyond_the_room_limit_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, rooms_max=2) as chat:
        ann = await sign_in(chat, "Ann")
        await chat.rooms.open("one", visitor_id=ann.id)
        await chat.rooms.open("two", visitor_id=ann.id)
        with pytest.raises(LimitReached):
            await chat.rooms.open("three", visitor_id=ann.id)
        await chat.rooms.open("one", visitor_id=ann.id)


async def test_a_room_survives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        ann = await sign_in(chat, "Ann")
        room: Room = await chat.rooms.create("night train", visitor_id=ann.id, topic="all aboard")
    async with running_chat(tmp_path, clock) as chat:
        assert await chat.rooms.find(room.slug) == room

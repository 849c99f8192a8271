"""Changing the name, topic and lifetimes of a room."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anonchat import (
    Chat,
    InvalidLifetime,
    InvalidRoom,
    InvalidRules,
    InvalidTopic,
    NotAllowed,
    NotAMember,
    NotFound,
    RateLimited,
    Room,
    RoomChanged,
    RoomNameConfusable,
    RoomNameTaken,
    RoomRules,
    Visitor,
)
from models import RoomRow
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    execute,
    post_messages,
    read,
    running_chat,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("either_place")

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def ann(chat: Chat) -> Visitor:
    return await sign_in(chat, "Ann")


@pytest.fixture
async def room(chat: Chat, ann: Visitor) -> Room:
    """Return a room of Ann's that others have entered."""
    room = await chat.rooms.create("Night Train", visitor_id=ann.id, topic="where to?")
    ben = await sign_in(chat, "Ben")
    await chat.memberships.join(room.id, visitor_id=ben.id)
    return await chat.rooms.find(room.slug)


async def test_owner_changes_everything_at_once(chat: Chat, ann: Visitor, room: Room) -> None:
    recorder = EventRecorder(chat)
    changed = await chat.room_editor.update(
        room.id,
        visitor_id=ann.id,
        name=" Day  Train ",
        topic="home",
        message_ttl=MINUTE,
        room_ttl=HOUR,
    )
    assert changed == replace(
        room,
        name="Day Train",
        topic="home",
        message_ttl=MINUTE,
        room_ttl=HOUR,
        expires_at=room.active_at + HOUR,
        revision=1,
    )
    assert recorder.events == [RoomChanged(changed)]
    assert await chat.rooms.find(room.slug) == changed
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert summary.room == changed


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Day Train"},
        {"topic": "home"},
        {"topic": ""},
        {"message_ttl": HOUR},
        {"room_ttl": 48 * HOUR},
    ],
)
async def test_what_is_not_given_stays(
    chat: Chat, ann: Visitor, room: Room, change: dict[str, Any]
) -> None:
    changed = await chat.room_editor.update(room.id, visitor_id=ann.id, **change)
    assert replace(changed, expires_at=room.expires_at) == replace(room, **change, revision=1)


async def test_update_without_a_difference_publishes_nothing(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    recorder = EventRecorder(chat)
    keys = sorted(chat._keys.names())
    for change in (
        {},
        {"name": " Night  Train"},
        {"topic": "where to?", "room_ttl": room.room_ttl},
    ):
        assert await chat.room_editor.update(room.id, visitor_id=ann.id, **change) == room
    assert recorder.events == []
    assert sorted(chat._keys.names()) == keys


async def test_renamed_room_is_found_by_its_new_name_and_its_slug(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    changed = await chat.room_editor.update(room.id, visitor_id=ann.id, name="Day Train")
    assert changed.slug == "night-train"
    for name in ("Day Train", "night-train", "/r/night-train"):
        assert await chat.rooms.open(name, visitor_id=ann.id) == changed
    assert await chat.rooms.find_by_name("Night Train") is None
    found = await chat.room_directory.search("day", limit=9)
    assert [summary.room for summary in found] == [changed]
    assert await chat.room_directory.search("night", limit=9) == []


async def test_previous_name_is_free_and_gets_another_slug(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    await chat.room_editor.update(room.id, visitor_id=ann.id, name="Day Train")
    new = await chat.rooms.create("Night Train", visitor_id=ann.id)
    assert new.slug == "night-train-2"
    with pytest.raises(RoomNameTaken):
        await chat.room_editor.update(room.id, visitor_id=ann.id, name="Night Train")


@pytest.mark.parametrize("name", ["NIGHT TRAIN", "night-train", "N1ght Train"])
async def test_room_may_get_a_name_like_its_own(
    chat: Chat, ann: Visitor, room: Room, name: str
) -> None:
    changed = await chat.room_editor.update(room.id, visitor_id=ann.id, name=name)
    assert changed.name == name
    assert await chat.rooms.find_by_name(name) == changed


@pytest.mark.parametrize("name", ["Black Caxa", "black caxa", "black-caxa"])
async def test_name_of_another_room_is_taken(
    chat: Chat, ann: Visitor, room: Room, name: str
) -> None:
    await chat.rooms.create("Black Caxa", visitor_id=ann.id)
    await _assert_refused(chat, ann, room, RoomNameTaken, name=name)


async def test_name_that_looks_like_that_of_another_room_is_refused(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    await chat.rooms.create("Black Caxa", visitor_id=ann.id)
    await _assert_refused(
        chat, ann, room, RoomNameConfusable, name="Black \u0421\u0410\u0425\u0410"
    )


@pytest.mark.parametrize(
    ("error", "change"),
    [
        (InvalidRoom, {"name": " "}),
        (InvalidRoom, {"name": "a" * 61}),
        (InvalidRoom, {"name": "https://elsewhere.example"}),
        (InvalidRoom, {"name": "N\u0456ght train"}),  # Cyrillic among Latin letters
        (InvalidTopic, {"topic": "a" * 201}),
        (InvalidLifetime, {"message_ttl": timedelta(seconds=9)}),
        (InvalidLifetime, {"message_ttl": timedelta(0)}),
        (InvalidLifetime, {"message_ttl": timedelta(days=31)}),
        (InvalidLifetime, {"room_ttl": timedelta(seconds=9)}),
        (InvalidLifetime, {"room_ttl": timedelta(days=91)}),
        (InvalidLifetime, {"message_ttl": 2 * HOUR, "room_ttl": HOUR}),
        (InvalidLifetime, {"message_ttl": timedelta(days=8)}),
        (InvalidLifetime, {"room_ttl": HOUR}),
    ],
)
async def test_invalid_change_is_refused(
    chat: Chat, ann: Visitor, room: Room, error: type[Exception], change: dict[str, Any]
) -> None:
    await _assert_refused(chat, ann, room, error, **change)


async def test_closed_name_is_refused(
    chat: Chat, ann: Visitor, room: Room, clock: FakeClock
) -> None:
    closed = await chat.rooms.create("Black Caxa", visitor_id=ann.id)
    await chat.room_deletion.close(closed.id, until=clock() + HOUR)
    await _assert_refused(chat, ann, room, InvalidRoom, name="Black Caxa!")


async def test_unlisted_room_may_have_any_name(chat: Chat, ann: Visitor, room: Room) -> None:
    hidden = await chat.rooms.create("attic", visitor_id=ann.id, listed=False)
    for name in (room.name, "N\u0456ght train"):
        changed = await chat.room_editor.update(hidden.id, visitor_id=ann.id, name=name)
        assert (changed.name, changed.slug) == (name, hidden.slug)
    assert await chat.rooms.find_by_name(room.name) == room


async def test_only_the_owner_changes_a_room_while_a_member(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    ben, cid = await chat.identity.find("Ben"), await sign_in(chat, "Cid")
    await chat.rooms.create("Black Caxa", visitor_id=ann.id)
    for name in ("Day Train", "Black Caxa"):
        await _assert_refused(chat, ben, room, NotAllowed, name=name)
        await _assert_refused(chat, cid, room, NotAMember, name=name)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    await _assert_refused(chat, ann, room, NotAMember, name="Day Train")


async def test_ended_room_cannot_be_changed(
    chat: Chat, ann: Visitor, room: Room, clock: FakeClock
) -> None:
    other = await chat.rooms.create("attic", visitor_id=ann.id)
    await chat.room_deletion.burn(other.id, visitor_id=ann.id)
    clock.advance(room.room_ttl)
    for room_id in (room.id, other.id, "never-was"):
        with pytest.raises(NotFound):
            await chat.room_editor.update(room_id, visitor_id=ann.id, topic="home")


@pytest.mark.parametrize("message_ttl", [MINUTE, timedelta(days=2)])
async def test_message_ttl_applies_to_later_messages_only(
    chat: Chat, ann: Visitor, room: Room, message_ttl: timedelta, clock: FakeClock
) -> None:
    await post_messages(chat, room, ann, "before")
    room = await chat.room_editor.update(room.id, visitor_id=ann.id, message_ttl=message_ttl)
    await post_messages(chat, room, ann, "after")
    before, after = await chat.messages.history(room.id, visitor_id=ann.id, limit=9)
    assert before.expires_at == clock() + chat.settings.message_ttl
    assert after.expires_at == clock() + message_ttl
    clock.advance(min(message_ttl, chat.settings.message_ttl))
    await chat.expiry.purge()
    assert await read(chat, room, ann) == ["before" if message_ttl == MINUTE else "after"]


async def test_summary_counts_from_the_first_message_and_names_the_next_expiry(
    chat: Chat, ann: Visitor, room: Room, clock: FakeClock
) -> None:
    await post_messages(chat, room, ann, "before")
    await chat.room_editor.update(room.id, visitor_id=ann.id, message_ttl=MINUTE)
    await post_messages(chat, room, ann, "after")
    for _ in range(2):  # from events, and from the database
        (summary,) = await chat.room_directory.summaries([room.id])
        assert (summary.first_seq, summary.next_expiry) == (1, clock() + MINUTE)
        chat.room_directory._oldest._oldest.clear()
    clock.advance(MINUTE)
    await chat.room_directory.tick()
    (summary,) = await chat.room_directory.summaries([room.id])
    assert summary.first_seq == 1
    assert summary.next_expiry == clock() - MINUTE + chat.settings.message_ttl


@pytest.mark.parametrize("room_ttl", [timedelta(days=2), timedelta(days=30)])
async def test_room_ttl_counts_from_the_last_activity(
    chat: Chat, ann: Visitor, room: Room, room_ttl: timedelta, clock: FakeClock
) -> None:
    clock.advance(HOUR)
    changed = await chat.room_editor.update(room.id, visitor_id=ann.id, room_ttl=room_ttl)
    assert changed.active_at == room.active_at
    assert changed.expires_at == room.active_at + room_ttl
    clock.advance(room_ttl - HOUR)
    await chat.room_directory.tick()
    assert chat.room_directory.summary(room.id) is None


async def test_room_that_only_its_creator_entered_ends_no_later(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.create("attic", visitor_id=ann.id)
    changed = await chat.room_editor.update(room.id, visitor_id=ann.id, room_ttl=timedelta(days=30))
    assert changed.expires_at == room.expires_at


async def test_room_outlives_the_messages_that_were_posted_before(
    chat: Chat, ann: Visitor, room: Room, clock: FakeClock
) -> None:
    await post_messages(chat, room, ann, "before")
    (message,) = await chat.messages.history(room.id, visitor_id=ann.id, limit=9)
    changed = await chat.room_editor.update(
        room.id, visitor_id=ann.id, message_ttl=MINUTE, room_ttl=HOUR
    )
    assert changed.expires_at == message.expires_at == clock() + chat.settings.message_ttl


async def test_room_ttl_that_is_over_already_is_refused(
    chat: Chat, ann: Visitor, room: Room, clock: FakeClock
) -> None:
    clock.advance(2 * HOUR)
    await _assert_refused(chat, ann, room, InvalidLifetime, message_ttl=MINUTE, room_ttl=2 * HOUR)


async def test_change_that_is_published_early_is_not_undone_by_a_late_event(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    recorder = EventRecorder(chat)
    await post_messages(chat, room, ann, "before")
    late = list(recorder.events)
    changed = await chat.room_editor.update(room.id, visitor_id=ann.id, name="Day Train")
    for event in late:
        await chat.bus.publish_local(event)
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert summary.room == changed


async def test_concurrent_changes_are_all_made(chat: Chat, ann: Visitor, room: Room) -> None:
    await asyncio.gather(
        chat.room_editor.update(room.id, visitor_id=ann.id, name="Day Train"),
        chat.room_editor.update(room.id, visitor_id=ann.id, topic="home"),
        chat.room_editor.update(room.id, visitor_id=ann.id, message_ttl=MINUTE),
        post_messages(chat, room, ann, "meanwhile"),
    )
    changed = await chat.rooms.find(room.slug)
    assert (changed.name, changed.topic, changed.message_ttl) == ("Day Train", "home", MINUTE)
    assert (changed.revision, changed.last_seq) == (3, 1)
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert summary.room == changed


async def test_changes_beyond_the_rate_limit_are_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, new_rooms_per_visitor="2/1m") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        for number in range(2):
            await chat.room_editor.update(room.id, visitor_id=ann.id, topic=f"{number}")
        await _assert_refused(chat, ann, room, RateLimited, topic="2")
        assert await chat.rooms.create("attic", visitor_id=ann.id)


async def test_each_change_replaces_the_key_of_the_texts(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    for number in range(3):
        await chat.room_editor.update(room.id, visitor_id=ann.id, topic=f"{number}")
    ((current,),) = await execute(chat, "SELECT texts_key_id FROM room")
    assert [name for name in chat._keys.names() if name.startswith("texts")] == [f"texts {current}"]
    await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    assert not [name for name in chat._keys.names() if name.startswith(("room", "texts"))]


async def test_lifetime_that_is_kept_may_be_out_of_new_bounds(
    tmp_path: Path, clock: FakeClock
) -> None:
    days = timedelta(days=20)
    async with running_chat(tmp_path, clock) as chat:
        ann = await sign_in(chat, "Ann")
        room = await chat.rooms.create(
            "attic", visitor_id=ann.id, message_ttl=days, room_ttl=2 * days
        )
    async with running_chat(tmp_path, clock, message_ttl_max="10d", room_ttl_max="30d") as chat:
        changed = await chat.room_editor.update(
            room.id, visitor_id=ann.id, topic="home", message_ttl=days, room_ttl=2 * days
        )
        assert (changed.topic, changed.message_ttl, changed.room_ttl) == ("home", days, 2 * days)
        with pytest.raises(InvalidLifetime):
            await chat.room_editor.update(room.id, visitor_id=ann.id, message_ttl=days / 2 + HOUR)


async def test_changed_room_survives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        room = await chat.room_editor.update(
            room.id, visitor_id=ann.id, name="Day Train", topic="home"
        )
    async with running_chat(tmp_path, clock) as chat:
        assert await chat.rooms.find(room.slug) == room
        assert await chat.rooms.open("day train", visitor_id=ann.id) == room


async def test_room_of_an_earlier_release_can_be_changed(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    async with chat._database.transaction() as session:
        row = await session.get(RoomRow, room.id)
        assert row
        row.texts_key_id = ""
        row.sealed = chat.rooms._cipher.encrypt_room(
            room.id, "", name=room.name, topic=room.topic, slug=room.slug
        )
    assert await chat.rooms.find(room.slug) == room
    changed = await chat.room_editor.update(room.id, visitor_id=ann.id, topic="home")
    assert await chat.rooms.find(room.slug) == changed == replace(room, topic="home", revision=1)


async def test_rules_survive_other_changes_and_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    rules: dict[str, Any] = {
        "locked": True,
        "asks": True,
        "members_max": 20,
        "paused": True,
        "slow_mode": MINUTE,
    }
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        words = ["  free   money ", "casino", "casino", " "]
        room = await chat.room_editor.update(room.id, visitor_id=ann.id, unwanted=words, **rules)
        assert room.rules == RoomRules(**rules, unwanted=("free money", "casino"))
        room = await chat.room_editor.update(room.id, visitor_id=ann.id, topic="home", asks=False)
        assert room.rules == RoomRules(**rules | {"asks": False}, unwanted=("free money", "casino"))
        summary = chat.room_directory.summary(room.id)
        assert summary
        assert summary.room == room
    async with running_chat(tmp_path, clock) as chat:
        assert await chat.rooms.find(room.slug) == room


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"members_max": 1}, "members_max"),
        ({"members_max": 501}, "members_max"),
        ({"members_max": -1}, "members_max"),
        ({"slow_mode": -MINUTE}, "slow_mode"),
        ({"slow_mode": HOUR + MINUTE}, "slow_mode"),
        ({"unwanted": [str(number) for number in range(101)]}, "unwanted"),
    ],
)
async def test_rule_out_of_bounds_is_refused(
    chat: Chat, ann: Visitor, room: Room, change: dict[str, Any], rule: str
) -> None:
    await _assert_refused(chat, ann, room, InvalidRules, **change)
    with pytest.raises(InvalidRules) as refused:
        await chat.room_editor.update(room.id, visitor_id=ann.id, **change)
    assert refused.value.details["rule"] == rule


async def test_room_that_is_no_longer_listed_frees_its_name(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    recorder = EventRecorder(chat)
    hidden = await chat.room_editor.update(room.id, visitor_id=ann.id, listed=False)
    assert hidden == replace(room, listed=False, revision=1)
    assert recorder.events == [RoomChanged(hidden, was_listed=True)]
    assert await chat.rooms.find_by_name(room.name) is None
    assert await chat.rooms.find(room.slug) == hidden
    assert chat.room_directory.count() == (0, 0)
    assert chat.room_directory.browse(limit=9) == ([], None)
    assert await chat.room_directory.search("train", limit=9) == []
    other = await chat.rooms.create("Nicht Train", visitor_id=ann.id)
    assert await chat.rooms.find_by_name(other.name) == other


async def test_room_is_listed_later_if_its_name_is_free(
    chat: Chat, ann: Visitor, room: Room
) -> None:
    hidden = await chat.rooms.create("N1ght Train", visitor_id=ann.id, listed=False)
    await _assert_refused(chat, ann, hidden, RoomNameConfusable, listed=True)
    recorder = EventRecorder(chat)
    shown = await chat.room_editor.update(hidden.id, visitor_id=ann.id, name="attic", listed=True)
    assert shown == replace(hidden, name="attic", listed=True, revision=1)
    assert recorder.events == [RoomChanged(shown, was_listed=False)]
    assert await chat.rooms.find_by_name("Attic") == shown
    assert [each.room for each in await chat.room_directory.search("attic", limit=9)] == [shown]


async def _assert_refused(
    chat: Chat, visitor: Visitor, room: Room, error: type[Exception], **change: Any
) -> None:
    """Assert that a change raises exactly this error and leaves no trace."""
    recorder = EventRecorder(chat)
    before = await chat.rooms.find(room.slug)
    keys = sorted(chat._keys.names())
    with pytest.raises(error) as refused:
        await chat.room_editor.update(room.id, visitor_id=visitor.id, **change)
    assert type(refused.value) is error
    assert recorder.events == []
    assert await chat.rooms.find(room.slug) == before
    assert sorted(chat._keys.names()) == keys

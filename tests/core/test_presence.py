"""Which members have a room open."""

import pytest

from anonchat import Chat, EventsLost, Member, PresenceChanged, Room
from anonchat.events import PresenceSnapshot
from anonchat.services.presence import Presence
from tests.fakes import EventRecorder, FakeClock, create_room_with_members

pytestmark = pytest.mark.usefixtures("either_place")


@pytest.fixture
async def ann(chat: Chat) -> Member:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    return await chat.memberships.require(room.id, visitor_id=ann.id)


@pytest.fixture
async def room(chat: Chat, ann: Member) -> Room:
    return await chat.rooms.find("night-train")


async def test_member_is_present_while_at_least_one_page_is_open(
    chat: Chat, room: Room, ann: Member
) -> None:
    await chat.presence.enter(ann, page_id="one")
    await chat.presence.enter(ann, page_id="two")
    await chat.presence.leave(ann, page_id="one")
    assert chat.presence.list_present(room.id) == {ann.author}
    await chat.presence.leave(ann, page_id="two")
    assert chat.presence.list_present(room.id) == set()


async def test_only_the_first_and_the_last_page_publish_a_presence_event(
    chat: Chat, ann: Member
) -> None:
    recorder = EventRecorder(chat)
    for page_id in ("one", "one", "two", "two"):
        await chat.presence.enter(ann, page_id=page_id)
    for page_id in ("one", "one", "two", "two", "three"):
        await chat.presence.leave(ann, page_id=page_id)
    assert recorder.events == [PresenceChanged(ann, True), PresenceChanged(ann, False)]


async def test_member_who_leaves_the_room_is_not_present_on_any_page(
    chat: Chat, room: Room, ann: Member
) -> None:
    await chat.presence.enter(ann, page_id="one")
    await chat.memberships.leave(room.id, visitor_id=ann.visitor_id)
    assert chat.presence.list_present(room.id) == set()
    recorder = EventRecorder(chat)
    await chat.presence.leave(ann, page_id="one")
    assert recorder.events == []


async def test_ended_room_has_no_present_members(
    chat: Chat, room: Room, ann: Member, clock: FakeClock
) -> None:
    await chat.presence.enter(ann, page_id="one")
    clock.advance(room.room_ttl)
    await chat.expiry.purge()
    assert chat.presence.list_present(room.id) == set()
    assert chat.presence._pages == {}


async def test_presence_in_one_room_does_not_affect_another(
    chat: Chat, room: Room, ann: Member
) -> None:
    other = await chat.rooms.open("other", visitor_id=ann.visitor_id)
    await chat.memberships.join(other.id, visitor_id=ann.visitor_id)
    await chat.presence.enter(ann, page_id="one")
    assert chat.presence.list_present(other.id) == set()


async def test_presence_of_closed_pages_is_removed_from_memory(
    chat: Chat, room: Room, ann: Member
) -> None:
    for number in range(10):
        await chat.presence.enter(ann, page_id=str(number))
    for number in range(10):
        await chat.presence.leave(ann, page_id=str(number))
    assert chat.presence._pages == {}


async def test_silent_node_is_reported_as_an_event_gap_once(
    chat: Chat, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    gaps: list[object] = []
    monkeypatch.setattr(chat.bus, "report_gap", lambda: gaps.append(EventsLost()))
    seconds = 0.0
    presence = Presence(
        bus=chat.bus,
        node="here",
        read_preferences=chat.preferences.get,
        elapsed=lambda: seconds,
    )
    await chat.bus.publish_local(PresenceSnapshot("there", (ann,), False))
    await presence.tick()
    assert not gaps
    seconds = 60.0
    await presence.tick()
    assert gaps == [EventsLost()]
    await presence.tick()
    assert gaps == [EventsLost()]

"""Who has a room open right now."""

import pytest

from anonchat import Chat, Member, NewsMissed, PresenceChanged, Room
from anonchat.events import RollTold
from anonchat.services.presence import Presence
from tests.fakes import Ear, FakeClock, gather_in

pytestmark = pytest.mark.usefixtures("either_place")


@pytest.fixture
async def ann(chat: Chat) -> Member:
    room, (ann, _) = await gather_in(chat, "night train", "Ann", "Bob")
    return await chat.memberships.require(room.id, visitor_id=ann.id)


@pytest.fixture
async def room(chat: Chat, ann: Member) -> Room:
    return await chat.rooms.find("night-train")


async def test_a_member_is_present_while_at_least_one_screen_is_open(
    chat: Chat, room: Room, ann: Member
) -> None:
    await chat.presence.enter(ann, screen="one")
    await chat.presence.enter(ann, screen="two")
    await chat.presence.leave(ann, screen="one")
    assert chat.presence.list_present(room.id) == {ann.author}
    await chat.presence.leave(ann, screen="two")
    assert chat.presence.list_present(room.id) == set()


async def test_only_the_first_screen_and_the_last_are_announced(chat: Chat, ann: Member) -> None:
    ear = Ear(chat)
    for screen in ("one", "one", "two", "two"):
        await chat.presence.enter(ann, screen=screen)
    for screen in ("one", "one", "two", "two", "three"):
        await chat.presence.leave(ann, screen=screen)
    assert ear.heard == [PresenceChanged(ann, True), PresenceChanged(ann, False)]


async def test_whoever_leaves_the_room_is_not_present_on_any_screen(
    chat: Chat, room: Room, ann: Member
) -> None:
    await chat.presence.enter(ann, screen="one")
    await chat.memberships.leave(room.id, visitor_id=ann.visitor_id)
    assert chat.presence.list_present(room.id) == set()
    ear = Ear(chat)
    await chat.presence.leave(ann, screen="one")
    assert ear.heard == []


async def test_nobody_is_present_in_a_room_that_has_ended(
    chat: Chat, room: Room, ann: Member, clock: FakeClock
) -> None:
    await chat.presence.enter(ann, screen="one")
    clock.move(room.room_ttl)
    await chat.expiry.purge()
    assert chat.presence.list_present(room.id) == set()
    assert chat.presence._screens == {}


async def test_presence_in_one_room_says_nothing_of_another(
    chat: Chat, room: Room, ann: Member
) -> None:
    other = await chat.rooms.open("other", visitor_id=ann.visitor_id)
    await chat.memberships.join(other.id, visitor_id=ann.visitor_id)
    await chat.presence.enter(ann, screen="one")
    assert chat.presence.list_present(other.id) == set()


async def test_whoever_has_gone_leaves_nothing_in_memory(
    chat: Chat, room: Room, ann: Member
) -> None:
    for number in range(10):
        await chat.presence.enter(ann, screen=str(number))
    for number in range(10):
        await chat.presence.leave(ann, screen=str(number))
    assert chat.presence._screens == {}


async def test_of_a_node_that_falls_silent_it_is_looked_up_what_it_did_not_tell(
    chat: Chat, ann: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    missed: list[object] = []
    monkeypatch.setattr(chat.bus, "miss", lambda: missed.append(NewsMissed()))
    seconds = 0.0
    presence = Presence(bus=chat.bus, node="here", elapsed=lambda: seconds)
    await chat.bus.tell(RollTold("there", (ann,), False))
    await presence.pulse()
    assert not missed
    seconds = 60.0
    await presence.pulse()
    assert missed == [NewsMissed()]
    await presence.pulse()
    assert missed == [NewsMissed()]

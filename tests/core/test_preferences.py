"""What visitors show of themselves: being here, and typing."""

from dataclasses import replace
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    ChatError,
    LimitReached,
    Member,
    Preferences,
    PreferencesChanged,
    PresenceChanged,
    RateLimited,
    Room,
    Typing,
    Unavailable,
    UnknownVisitor,
)
from anonchat.events import EventsLost
from anonchat.services.presence import Presence
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    execute,
    running_chat,
    sign_in,
)

HIDDEN = Preferences(shows_presence=False)


@pytest.fixture
async def ann(chat: Chat) -> Member:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    return await chat.memberships.require(room.id, visitor_id=ann.id)


@pytest.fixture
async def room(chat: Chat, ann: Member) -> Room:
    return await chat.rooms.find("night-train")


def changes(recorder: EventRecorder) -> list[tuple[str, bool]]:
    events = recorder.of_type(PresenceChanged)
    return [(event.member.nickname, event.present) for event in events]


async def test_preferences_are_kept_beside_nickname_and_badge(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        ann, bob = await sign_in(chat, "Ann"), await sign_in(chat, "Bob")
        assert await chat.preferences.get(ann.id) == Preferences()
        recorder = EventRecorder(chat)
        assert await chat.preferences.change(ann.id, shows_presence=False) == HIDDEN
        assert recorder.events == [PreferencesChanged(ann.id, HIDDEN)]
        quiet = await chat.preferences.change(bob.id, shows_typing=False)
        assert quiet == Preferences(shows_typing=False)
        await chat.identity.add_phrase(ann.id, "correct horse battery staple")
    async with running_chat(tmp_path, clock) as chat:
        assert await chat.preferences.get(ann.id) == HIDDEN
        assert await chat.preferences.get(bob.id) == quiet
        visitor = await chat.identity.get(ann.id)
        assert (visitor.nickname, visitor.preferences) == ("Ann", HIDDEN)
        assert visitor.badge
        again = await chat.preferences.change(ann.id, shows_typing=False, shows_presence=True)
        assert again == Preferences(shows_typing=False)
        assert (await chat.identity.get(ann.id)).badge == visitor.badge


async def test_hidden_member_is_not_present_but_has_the_room_open(
    chat: Chat, room: Room, ann: Member
) -> None:
    await chat.preferences.change(ann.visitor_id, shows_presence=False)
    recorder = EventRecorder(chat)
    await chat.presence.enter(ann, page_id="one")
    assert chat.presence.list_present(room.id) == set()
    assert chat.presence.list_open(room.id) == {ann.author}
    await chat.presence.leave(ann, page_id="one")
    assert chat.presence.list_open(room.id) == set()
    assert recorder.events == []


async def test_change_takes_effect_at_once_in_all_open_rooms(
    chat: Chat, room: Room, ann: Member
) -> None:
    other = await chat.rooms.open("other", visitor_id=ann.visitor_id)
    elsewhere = await chat.memberships.join(other.id, visitor_id=ann.visitor_id)
    for member in (ann, elsewhere):
        await chat.presence.enter(member, page_id=member.room_id)
    recorder = EventRecorder(chat)
    await chat.preferences.change(ann.visitor_id, shows_presence=False)
    await chat.preferences.change(ann.visitor_id, shows_presence=False)
    assert changes(recorder) == [("Ann", False), ("Ann", False)]
    for each in (room, other):
        assert chat.presence.list_present(each.id) == set()
    await chat.preferences.change(ann.visitor_id, shows_presence=True)
    assert changes(recorder)[2:] == [("Ann", True), ("Ann", True)]
    assert chat.presence.list_present(room.id) == {ann.author}


async def test_member_who_shows_no_typing_or_presence_is_not_typing(
    chat: Chat, room: Room, ann: Member
) -> None:
    await chat.presence.enter(ann, page_id="one")
    await chat.typing.signal(room.id, visitor_id=ann.visitor_id)
    await chat.typing.tick()
    assert chat.typing.get(room.id) == Typing((ann.author,))
    await chat.preferences.change(ann.visitor_id, shows_presence=False)
    assert chat.typing.get(room.id) == Typing()
    for hidden in ({"shows_presence": False}, {"shows_presence": True, "shows_typing": False}):
        await chat.preferences.change(ann.visitor_id, **hidden)
        await chat.typing.signal(room.id, visitor_id=ann.visitor_id)
        await chat.typing.tick()
        assert chat.typing.get(room.id) == Typing()
    await chat.preferences.change(ann.visitor_id, shows_typing=True)
    await chat.typing.signal(room.id, visitor_id=ann.visitor_id)
    await chat.typing.tick()
    assert chat.typing.get(room.id) == Typing((ann.author,))


async def test_change_that_was_missed_is_noticed_after_a_gap(
    chat: Chat, room: Room, ann: Member
) -> None:
    await chat.presence.enter(ann, page_id="one")
    listeners = chat.bus._listeners
    missed, listeners[:] = [*listeners], []
    await chat.preferences.change(ann.visitor_id, shows_presence=False)
    listeners[:] = missed
    await chat.presence.tick()
    assert chat.presence.list_present(room.id) == {ann.author}
    await chat.bus.publish_local(EventsLost())
    await chat.presence.tick()
    assert chat.presence.list_present(room.id) == set()


@pytest.mark.parametrize("error", [Unavailable, LimitReached])
async def test_member_stays_as_shown_while_the_preferences_cannot_be_read(
    chat: Chat, room: Room, ann: Member, error: type[ChatError]
) -> None:
    answers: list[Preferences | ChatError] = [error("later"), Preferences(), error("later"), HIDDEN]

    async def read_preferences(_: str) -> Preferences:
        answer = answers.pop(0)
        if isinstance(answer, ChatError):
            raise answer
        return answer

    presence = Presence(bus=chat.bus, node="here", read_preferences=read_preferences)
    shown = []
    await presence.enter(ann, page_id="one")
    shown.append(presence.list_present(room.id))
    await presence.tick()
    shown.append(presence.list_present(room.id))
    await chat.bus.publish_local(EventsLost())
    for _ in range(2):
        await presence.tick()
        shown.append(presence.list_present(room.id))
    assert shown == [set(), {ann.author}, {ann.author}, set()]


async def test_tick_reads_the_preferences_of_a_few_visitors_only(chat: Chat, ann: Member) -> None:
    read: list[str] = []

    async def read_preferences(visitor_id: str) -> Preferences:
        read.append(visitor_id)
        return Preferences()

    presence = Presence(bus=chat.bus, node="here", read_preferences=read_preferences)
    visitors = [f"visitor {number}" for number in range(50)]
    for visitor in visitors:
        member = replace(ann, visitor_id=visitor, author=visitor)
        await presence.enter(member, page_id="one")
    await chat.bus.publish_local(EventsLost())
    read.clear()
    await presence.tick()
    assert 0 < len(read) < len(visitors)
    for _ in visitors:
        await presence.tick()
    assert sorted(read) == sorted(visitors)


async def test_preferences_of_a_forgotten_visitor_are_gone(chat: Chat, ann: Member) -> None:
    await chat.preferences.change(ann.visitor_id, shows_presence=False)
    await chat.identity.forget(ann.visitor_id)
    assert await chat.preferences.get(ann.visitor_id) == Preferences()
    assert await execute(chat, f"SELECT * FROM visitor WHERE id = '{ann.visitor_id}'") == []
    with pytest.raises(UnknownVisitor):
        await chat.preferences.change(ann.visitor_id, shows_presence=True)


async def test_changes_are_limited(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, preferences_per_visitor="2/1m") as chat:
        ann = await sign_in(chat, "Ann")
        for shown in (False, True):
            await chat.preferences.change(ann.id, shows_presence=shown)
        with pytest.raises(RateLimited):
            await chat.preferences.change(ann.id, shows_presence=False)
        assert chat.limits.count_refused()["preferences"] == 1

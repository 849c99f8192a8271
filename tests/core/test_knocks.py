"""Asking to come into a room."""

from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Banned,
    Chat,
    DoorsChanged,
    LimitReached,
    MemberJoined,
    MustKnock,
    NotAllowed,
    NotAMember,
    NotFound,
    RateLimited,
    Room,
    RoomLocked,
    TurnedAway,
    Visitor,
    WrongPassword,
)
from tests.fakes import EventRecorder, FakeClock, execute, running_chat, sign_in

pytestmark = pytest.mark.usefixtures("either_place")

HOUR = timedelta(hours=1)


@pytest.fixture
async def ann(chat: Chat) -> Visitor:
    return await sign_in(chat, "Ann")


@pytest.fixture
async def bob(chat: Chat) -> Visitor:
    return await sign_in(chat, "Bob")


@pytest.fixture
async def room(chat: Chat, ann: Visitor) -> Room:
    """Return a room of Ann's where everybody has to ask."""
    room = await chat.rooms.create("Night Train", visitor_id=ann.id)
    return await chat.room_editor.update(room.id, visitor_id=ann.id, asks=True)


async def test_who_asks_waits_and_is_let_in(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    recorder = EventRecorder(chat)
    with pytest.raises(MustKnock):
        await chat.memberships.join(room.id, visitor_id=bob.id)
    for _ in range(2):
        await chat.doors.knock(room.id, visitor_id=bob.id)
    assert recorder.events == [DoorsChanged(room.id)]
    assert await chat.doors.find_knock(room.id, bob.id) == "waiting"
    with pytest.raises(MustKnock):
        await chat.memberships.join(room.id, visitor_id=bob.id)
    (knock,) = await chat.doors.list_knocks(room.id, visitor_id=ann.id)
    assert knock.nickname == "Bob"
    await chat.doors.answer_knock(room.id, knock.author, let_in=True, visitor_id=ann.id)
    assert [event.member.nickname for event in recorder.of_type(MemberJoined)] == ["Bob"]
    assert await chat.doors.list_knocks(room.id, visitor_id=ann.id) == []
    assert await chat.doors.find_knock(room.id, bob.id) == ""
    await chat.doors.knock(room.id, visitor_id=bob.id)
    assert await chat.doors.list_knocks(room.id, visitor_id=ann.id) == []
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    with pytest.raises(MustKnock):
        await chat.memberships.join(room.id, visitor_id=bob.id)


async def test_who_was_turned_away_may_ask_after_an_hour(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor, clock: FakeClock
) -> None:
    await chat.doors.knock(room.id, visitor_id=bob.id)
    (knock,) = await chat.doors.list_knocks(room.id, visitor_id=ann.id)
    await chat.doors.answer_knock(room.id, knock.author, let_in=False, visitor_id=ann.id)
    assert await chat.doors.list_knocks(room.id, visitor_id=ann.id) == []
    assert await chat.doors.find_knock(room.id, bob.id) == "turned away"
    with pytest.raises(TurnedAway):
        await chat.doors.knock(room.id, visitor_id=bob.id)
    with pytest.raises(TurnedAway):
        await chat.memberships.join(room.id, visitor_id=bob.id)
    clock.advance(HOUR)
    await chat.doors.knock(room.id, visitor_id=bob.id)
    assert await chat.doors.find_knock(room.id, bob.id) == "waiting"


async def test_only_owner_and_helpers_see_and_answer_who_waits(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    cid = await sign_in(chat, "Cid")
    await chat.doors.knock(room.id, visitor_id=cid.id)
    (knock,) = await chat.doors.list_knocks(room.id, visitor_id=ann.id)
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
    for error in (NotAMember, NotAllowed):
        with pytest.raises(error):
            await chat.doors.list_knocks(room.id, visitor_id=bob.id)
        with pytest.raises(error):
            await chat.doors.answer_knock(room.id, knock.author, let_in=True, visitor_id=bob.id)
        member = await chat.memberships.join(room.id, visitor_id=bob.id, invite=invite.code)
    with pytest.raises(NotAMember):
        await chat.doors.answer_knock(room.id, knock.author, let_in=True, visitor_id=cid.id)
    await chat.moderation.set_role(room.id, member.author, "helper", visitor_id=ann.id)
    await chat.doors.answer_knock(room.id, knock.author, let_in=True, visitor_id=bob.id)
    assert await chat.memberships.is_member(room.id, visitor_id=cid.id)
    with pytest.raises(NotFound):
        await chat.doors.answer_knock(room.id, knock.author, let_in=True, visitor_id=bob.id)


async def test_asking_needs_the_password_and_an_open_lock(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    await chat.room_editor.update(room.id, visitor_id=ann.id, password="fish")
    with pytest.raises(WrongPassword):
        await chat.doors.knock(room.id, visitor_id=bob.id, password="meat")
    await chat.room_editor.update(room.id, visitor_id=ann.id, locked=True)
    with pytest.raises(RoomLocked):
        await chat.doors.knock(room.id, visitor_id=bob.id, password="fish")
    await chat.room_editor.update(room.id, visitor_id=ann.id, locked=False)
    await chat.doors.knock(room.id, visitor_id=bob.id, password="fish")
    assert len(await chat.doors.list_knocks(room.id, visitor_id=ann.id)) == 1


async def test_nobody_asks_where_nobody_has_to(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    await chat.room_editor.update(room.id, visitor_id=ann.id, asks=False)
    with pytest.raises(NotAllowed):
        await chat.doors.knock(room.id, visitor_id=bob.id)
    with pytest.raises(NotFound):
        await chat.doors.knock("never-was", visitor_id=bob.id)


async def test_banned_visitor_cannot_ask(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
    member = await chat.memberships.join(room.id, visitor_id=bob.id, invite=invite.code)
    await chat.moderation.ban(room.id, member.author, visitor_id=ann.id)
    with pytest.raises(Banned):
        await chat.doors.knock(room.id, visitor_id=bob.id)
    with pytest.raises(Banned):
        await chat.memberships.join(room.id, visitor_id=bob.id, invite=invite.code)


async def test_who_is_let_into_a_full_room_comes_in_later(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    cid = await sign_in(chat, "Cid")
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
    await chat.memberships.join(room.id, visitor_id=cid.id, invite=invite.code)
    await chat.room_editor.update(room.id, visitor_id=ann.id, members_max=2)
    await chat.doors.knock(room.id, visitor_id=bob.id)
    (knock,) = await chat.doors.list_knocks(room.id, visitor_id=ann.id)
    with pytest.raises(LimitReached):
        await chat.doors.answer_knock(room.id, knock.author, let_in=True, visitor_id=ann.id)
    await chat.memberships.leave(room.id, visitor_id=cid.id)
    assert await chat.memberships.join(room.id, visitor_id=bob.id)


@pytest.mark.parametrize("end", ["forgotten", "expired", "burnt"])
async def test_nothing_is_left_of_who_has_asked(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor, clock: FakeClock, end: str
) -> None:
    await chat.doors.knock(room.id, visitor_id=bob.id)
    recorder = EventRecorder(chat)
    match end:
        case "forgotten":
            await chat.identity.forget(bob.id)
            assert recorder.of_type(DoorsChanged) == [DoorsChanged(room.id)]
        case "expired":
            clock.advance(HOUR)
            assert await chat.doors.list_knocks(room.id, visitor_id=ann.id) == []
            await chat.expiry.purge()
        case "burnt":
            await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    assert await execute(chat, "SELECT count(*) FROM knock") == [(0,)]


async def test_knocks_are_limited(tmp_path: Path, clock: FakeClock) -> None:
    limits = {"knocks_per_room_max": 1, "knocks_per_visitor": "2/1m"}
    async with running_chat(tmp_path, clock, **limits) as chat:
        ann, bob, cid = [await sign_in(chat, name) for name in ("Ann", "Bob", "Cid")]
        room = await chat.rooms.create("attic", visitor_id=ann.id)
        await chat.room_editor.update(room.id, visitor_id=ann.id, asks=True)
        await chat.doors.knock(room.id, visitor_id=bob.id)
        for error in (LimitReached, LimitReached, RateLimited):
            with pytest.raises(error) as refused:
                await chat.doors.knock(room.id, visitor_id=cid.id)
            assert type(refused.value) is error

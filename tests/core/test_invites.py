"""Invitations to rooms."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    DoorsChanged,
    InvalidInvite,
    InviteGone,
    LimitReached,
    NotAllowed,
    NotAMember,
    NotFound,
    RateLimited,
    Room,
    Visitor,
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
    """Return a room of Ann's that is locked and has a password."""
    room = await chat.rooms.create(
        "Night Train", visitor_id=ann.id, listed=False, password="sword fish"
    )
    return await chat.room_editor.update(room.id, visitor_id=ann.id, locked=True)


async def test_invitation_leads_past_password_and_lock(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
    assert await chat.doors.find_invited(invite.code) == room
    recorder = EventRecorder(chat)
    await chat.memberships.join(room.id, visitor_id=bob.id, invite=invite.code)
    assert recorder.of_type(DoorsChanged) == [DoorsChanged(room.id)]
    (used,) = await chat.doors.list_invites(room.id, visitor_id=ann.id)
    assert (used.code, used.uses, used.uses_max) == (invite.code, 1, 0)
    await chat.memberships.join(room.id, visitor_id=bob.id, invite=invite.code)
    assert await chat.doors.list_invites(room.id, visitor_id=ann.id) == [used]


async def test_invitation_is_used_as_often_as_it_can_be(
    chat: Chat, room: Room, ann: Visitor
) -> None:
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR, uses_max=3)
    guests = [await sign_in(chat, f"Guest {number}") for number in range(6)]
    results = await asyncio.gather(
        *(
            chat.memberships.join(room.id, visitor_id=guest.id, invite=invite.code)
            for guest in guests
        ),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert [type(each) for each in refused] == [InviteGone] * 3
    assert await chat.memberships.count(room.id) == 4
    assert await chat.doors.list_invites(room.id, visitor_id=ann.id) == []
    with pytest.raises(InviteGone):
        await chat.doors.find_invited(invite.code)


async def test_full_room_uses_up_no_invitation(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    cid = await sign_in(chat, "Cid")
    await chat.room_editor.update(room.id, visitor_id=ann.id, members_max=2)
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR, uses_max=2)
    await chat.memberships.join(room.id, visitor_id=bob.id, invite=invite.code)
    with pytest.raises(LimitReached):
        await chat.memberships.join(room.id, visitor_id=cid.id, invite=invite.code)
    (left,) = await chat.doors.list_invites(room.id, visitor_id=ann.id)
    assert left.uses == 1


@pytest.mark.parametrize("end", ["revoked", "expired", "room burnt", "other room"])
async def test_invitation_that_has_ended_lets_nobody_in(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor, clock: FakeClock, end: str
) -> None:
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
    joined_id, gone = room.id, InviteGone
    match end:
        case "revoked":
            await chat.doors.revoke(room.id, invite.code, visitor_id=ann.id)
        case "expired":
            clock.advance(HOUR)
        case "room burnt":
            await chat.room_deletion.burn(room.id, visitor_id=ann.id)
            gone = NotFound
        case "other room":
            other = await chat.rooms.create("attic", visitor_id=ann.id)
            joined_id = other.id
    with pytest.raises(gone):
        await chat.memberships.join(joined_id, visitor_id=bob.id, invite=invite.code)
    if end != "other room":
        with pytest.raises(InviteGone):
            await chat.doors.find_invited(invite.code)
    await chat.expiry.purge()
    ((rows,),) = await execute(chat, "SELECT count(*) FROM invite")
    assert rows == (end == "other room")


async def test_only_owner_and_helpers_invite_list_and_revoke(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
    for error in (NotAMember, NotAllowed):
        with pytest.raises(error):
            await chat.doors.invite(room.id, visitor_id=bob.id, lifetime=HOUR)
        with pytest.raises(error):
            await chat.doors.list_invites(room.id, visitor_id=bob.id)
        with pytest.raises(error):
            await chat.doors.revoke(room.id, invite.code, visitor_id=bob.id)
        member = await chat.memberships.join(room.id, visitor_id=bob.id, invite=invite.code)
    await chat.moderation.set_role(room.id, member.author, "helper", visitor_id=ann.id)
    by_bob = await chat.doors.invite(room.id, visitor_id=bob.id, lifetime=HOUR, uses_max=1)
    assert len(await chat.doors.list_invites(room.id, visitor_id=bob.id)) == 2
    await chat.doors.revoke(room.id, invite.code, visitor_id=bob.id)
    assert await chat.doors.list_invites(room.id, visitor_id=ann.id) == [by_bob]
    with pytest.raises(InviteGone):
        await chat.doors.revoke(room.id, invite.code, visitor_id=bob.id)


async def test_invitation_of_another_room_cannot_be_revoked(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    invite = await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
    own = await chat.rooms.create("attic", visitor_id=bob.id)
    with pytest.raises(InviteGone):
        await chat.doors.revoke(own.id, invite.code, visitor_id=bob.id)
    assert await chat.doors.list_invites(room.id, visitor_id=ann.id) == [invite]


@pytest.mark.parametrize(
    ("lifetime", "uses_max"),
    [(timedelta(), 0), (-HOUR, 0), (timedelta(days=31), 0), (HOUR, -1), (HOUR, 10**9)],
)
async def test_invalid_invitation_is_refused(
    chat: Chat, room: Room, ann: Visitor, lifetime: timedelta, uses_max: int
) -> None:
    with pytest.raises(InvalidInvite):
        await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=lifetime, uses_max=uses_max)
    assert await chat.doors.list_invites(room.id, visitor_id=ann.id) == []


async def test_invitations_are_limited(tmp_path: Path, clock: FakeClock) -> None:
    limits = {"invites_per_room_max": 2, "invites_per_visitor": "3/1m"}
    async with running_chat(tmp_path, clock, **limits) as chat:
        ann = await sign_in(chat, "Ann")
        room = await chat.rooms.create("attic", visitor_id=ann.id)
        for _ in range(2):
            await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
        with pytest.raises(LimitReached):
            await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
        with pytest.raises(RateLimited):
            await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)
        clock.advance(HOUR)
        await chat.doors.invite(room.id, visitor_id=ann.id, lifetime=HOUR)

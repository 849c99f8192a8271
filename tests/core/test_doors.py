"""The doors of rooms: passwords, the lock, and the most members."""

from pathlib import Path

import pytest

from anonchat import (
    Chat,
    DoorClosed,
    InvalidPassword,
    LimitReached,
    NotAllowed,
    PasswordRequired,
    RateLimited,
    Room,
    RoomLocked,
    Visitor,
    WrongPassword,
)
from tests.fakes import EventRecorder, FakeClock, running_chat, sign_in

pytestmark = pytest.mark.usefixtures("either_place")

ADDRESS = "192.0.2.1"


@pytest.fixture
async def ann(chat: Chat) -> Visitor:
    return await sign_in(chat, "Ann")


@pytest.fixture
async def bob(chat: Chat) -> Visitor:
    return await sign_in(chat, "Bob")


@pytest.fixture
async def room(chat: Chat, ann: Visitor) -> Room:
    """Return a room of Ann's with a password."""
    return await chat.rooms.create("Night Train", visitor_id=ann.id, password="sword fish")


async def test_who_joins_needs_the_password_and_members_do_not(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    assert room.rules.has_password
    await _assert_refused(chat, room, bob, PasswordRequired)
    for wrong in ("Sword fish", "sword", "\ud800", "x" * 5_000, " "):
        await _assert_refused(chat, room, bob, WrongPassword, password=wrong)
    member = await chat.memberships.join(room.id, visitor_id=bob.id, password=" sword fish ")
    assert await chat.memberships.join(room.id, visitor_id=bob.id) == member
    assert await chat.memberships.join(room.id, visitor_id=bob.id, password="wrong") == member
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await _assert_refused(chat, room, bob, PasswordRequired)


async def test_changed_password_is_needed_from_then_on(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    recorder = EventRecorder(chat)
    for password in ("new", "newer"):
        changed = await chat.room_editor.update(room.id, visitor_id=ann.id, password=password)
        assert changed.rules.has_password
    assert [type(event).__name__ for event in recorder.events] == ["RoomChanged"] * 2
    for wrong in ("sword fish", "new"):
        await _assert_refused(chat, room, bob, WrongPassword, password=wrong)
    await chat.room_editor.update(room.id, visitor_id=ann.id, topic="home")
    await chat.memberships.join(room.id, visitor_id=bob.id, password="newer")
    opened = await chat.room_editor.update(room.id, visitor_id=ann.id, password="")
    assert not opened.rules.has_password
    assert await chat.room_editor.update(room.id, visitor_id=ann.id, password="") == opened
    cid = await sign_in(chat, "Cid")
    await chat.memberships.join(room.id, visitor_id=cid.id, password="whatever")


async def test_password_survives_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        ann = await sign_in(chat, "Ann")
        room = await chat.rooms.create("attic", visitor_id=ann.id, password="sword fish")
    async with running_chat(tmp_path, clock) as chat:
        bob = await sign_in(chat, "Bob")
        await _assert_refused(chat, room, bob, WrongPassword, password="fish")
        await chat.memberships.join(room.id, visitor_id=bob.id, password="sword fish")


async def test_only_the_owner_changes_the_password(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    await chat.memberships.join(room.id, visitor_id=bob.id, password="sword fish")
    with pytest.raises(NotAllowed):
        await chat.room_editor.update(room.id, visitor_id=bob.id, password="")
    with pytest.raises(InvalidPassword):
        await chat.room_editor.update(room.id, visitor_id=ann.id, password="x" * 201)
    cid = await sign_in(chat, "Cid")
    await _assert_refused(chat, room, cid, PasswordRequired)


async def test_wrong_passwords_of_a_visitor_are_limited_and_right_ones_are_not(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, wrong_passwords_per_visitor="2/1m") as chat:
        ann, bob, cid = [await sign_in(chat, name) for name in ("Ann", "Bob", "Cid")]
        room = await chat.rooms.create("attic", visitor_id=ann.id, password="right")
        for _ in range(5):
            await chat.memberships.join(room.id, visitor_id=cid.id, password="right")
            await chat.memberships.leave(room.id, visitor_id=cid.id)
        for _ in range(2):
            await _assert_refused(chat, room, bob, WrongPassword, password="wrong")
        await _assert_refused(chat, room, bob, RateLimited, password="right")
        await chat.memberships.join(room.id, visitor_id=cid.id, password="right")


async def test_wrong_passwords_of_a_network_are_limited(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, wrong_passwords_per_ip="3/1m") as chat:
        ann = await sign_in(chat, "Ann")
        room = await chat.rooms.create("attic", visitor_id=ann.id, password="right")
        for number in range(3):
            visitor = await sign_in(chat, f"Bob {number}")
            await _assert_refused(
                chat, room, visitor, WrongPassword, password="wrong", address=ADDRESS
            )
        cid = await sign_in(chat, "Cid")
        await _assert_refused(chat, room, cid, RateLimited, password="right", address=ADDRESS)
        await chat.memberships.join(
            room.id, visitor_id=cid.id, password="right", address="192.0.2.2"
        )


async def test_password_of_an_unknown_room_is_as_wrong_as_any_other(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, wrong_passwords_per_visitor="9/1m") as chat:
        ann, bob = [await sign_in(chat, name) for name in ("Ann", "Bob")]
        room = await chat.rooms.create("attic", visitor_id=ann.id, password="right")
        for number, room_id in enumerate((room.id, "never-was"), 1):
            with pytest.raises(WrongPassword, match=r"^That is not the password\.$"):
                await chat.memberships.join(room_id, visitor_id=bob.id, password="wrong")
            assert round(chat.limits.wrong_passwords.remaining(bob.id)) == 9 - number


async def test_nobody_but_the_owner_comes_into_a_locked_room(
    chat: Chat, room: Room, ann: Visitor, bob: Visitor
) -> None:
    await chat.room_editor.update(room.id, visitor_id=ann.id, locked=True)
    await _assert_refused(chat, room, bob, RoomLocked)
    await _assert_refused(chat, room, bob, RoomLocked, password="sword fish")
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    await chat.memberships.join(room.id, visitor_id=ann.id)
    await chat.room_editor.update(room.id, visitor_id=ann.id, locked=False)
    await chat.memberships.join(room.id, visitor_id=bob.id, password="sword fish")
    await chat.room_editor.update(room.id, visitor_id=ann.id, locked=True)
    assert await chat.memberships.join(room.id, visitor_id=bob.id)


async def test_full_room_lets_somebody_in_when_somebody_has_left(
    chat: Chat, ann: Visitor, bob: Visitor
) -> None:
    cid = await sign_in(chat, "Cid")
    room = await chat.rooms.create("attic", visitor_id=ann.id)
    await chat.room_editor.update(room.id, visitor_id=ann.id, members_max=2)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    await _assert_refused(chat, room, cid, LimitReached)
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await chat.memberships.join(room.id, visitor_id=cid.id)
    await _assert_refused(chat, room, bob, LimitReached)
    await chat.room_editor.update(room.id, visitor_id=ann.id, members_max=0)
    await chat.memberships.join(room.id, visitor_id=bob.id)


async def _assert_refused(
    chat: Chat,
    room: Room,
    visitor: Visitor,
    error: type[DoorClosed | LimitReached],
    *,
    password: str = "",
    address: str = "",
) -> None:
    recorder = EventRecorder(chat)
    with pytest.raises(error) as refused:
        await chat.memberships.join(
            room.id, visitor_id=visitor.id, password=password, address=address
        )
    assert type(refused.value) is error
    assert recorder.events == []
    assert not await chat.memberships.is_member(room.id, visitor_id=visitor.id)

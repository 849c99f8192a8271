"""Being in rooms."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from anonchat import (
    Chat,
    LimitReached,
    MemberJoined,
    MemberLeft,
    NotAMember,
    NotFound,
    RoomRead,
    UnknownVisitor,
)
from anonchat.keystore import visitor_key
from models import MemberRow
from tests.fakes import Ear, FakeClock, come_in, gather_in, running_chat, say
from tests.obstacles import allow, refuse

pytestmark = pytest.mark.usefixtures("either_place")


async def test_whoever_joins_is_a_member(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    assert (member.nickname, member.room_id) == ("Ann", room.id)
    assert await chat.memberships.list_members(room.id, visitor_id=ann.id) == [member]


async def test_joining_is_announced_once_however_often_one_joins(chat: Chat) -> None:
    room, _ = await gather_in(chat, "night train", "Ann", "Bob")
    ear = Ear(chat)
    cid = await come_in(chat, "Cid")
    members = await asyncio.gather(
        *(chat.memberships.join(room.id, visitor_id=cid.id) for _ in range(10))
    )
    assert len(set(members)) == 1
    assert [event.member for event in ear.all(MemberJoined)] == [members[0]]


async def test_one_visitor_bears_another_pseudonym_in_each_room(chat: Chat) -> None:
    one, (ann,) = await gather_in(chat, "one", "Ann")
    two = await chat.rooms.open("two", visitor_id=ann.id)
    authors = {
        (await chat.memberships.join(room.id, visitor_id=ann.id)).author for room in (one, two)
    }
    assert len(authors) == 2
    assert not authors & {ann.id, one.id, two.id}


async def test_the_owner_is_known_by_the_pseudonym_of_the_room(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    owner, other = [
        await chat.memberships.require(room.id, visitor_id=visitor.id) for visitor in (ann, bob)
    ]
    assert room.owner == owner.author != other.author


async def test_whoever_leaves_is_no_member_any_more(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    ear = Ear(chat)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    assert await chat.memberships.get(room.id, visitor_id=ann.id) is None
    members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert [member.nickname for member in members] == ["Bob"]
    assert await chat.memberships.count(room.id) == 1
    assert ear.heard == [MemberLeft(room.id, ann.id, member.author)]


async def test_leaving_a_room_one_is_not_in_changes_nothing(chat: Chat) -> None:
    room, _ = await gather_in(chat, "night train", "Ann")
    bob = await come_in(chat, "Bob")
    ear = Ear(chat)
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await chat.memberships.leave("no such room", visitor_id=bob.id)
    assert ear.heard == []


async def test_who_leaves_and_comes_back_is_the_same_author(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    before = await chat.memberships.require(room.id, visitor_id=ann.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    assert (await chat.memberships.join(room.id, visitor_id=ann.id)).author == before.author


async def test_a_stranger_is_no_member(chat: Chat) -> None:
    room, _ = await gather_in(chat, "night train", "Ann")
    bob = await come_in(chat, "Bob")
    for visitor_id in (bob.id, "nobody", ""):
        assert await chat.memberships.get(room.id, visitor_id=visitor_id) is None
        with pytest.raises(NotAMember):
            await chat.memberships.require(room.id, visitor_id=visitor_id)


async def test_a_room_that_is_not_there_cannot_be_joined(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    clock.move(room.room_ttl)
    for room_id in (room.id, "no such room"):
        with pytest.raises(NotFound):
            await chat.memberships.join(room_id, visitor_id=ann.id)


async def test_only_a_known_visitor_can_join(chat: Chat) -> None:
    room, _ = await gather_in(chat, "night train", "Ann")
    with pytest.raises(UnknownVisitor):
        await chat.memberships.join(room.id, visitor_id="nobody")


async def test_members_are_listed_by_nickname(chat: Chat) -> None:
    room, (cid, _, _) = await gather_in(chat, "night train", "cid", "Ann", "Bob")
    members = await chat.memberships.list_members(room.id, visitor_id=cid.id)
    assert [member.nickname for member in members] == ["Ann", "Bob", "cid"]


async def test_members_are_listed_to_members_only(chat: Chat) -> None:
    room, (ann, _) = await gather_in(chat, "night train", "Ann", "Bob")
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    with pytest.raises(NotAMember):
        await chat.memberships.list_members(room.id, visitor_id=ann.id)


async def test_a_room_has_only_so_many_members(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, members_per_room_max=2) as chat:
        room, _ = await gather_in(chat, "night train", "Ann", "Bob")
        late = [await come_in(chat, nickname) for nickname in ("Cid", "Dan")]
        for visitor in late:
            with pytest.raises(LimitReached):
                await chat.memberships.join(room.id, visitor_id=visitor.id)


async def test_the_last_place_is_given_once(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, members_per_room_max=2) as chat:
        room, _ = await gather_in(chat, "night train", "Ann")
        late = [await come_in(chat, nickname) for nickname in ("Bob", "Cid", "Dan")]
        answers = await asyncio.gather(
            *(chat.memberships.join(room.id, visitor_id=visitor.id) for visitor in late),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers].count(LimitReached) == 2


async def test_a_visitor_is_in_only_so_many_rooms(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, rooms_per_visitor_max=1) as chat:
        _, (ann,) = await gather_in(chat, "one", "Ann")
        two, _ = await gather_in(chat, "two", "Bob")
        with pytest.raises(LimitReached):
            await chat.memberships.join(two.id, visitor_id=ann.id)


async def test_what_was_said_before_one_joined_counts_as_read(chat: Chat) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "one", "two")
    bob = await come_in(chat, "Bob")
    await chat.memberships.join(room.id, visitor_id=bob.id)
    assert await _unread(chat, bob.id) == [0]
    await say(chat, room, ann, "three")
    assert await _unread(chat, bob.id) == [1]


async def test_what_was_read_is_not_unread(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one", "two", "three")
    assert await _unread(chat, bob.id) == [3]
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
    assert await _unread(chat, bob.id) == [1]
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=1)
    assert await _unread(chat, bob.id) == [1], "what was read stays read"


async def test_what_one_has_said_oneself_is_not_unread(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one", "two")
    assert await _unread(chat, ann.id) == [0]
    await say(chat, room, bob, "three")
    await say(chat, room, ann, "four")
    assert await _unread(chat, ann.id) == [1]
    assert await _unread(chat, bob.id) == [3]


async def test_who_has_read_everything_has_read_what_they_say_then(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one", "two")
    assert (await chat.memberships.require(room.id, visitor_id=ann.id)).read_seq == 2
    await say(chat, room, bob, "three")
    await say(chat, room, ann, "four")
    assert (await chat.memberships.require(room.id, visitor_id=ann.id)).read_seq == 2
    assert (await chat.memberships.require(room.id, visitor_id=bob.id)).read_seq == 0


async def test_what_has_expired_is_not_unread(chat: Chat, clock: FakeClock) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one")
    clock.move(room.message_ttl / 2)
    await say(chat, room, ann, "two")
    clock.move(room.message_ttl / 2)
    assert await _unread(chat, bob.id) == [1]


async def test_what_was_read_is_remembered_over_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        await say(chat, room, ann, "one", "two")
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
    async with running_chat(tmp_path, clock) as chat:
        assert await _unread(chat, bob.id) == [0]


async def test_marks_that_could_not_be_written_are_kept_and_written_the_next_time(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        await say(chat, room, ann, "one", "two")
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
        await refuse(chat, "UPDATE", "member")
        with pytest.raises(DBAPIError):
            await chat.memberships.write_read_marks()
        assert (await chat.memberships.require(room.id, visitor_id=bob.id)).read_seq == 2
        await allow(chat, "member")
    async with running_chat(tmp_path, clock) as chat:
        assert await _unread(chat, bob.id) == [0]


async def test_a_mark_holds_while_it_is_written_and_one_made_meanwhile_is_not_lost(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        await say(chat, room, ann, "one", "two")
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=1)
        async with chat._database.transaction() as session:
            await session.exec(select(MemberRow).with_for_update())  # it has to wait for us
            writing = asyncio.create_task(chat.memberships.write_read_marks())
            assert (await chat.memberships.require(room.id, visitor_id=bob.id)).read_seq == 1
            await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
        await writing
    async with running_chat(tmp_path, clock) as chat:
        assert await _unread(chat, bob.id) == [0]


async def test_all_screens_hear_that_a_room_was_read_but_only_of_news(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one", "two")
    ear = Ear(chat)
    for seq in (1, 1, 2, 1):
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=seq)
    assert ear.heard == [RoomRead(bob.id, room.id, 1), RoomRead(bob.id, room.id, 2)]


@pytest.mark.parametrize("seq", [2, 2**62, 2**63, 2**70, 0, -1, -(2**70)])
async def test_a_number_that_no_message_has_spoils_nothing(chat: Chat, seq: int) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one")
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=seq)
    await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=1)
    assert await _unread(chat, ann.id) == [0]
    assert await _unread(chat, bob.id) == [1]
    await say(chat, room, ann, "two")
    assert await _unread(chat, bob.id) == [2]


async def test_marks_of_strangers_are_no_error(chat: Chat) -> None:
    await chat.memberships.mark_read("no such room", visitor_id="nobody", seq=1)
    await chat.memberships.write_read_marks()


async def test_my_rooms_are_listed_the_liveliest_first(chat: Chat, clock: FakeClock) -> None:
    one, (ann,) = await gather_in(chat, "one", "Ann")
    for name in ("two", "three"):
        clock.move(timedelta(seconds=1))
        room = await chat.rooms.open(name, visitor_id=ann.id)
        await chat.memberships.join(room.id, visitor_id=ann.id)
    clock.move(timedelta(seconds=1))
    await say(chat, one, ann, "hello")
    mine = await chat.memberships.list_mine(ann.id)
    assert [membership.room.name for membership in mine] == ["one", "three", "two"]


async def test_an_ended_room_is_none_of_mine(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    clock.move(room.room_ttl)
    assert await chat.memberships.list_mine(ann.id) == []


async def _unread(chat: Chat, visitor_id: str) -> list[int]:
    return [membership.unread for membership in await chat.memberships.list_mine(visitor_id)]


async def test_who_is_forgotten_is_no_member_from_that_moment(chat: Chat) -> None:
    room, (ann, bob) = await gather_in(chat, "kitchen", "Ann", "Bob")
    assert len(await chat.memberships.list_members(room.id, visitor_id=bob.id)) == 2
    await chat._keys.destroy([visitor_key(ann.id)])  # the first thing that forgetting does
    (member,) = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert member.nickname == "Bob"
    assert await chat.memberships.get(room.id, visitor_id=ann.id) is None


async def test_a_list_of_members_that_was_read_before_follows_who_comes_and_goes(
    chat: Chat,
) -> None:
    room, (ann,) = await gather_in(chat, "kitchen", "Ann")
    assert await _nicknames(chat, room.id, ann.id) == ["Ann"]
    bob, cyd = await come_in(chat, "Bob"), await come_in(chat, "Cyd")
    for visitor in (bob, cyd):
        await chat.memberships.join(room.id, visitor_id=visitor.id)
    assert await _nicknames(chat, room.id, ann.id) == ["Ann", "Bob", "Cyd"]
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await chat.identity.forget(cyd.id)
    assert await _nicknames(chat, room.id, ann.id) == ["Ann"]


async def test_how_far_one_has_read_is_known_where_the_members_were_read_before(
    chat: Chat,
) -> None:
    room, (ann, bob) = await gather_in(chat, "kitchen", "Ann", "Bob")
    await say(chat, room, bob, "1", "2", "3")
    await chat.memberships.list_members(room.id, visitor_id=ann.id)
    for seq in (1, 2):
        await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=seq)
        for _ in range(2):
            member = await chat.memberships.require(room.id, visitor_id=ann.id)
            assert member.read_seq == seq
            await chat.memberships.write_read_marks()
    assert await chat.memberships.read_marks(ann.id) == {room.id: 2}


async def _nicknames(chat: Chat, room_id: str, visitor_id: str) -> list[str]:
    members = await chat.memberships.list_members(room_id, visitor_id=visitor_id)
    return [member.nickname for member in members]


async def test_a_mark_beyond_the_last_message_says_nothing(chat: Chat) -> None:
    room, (ann, _) = await gather_in(chat, "night train", "Ann", "Bob")
    await chat.memberships.list_members(room.id, visitor_id=ann.id)
    await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=2**40)
    await chat.memberships.write_read_marks()
    member = await chat.memberships.get(room.id, visitor_id=ann.id)
    assert member and member.read_seq == 0


async def test_only_so_many_marks_wait_to_be_written(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.services.memberships._MARKS_MOST", 2)
    room, visitors = await gather_in(chat, "night train", "Ann", "Bob", "Cid", "Dan")
    await say(chat, room, visitors[0], "one", "two")
    for seq in (1, 2):
        for visitor in visitors:
            await chat.memberships.mark_read(room.id, visitor_id=visitor.id, seq=seq)
    assert len(chat.memberships._unwritten) == len(chat.memberships._read) == 2
    assert set(chat.memberships._read.values()) == {2}

"""Room memberships: join, leave, member lists, read marks and limits."""

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
    Unread,
)
from anonchat.security.key_names import visitor_key_name
from models import MemberRow
from tests.database_faults import allow, refuse
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    post_messages,
    running_chat,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("either_place")


async def test_visitor_who_joins_becomes_a_member(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    assert (member.nickname, member.room_id) == ("Ann", room.id)
    assert await chat.memberships.list_members(room.id, visitor_id=ann.id) == [member]


async def test_repeated_join_publishes_one_event(chat: Chat) -> None:
    room, _ = await create_room_with_members(chat, "night train", "Ann", "Bob")
    recorder = EventRecorder(chat)
    cid = await sign_in(chat, "Cid")
    members = await asyncio.gather(
        *(chat.memberships.join(room.id, visitor_id=cid.id) for _ in range(10))
    )
    assert len(set(members)) == 1
    assert [event.member for event in recorder.of_type(MemberJoined)] == [members[0]]


async def test_member_is_found_by_pseudonym(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    other, (cid,) = await create_room_with_members(chat, "day train", "Cid")
    member = await chat.memberships.require(room.id, visitor_id=bob.id)
    stranger = await chat.memberships.require(other.id, visitor_id=cid.id)
    assert await chat.memberships.find_by_author(room.id, member.author) == member
    await chat.memberships.list_members(room.id, visitor_id=ann.id)
    assert await chat.memberships.find_by_author(room.id, member.author) == member, "cached"
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    for author in (member.author, stranger.author, "", bob.id):
        with pytest.raises(NotAMember):
            await chat.memberships.find_by_author(room.id, author)


async def test_forgotten_member_is_not_found_by_pseudonym(chat: Chat) -> None:
    room, (_, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    member = await chat.memberships.require(room.id, visitor_id=bob.id)
    await chat._keys.destroy([visitor_key_name(bob.id)])
    with pytest.raises(NotAMember):
        await chat.memberships.find_by_author(room.id, member.author)


async def test_visitor_has_a_different_author_id_in_each_room(chat: Chat) -> None:
    one, (ann,) = await create_room_with_members(chat, "one", "Ann")
    two = await chat.rooms.open("two", visitor_id=ann.id)
    authors = {
        (await chat.memberships.join(room.id, visitor_id=ann.id)).author for room in (one, two)
    }
    assert len(authors) == 2
    assert not authors & {ann.id, one.id, two.id}


async def test_room_owner_is_the_author_id_of_its_creator(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    owner, other = [
        await chat.memberships.require(room.id, visitor_id=visitor.id) for visitor in (ann, bob)
    ]
    assert room.owner == owner.author != other.author


async def test_visitor_who_leaves_is_no_longer_a_member(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    member = await chat.memberships.require(room.id, visitor_id=ann.id)
    recorder = EventRecorder(chat)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    assert await chat.memberships.get(room.id, visitor_id=ann.id) is None
    members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert [member.nickname for member in members] == ["Bob"]
    assert await chat.memberships.count(room.id) == 1
    assert recorder.of_type(MemberLeft) == [
        MemberLeft(room.id, ann.id, member.author, requested=True)
    ]


async def test_leave_by_a_non_member_changes_nothing(chat: Chat) -> None:
    room, _ = await create_room_with_members(chat, "night train", "Ann")
    bob = await sign_in(chat, "Bob")
    recorder = EventRecorder(chat)
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await chat.memberships.leave("no such room", visitor_id=bob.id)
    assert recorder.events == []


async def test_member_who_rejoins_keeps_the_author_id(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    before = await chat.memberships.require(room.id, visitor_id=ann.id)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    assert (await chat.memberships.join(room.id, visitor_id=ann.id)).author == before.author


async def test_visitor_who_never_joined_is_not_a_member(chat: Chat) -> None:
    room, _ = await create_room_with_members(chat, "night train", "Ann")
    bob = await sign_in(chat, "Bob")
    for visitor_id in (bob.id, "nobody", ""):
        assert await chat.memberships.get(room.id, visitor_id=visitor_id) is None
        with pytest.raises(NotAMember):
            await chat.memberships.require(room.id, visitor_id=visitor_id)


async def test_missing_or_ended_room_cannot_be_joined(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    clock.advance(room.room_ttl)
    for room_id in (room.id, "no such room"):
        with pytest.raises(NotFound):
            await chat.memberships.join(room_id, visitor_id=ann.id)


async def test_unknown_visitor_cannot_join(chat: Chat) -> None:
    room, _ = await create_room_with_members(chat, "night train", "Ann")
    with pytest.raises(UnknownVisitor):
        await chat.memberships.join(room.id, visitor_id="nobody")


async def test_members_are_sorted_by_nickname(chat: Chat) -> None:
    room, (cid, _, _) = await create_room_with_members(chat, "night train", "cid", "Ann", "Bob")
    members = await chat.memberships.list_members(room.id, visitor_id=cid.id)
    assert [member.nickname for member in members] == ["Ann", "Bob", "cid"]


async def test_only_members_can_list_members(chat: Chat) -> None:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    with pytest.raises(NotAMember):
        await chat.memberships.list_members(room.id, visitor_id=ann.id)


async def test_join_beyond_the_member_limit_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock, members_per_room_max=2) as chat:
        room, _ = await create_room_with_members(chat, "night train", "Ann", "Bob")
        late = [await sign_in(chat, nickname) for nickname in ("Cid", "Dan")]
        for visitor in late:
            with pytest.raises(LimitReached):
                await chat.memberships.join(room.id, visitor_id=visitor.id)


async def test_concurrent_joins_do_not_exceed_the_member_limit(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, members_per_room_max=2) as chat:
        room, _ = await create_room_with_members(chat, "night train", "Ann")
        late = [await sign_in(chat, nickname) for nickname in ("Bob", "Cid", "Dan")]
        answers = await asyncio.gather(
            *(chat.memberships.join(room.id, visitor_id=visitor.id) for visitor in late),
            return_exceptions=True,
        )
        assert [type(answer) for answer in answers].count(LimitReached) == 2


async def test_join_beyond_the_rooms_per_visitor_limit_is_refused(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, rooms_per_visitor_max=1) as chat:
        _, (ann,) = await create_room_with_members(chat, "one", "Ann")
        two, _ = await create_room_with_members(chat, "two", "Bob")
        with pytest.raises(LimitReached):
            await chat.memberships.join(two.id, visitor_id=ann.id)


async def test_messages_posted_before_joining_count_as_read(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "one", "two")
    bob = await sign_in(chat, "Bob")
    await chat.memberships.join(room.id, visitor_id=bob.id)
    assert await _unread(chat, bob.id) == [0]
    await post_messages(chat, room, ann, "three")
    assert await _unread(chat, bob.id) == [1]


async def test_read_messages_are_not_counted_as_unread(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one", "two", "three")
    assert await _unread(chat, bob.id) == [3]
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
    assert await _unread(chat, bob.id) == [1]
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=1)
    assert await _unread(chat, bob.id) == [1], "a lower mark does not replace a higher one"


async def test_own_messages_are_not_counted_as_unread(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one", "two")
    assert await _unread(chat, ann.id) == [0]
    await post_messages(chat, room, bob, "three")
    await post_messages(chat, room, ann, "four")
    assert await _unread(chat, ann.id) == [1]
    assert await _unread(chat, bob.id) == [3]


async def test_own_post_advances_the_read_mark_only_if_all_was_read(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one", "two")
    assert (await chat.memberships.require(room.id, visitor_id=ann.id)).read_seq == 2
    await post_messages(chat, room, bob, "three")
    await post_messages(chat, room, ann, "four")
    assert (await chat.memberships.require(room.id, visitor_id=ann.id)).read_seq == 2
    assert (await chat.memberships.require(room.id, visitor_id=bob.id)).read_seq == 0


async def test_expired_messages_are_not_counted_as_unread(chat: Chat, clock: FakeClock) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one")
    clock.advance(room.message_ttl / 2)
    await post_messages(chat, room, ann, "two")
    clock.advance(room.message_ttl / 2)
    assert await _unread(chat, bob.id) == [1]


async def test_read_marks_survive_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await post_messages(chat, room, ann, "one", "two")
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
    async with running_chat(tmp_path, clock) as chat:
        assert await _unread(chat, bob.id) == [0]


async def test_read_marks_that_failed_to_write_are_written_on_the_next_attempt(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await post_messages(chat, room, ann, "one", "two")
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
        await refuse(chat, "UPDATE", "member")
        with pytest.raises(DBAPIError):
            await chat.memberships.write_read_marks()
        assert (await chat.memberships.require(room.id, visitor_id=bob.id)).read_seq == 2
        await allow(chat, "member")
    async with running_chat(tmp_path, clock) as chat:
        assert await _unread(chat, bob.id) == [0]


async def test_read_mark_set_during_a_write_is_not_lost(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await post_messages(chat, room, ann, "one", "two")
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=1)
        async with chat._database.transaction() as session:
            await session.exec(select(MemberRow).with_for_update())  # blocks the write
            writing = asyncio.create_task(chat.memberships.write_read_marks())
            assert (await chat.memberships.require(room.id, visitor_id=bob.id)).read_seq == 1
            await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=2)
        await writing
    async with running_chat(tmp_path, clock) as chat:
        assert await _unread(chat, bob.id) == [0]


async def test_room_read_event_is_published_only_when_the_mark_advances(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one", "two")
    recorder = EventRecorder(chat)
    for seq in (1, 1, 2, 1):
        await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=seq)
    assert recorder.events == [RoomRead(bob.id, room.id, 1), RoomRead(bob.id, room.id, 2)]


@pytest.mark.parametrize("seq", [2, 2**62, 2**63, 2**70, 0, -1, -(2**70)])
async def test_read_mark_of_a_nonexistent_message_is_ignored(chat: Chat, seq: int) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one")
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=seq)
    await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=1)
    assert await _unread(chat, ann.id) == [0]
    assert await _unread(chat, bob.id) == [1]
    await post_messages(chat, room, ann, "two")
    assert await _unread(chat, bob.id) == [2]


async def test_read_mark_by_a_non_member_raises_no_error(chat: Chat) -> None:
    await chat.memberships.mark_read("no such room", visitor_id="nobody", seq=1)
    await chat.memberships.write_read_marks()


async def test_own_rooms_are_sorted_by_latest_activity(chat: Chat, clock: FakeClock) -> None:
    one, (ann,) = await create_room_with_members(chat, "one", "Ann")
    for name in ("two", "three"):
        clock.advance(timedelta(seconds=1))
        room = await chat.rooms.open(name, visitor_id=ann.id)
        await chat.memberships.join(room.id, visitor_id=ann.id)
    clock.advance(timedelta(seconds=1))
    await post_messages(chat, one, ann, "hello")
    mine = await chat.memberships.list_of_visitor(ann.id)
    assert [membership.room.name for membership in mine] == ["one", "three", "two"]


async def test_ended_room_is_not_among_own_rooms(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    clock.advance(room.room_ttl)
    assert await chat.memberships.list_of_visitor(ann.id) == []


async def _unread(chat: Chat, visitor_id: str) -> list[int]:
    return [membership.unread for membership in await chat.memberships.list_of_visitor(visitor_id)]


async def test_visitor_whose_key_is_destroyed_is_not_a_member(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "kitchen", "Ann", "Bob")
    assert len(await chat.memberships.list_members(room.id, visitor_id=bob.id)) == 2
    await chat._keys.destroy([visitor_key_name(ann.id)])  # the first step of forget()
    (member,) = await chat.memberships.list_members(room.id, visitor_id=bob.id)
    assert member.nickname == "Bob"
    assert await chat.memberships.get(room.id, visitor_id=ann.id) is None


async def test_cached_member_list_follows_joins_and_leaves(
    chat: Chat,
) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")
    assert await _nicknames(chat, room.id, ann.id) == ["Ann"]
    bob, cyd = await sign_in(chat, "Bob"), await sign_in(chat, "Cyd")
    for visitor in (bob, cyd):
        await chat.memberships.join(room.id, visitor_id=visitor.id)
    assert await _nicknames(chat, room.id, ann.id) == ["Ann", "Bob", "Cyd"]
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await chat.identity.forget(cyd.id)
    assert await _nicknames(chat, room.id, ann.id) == ["Ann"]


async def test_cached_members_show_the_current_read_mark(
    chat: Chat,
) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "kitchen", "Ann", "Bob")
    await post_messages(chat, room, bob, "1", "2", "3")
    await chat.memberships.list_members(room.id, visitor_id=ann.id)
    (*_, last) = await chat.messages.history(room.id, visitor_id=ann.id, limit=3)
    for seq in (1, 2):
        await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=seq)
        for _ in range(2):
            member = await chat.memberships.require(room.id, visitor_id=ann.id)
            assert member.read_seq == seq
            await chat.memberships.write_read_marks()
    assert await chat.memberships.list_unread(ann.id) == {room.id: Unread(2, last.expires_at)}


async def _nicknames(chat: Chat, room_id: str, visitor_id: str) -> list[str]:
    members = await chat.memberships.list_members(room_id, visitor_id=visitor_id)
    return [member.nickname for member in members]


async def test_read_mark_far_beyond_the_last_message_is_ignored(chat: Chat) -> None:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await chat.memberships.list_members(room.id, visitor_id=ann.id)
    await chat.memberships.mark_read(room.id, visitor_id=ann.id, seq=2**40)
    await chat.memberships.write_read_marks()
    member = await chat.memberships.get(room.id, visitor_id=ann.id)
    assert member and member.read_seq == 0


async def test_unwritten_read_marks_are_bounded(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.storage.read_marks._SIZE_MAX", 2)
    room, visitors = await create_room_with_members(chat, "night train", "Ann", "Bob", "Cid", "Dan")
    await post_messages(chat, room, visitors[0], "one", "two")
    for seq in (1, 2):
        for visitor in visitors:
            await chat.memberships.mark_read(room.id, visitor_id=visitor.id, seq=seq)
    marks = chat.memberships._read_marks
    assert len(marks._own) == len(marks._marks) == 2
    assert set(marks._marks.values()) == {2}

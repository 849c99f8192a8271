"""The room directory: order, search and summaries of all rooms."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel.ext.asyncio.session import AsyncSession

from anonchat import Bus, Chat, ChatError, NotFound, Post, Room, RoomEnded, RoomSummary, Visitor
from anonchat.events import RoomActivity
from anonchat.services.room_directory import RoomDirectory
from anonchat.storage.database import Database
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    post_messages,
    running_chat,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("either_place")

SECOND = timedelta(seconds=1)


@pytest.fixture
async def ann(chat: Chat) -> Visitor:
    return await sign_in(chat, "Ann")


async def test_new_room_is_listed_at_once(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    assert chat.room_directory.summary(room.id) == RoomSummary(
        room, here=0, first_seq=1, next_expiry=None
    )
    assert chat.room_directory.list_ids() == (room.id,)
    assert chat.room_directory.count() == (0, 1)


async def test_unlisted_room_is_not_listed_searched_or_counted(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.create("night train", visitor_id=ann.id, listed=False)
    await _enter(chat, room, ann)
    await post_messages(chat, room, ann, "hello")
    assert chat.room_directory.list_ids() == ()
    assert await chat.room_directory.search("night", limit=9) == []
    assert chat.room_directory.count() == (0, 0)
    assert chat.room_directory.summary(room.id)


async def test_rooms_are_ordered_by_presence_and_then_by_activity(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    rooms = {}
    for name in ("quiet", "lively", "busy"):
        rooms[name] = await chat.rooms.open(name, visitor_id=ann.id)
        await chat.memberships.join(rooms[name].id, visitor_id=ann.id)
        clock.advance(SECOND)
    await _enter(chat, rooms["busy"], ann)
    await post_messages(chat, rooms["lively"], ann, "hello")
    clock.advance(SECOND)
    assert chat.room_directory.list_ids() == tuple(
        rooms[name].id for name in ("busy", "lively", "quiet")
    )


async def test_room_order_is_stable_for_a_moment_unless_a_room_is_added(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    one = await chat.rooms.open("one", visitor_id=ann.id)
    clock.advance(SECOND)
    two = await chat.rooms.open("two", visitor_id=ann.id)
    before = chat.room_directory.list_ids()
    await _enter(chat, one, ann)
    assert chat.room_directory.list_ids() is before
    clock.advance(SECOND)
    assert chat.room_directory.list_ids() == (one.id, two.id)
    three = await chat.rooms.open("three", visitor_id=ann.id)
    assert chat.room_directory.list_ids() == (one.id, three.id, two.id)


async def test_public_rooms_are_browsed_page_by_page(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    for number in range(5):
        await chat.rooms.open(f"room {number}", visitor_id=ann.id)
        if number != 2:  # two rooms of equal rank have a stable order too
            clock.advance(SECOND)
    seen, position = [], None
    while True:
        summaries, position = chat.room_directory.browse(after=position, limit=2)
        seen += [summary.room.id for summary in summaries]
        if position is None:
            break
    assert tuple(seen) == chat.room_directory.list_ids()
    assert chat.room_directory.browse(limit=5) == (await chat.room_directory.summaries(seen), None)


async def test_search_returns_the_best_match_first(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    for name in ("Night Train", "night", "Night Owls", "Night Bird", "day", "midnight"):
        room = await chat.rooms.open(name, visitor_id=ann.id)
        if name in ("Night Train", "midnight"):
            await _enter(chat, room, ann)
        clock.advance(SECOND)
    found = await chat.room_directory.search(" NIGHT ", limit=9)
    assert [summary.room.name for summary in found] == [
        "night",  # exact match
        "Night Train",  # prefix match with a member present
        "Night Bird",  # more recently active
        "Night Owls",
        "midnight",
    ]
    assert await chat.room_directory.search("NIGHT", limit=2) == found[:2]


@pytest.mark.parametrize(
    "words",
    ["night  train", " night \t train ", "NIGHT\u00a0TR", "night\u3000train", "nig\u200bht"],
)
async def test_search_ignores_differences_of_whitespace(
    chat: Chat, ann: Visitor, words: str
) -> None:
    await chat.rooms.open("night train", visitor_id=ann.id)
    assert [summary.room.name for summary in await chat.room_directory.search(words, limit=9)] == [
        "night train"
    ]


async def test_room_is_found_by_slug_in_any_case(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    assert await chat.room_directory.find("Night-TRAIN") == room
    assert await chat.rooms.find("Night-TRAIN") == room


async def test_search_without_a_match_returns_nothing(chat: Chat, ann: Visitor) -> None:
    await chat.rooms.open("night train", visitor_id=ann.id)
    for words in ("", "  ", "nowhere", "(", "\\", "%", "\ud800", "x" * 10_000):
        assert await chat.room_directory.search(words, limit=9) == []


async def test_search_finds_names_in_any_script_and_case(chat: Chat, ann: Visitor) -> None:
    for name, words in (("Ночной поезд", "НОЧНОЙ"), ("Straße", "STRASSE"), ("🎉", "🎉")):
        room = await chat.rooms.open(name, visitor_id=ann.id)
        assert [summary.room for summary in await chat.room_directory.search(words, limit=9)] == [
            room
        ]


async def test_visitors_present_in_public_rooms_are_counted(chat: Chat, ann: Visitor) -> None:
    bob = await sign_in(chat, "Bob")
    one = await chat.rooms.open("one", visitor_id=ann.id)
    two = await chat.rooms.open("two", visitor_id=ann.id)
    await _enter(chat, one, ann)
    await _enter(chat, one, bob)
    await _enter(chat, two, bob)
    assert chat.room_directory.count() == (3, 2)
    summary = chat.room_directory.summary(one.id)
    assert summary
    assert summary.here == 2


async def test_visitor_who_has_left_a_room_is_not_counted(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await _enter(chat, room, ann)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    assert chat.room_directory.count() == (0, 1)


async def test_join_extends_the_expiry_in_the_room_summary(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    bob = await sign_in(chat, "Bob")
    clock.advance(SECOND)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert summary.room.expires_at == clock() + chat.settings.room_ttl


async def test_tick_ends_expired_rooms(chat: Chat, ann: Visitor, clock: FakeClock) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await _enter(chat, room, ann)
    clock.advance(room.room_ttl)
    recorder = EventRecorder(chat)
    await chat.room_directory.tick()
    assert recorder.events == [RoomEnded(room.id)]
    assert chat.room_directory.list_ids() == ()
    assert chat.room_directory.count() == (0, 0)


async def test_room_extended_by_a_post_in_the_last_moment_does_not_end(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, room_ttl="1m", message_ttl="1m") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        recorder = EventRecorder(chat)
        clock.advance(59 * SECOND)
        keys = chat._keys._write_lock
        async with keys:  # the post waits here, after its check that the room exists
            posting = asyncio.create_task(post_messages(chat, room, ann, "just in time"))
            while not keys._waiters:  # noqa: ASYNC110  # a lock has no event for waiters
                await asyncio.sleep(0)
            clock.advance(SECOND)
            ticking = asyncio.create_task(chat.room_directory.tick())
            await asyncio.sleep(0.05)
        await asyncio.gather(posting, ticking)
        assert recorder.of_type(RoomEnded) == []
        summary = chat.room_directory.summary(room.id)
        assert summary
        assert (summary.room.last_seq, summary.room.expires_at) == (1, clock() + 59 * SECOND)
        clock.advance(59 * SECOND)
        await chat.room_directory.tick()
        assert recorder.of_type(RoomEnded) == [RoomEnded(room.id)]


async def test_expired_room_is_hidden_even_before_the_tick(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    clock.advance(room.room_ttl)
    assert chat.room_directory.summary(room.id) is None
    assert await chat.room_directory.summaries([room.id]) == []
    assert await chat.room_directory.search("night", limit=9) == []


async def test_tick_returns_rooms_whose_oldest_message_has_expired(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one")
    clock.advance(SECOND)
    await post_messages(chat, room, ann, "two")
    clock.advance(room.message_ttl - SECOND)
    assert await chat.room_directory.tick() == {room.id}
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert (summary.first_seq, summary.next_expiry) == (2, clock() + SECOND)
    assert await chat.room_directory.tick() == set()
    clock.advance(SECOND)
    assert await chat.room_directory.tick() == {room.id}
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert (summary.first_seq, summary.next_expiry) == (3, None)


async def test_summary_tells_when_the_newest_message_expires(
    chat: Chat, clock: FakeClock, ann: Visitor
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await _enter(chat, room, ann)
    await post_messages(chat, room, ann, "long")
    post = Post(text="short", ttl=SECOND * 60)
    await chat.messages.post(room.id, visitor_id=ann.id, post=post)
    await chat.messages.flush()
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert summary.last_expiry == clock() + SECOND * 60
    newer = replace(summary.room, last_seq=9, revision=summary.room.revision + 1)
    await chat.bus.publish_local(RoomActivity((newer,), {}))
    summary = chat.room_directory.summary(room.id)
    assert summary
    assert (summary.room.last_seq, summary.last_expiry) == (9, None)


async def test_message_posted_during_the_lookup_of_the_oldest_is_included(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, _) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await post_messages(chat, room, ann, "one")
    database = DelayedDatabase(chat._database)
    room_directory = RoomDirectory(
        database=database,
        bus=chat.bus,
        clock=clock,
        cipher=chat.room_directory._cipher,
        find_room=chat.rooms.find,
    )
    await room_directory.open()
    await room_directory.summaries([room.id])
    clock.advance(room.message_ttl)
    database.may_return.clear()
    ticking = asyncio.create_task(room_directory.tick())
    await database.has_read.wait()
    await post_messages(chat, room, ann, "two")
    database.may_return.set()
    await ticking
    await room_directory.tick()
    (summary,) = await room_directory.summaries([room.id])
    assert (summary.first_seq, summary.next_expiry) == (2, clock() + room.message_ttl)


async def test_room_summaries_are_the_same_after_a_restart(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await chat.rooms.open("day train", visitor_id=ann.id)
        await post_messages(chat, room, ann, "one", "two")
        before = await chat.room_directory.summaries(chat.room_directory.list_ids())
    async with running_chat(tmp_path, clock) as chat:
        after = await chat.room_directory.summaries(chat.room_directory.list_ids())
        assert after == [replace(summary, last_expiry=None) for summary in before]


NAMES = st.sampled_from(["one", "two", "three"])
NICKNAMES = st.sampled_from(["Ann", "Bob"])
SCREENS = st.sampled_from(["left", "right"])
ACTIONS = st.one_of(
    st.tuples(st.just("post"), NAMES, NICKNAMES),
    st.tuples(st.just("post"), NAMES, NICKNAMES),
    st.tuples(st.just("join"), NAMES, NICKNAMES),
    st.tuples(st.just("leave"), NAMES, NICKNAMES),
    st.tuples(st.just("enter"), NAMES, NICKNAMES, SCREENS),
    st.tuples(st.just("exit"), NAMES, NICKNAMES, SCREENS),
    st.tuples(st.just("create_unlisted"), NAMES, NICKNAMES),
    st.tuples(st.just("forget"), NICKNAMES),
    st.tuples(st.just("move"), st.sampled_from([1, 20, 61, 599])),
    st.tuples(st.just("purge")),
    st.tuples(st.just("tick")),
)


@settings(max_examples=15)
@given(actions=st.lists(ACTIONS, min_size=5, max_size=40))
def test_room_directory_updated_by_events_equals_one_read_anew(
    actions: list[tuple[str, ...]],
) -> None:
    asyncio.run(_run(actions))


async def _run(actions: list[tuple[str, ...]]) -> None:
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as folder:
        async with running_chat(
            Path(folder), clock, message_ttl="1m", room_ttl="10m", visitor_ttl="20m"
        ) as chat:
            scenario = Scenario(chat, clock)
            for action in actions:
                await scenario.run(*action)
            await chat.messages.flush()
            await chat.room_directory.tick()
            assert await scenario.snapshot(chat.room_directory) == await scenario.snapshot(
                await scenario.open_directory()
            )
            for room_id in scenario.rooms:
                summary = chat.room_directory.summary(room_id)
                here = chat.presence.list_present(room_id) if summary else ()
                assert (summary.here if summary else 0) == len(here)


class Scenario:
    """Runs actions of two visitors in three rooms, allowed or not."""

    def __init__(self, chat: Chat, clock: FakeClock) -> None:
        self.chat = chat
        self.clock = clock
        self.rooms: set[str] = set()
        self._visitors: dict[str, Visitor] = {}

    async def run(self, action: str, *arguments: object) -> None:
        try:
            await getattr(self, f"_{action}")(*arguments)
        except ChatError:  # the action is not allowed now, so nothing has changed
            pass

    async def snapshot(
        self, room_directory: RoomDirectory
    ) -> tuple[list[RoomSummary], set[str], int]:
        """Return the stored state of a room directory."""
        summaries = await room_directory.summaries(sorted(self.rooms))
        return (
            [replace(summary, here=0, last_expiry=None) for summary in summaries],
            set(room_directory.list_ids()),
            room_directory.count()[1],
        )

    async def open_directory(self) -> RoomDirectory:
        chat = self.chat
        room_directory = RoomDirectory(
            database=chat._database,
            bus=Bus(),
            clock=self.clock,
            cipher=chat.room_directory._cipher,
            find_room=chat.rooms.find,
        )
        await room_directory.open()
        return room_directory

    async def _visitor(self, nickname: str) -> Visitor:
        if nickname not in self._visitors or await self.chat.identity.is_nickname_available(
            nickname
        ):
            self._visitors[nickname] = await sign_in(self.chat, nickname)
        return self._visitors[nickname]

    async def _room(self, name: str, nickname: str) -> tuple[Room, Visitor]:
        visitor = await self._visitor(nickname)
        room = await self.chat.rooms.open(name, visitor_id=visitor.id)
        self.rooms.add(room.id)
        return room, visitor

    async def _join(self, name: str, nickname: str) -> None:
        room, visitor = await self._room(name, nickname)
        await self.chat.memberships.join(room.id, visitor_id=visitor.id)

    async def _leave(self, name: str, nickname: str) -> None:
        room, visitor = await self._room(name, nickname)
        await self.chat.memberships.leave(room.id, visitor_id=visitor.id)

    async def _post(self, name: str, nickname: str) -> None:
        await self._join(name, nickname)
        room, visitor = await self._room(name, nickname)
        await self.chat.messages.post(room.id, visitor_id=visitor.id, text="hello")

    async def _create_unlisted(self, name: str, nickname: str) -> None:
        visitor = await self._visitor(nickname)
        room = await self.chat.rooms.create(name, visitor_id=visitor.id, listed=False)
        self.rooms.add(room.id)

    async def _enter(self, name: str, nickname: str, screen: str) -> None:
        await self._join(name, nickname)
        room, visitor = await self._room(name, nickname)
        member = await self.chat.memberships.require(room.id, visitor_id=visitor.id)
        await self.chat.presence.enter(member, page_id=screen)

    async def _exit(self, name: str, nickname: str, screen: str) -> None:
        room, visitor = await self._room(name, nickname)
        member = await self.chat.memberships.require(room.id, visitor_id=visitor.id)
        await self.chat.presence.leave(member, page_id=screen)

    async def _forget(self, nickname: str) -> None:
        await self.chat.identity.forget((await self._visitor(nickname)).id)

    async def _move(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    async def _purge(self) -> None:
        await self.chat.expiry.purge()

    async def _tick(self) -> None:
        await self.chat.room_directory.tick()


class DelayedDatabase(Database):
    """Reads at once, and returns results once `may_return` is set."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.has_read = asyncio.Event()
        self.may_return = asyncio.Event()
        self.may_return.set()

    @asynccontextmanager
    async def read_session(self) -> AsyncIterator[AsyncSession]:
        async with self._database.read_session() as session:
            yield session
        if not self.may_return.is_set():
            self.has_read.set()
        await self.may_return.wait()


async def _enter(chat: Chat, room: Room, visitor: Visitor) -> None:
    member = await chat.memberships.join(room.id, visitor_id=visitor.id)
    await chat.presence.enter(member, page_id="one")


async def test_room_is_found_by_slug_until_it_expires(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")
    assert (await chat.room_directory.find(room.slug)).id == room.id
    clock.advance(room.room_ttl)
    with pytest.raises(NotFound):
        await chat.room_directory.find(room.slug)
    again = await chat.rooms.create("kitchen", visitor_id=ann.id)
    assert again.slug == room.slug
    await chat.room_directory.tick()  # the first room ends only now
    assert (await chat.room_directory.find(room.slug)).id == again.id
    with pytest.raises(NotFound):
        await chat.room_directory.find("")

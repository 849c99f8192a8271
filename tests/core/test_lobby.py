"""What can be seen of all rooms from outside."""

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

from anonchat import Chat, ChatError, Glance, MemoryBus, NotFound, Room, RoomEnded, Visitor
from anonchat.database import Database
from anonchat.services.lobby import Lobby
from tests.fakes import Ear, FakeClock, come_in, gather_in, running_chat, say

pytestmark = pytest.mark.usefixtures("either_place")

SECOND = timedelta(seconds=1)


@pytest.fixture
async def ann(chat: Chat) -> Visitor:
    return await come_in(chat, "Ann")


async def test_a_new_room_is_seen_at_once(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    assert chat.lobby.glance(room.id) == Glance(room, here=0, first_seq=1, next_expiry=None)
    assert chat.lobby.order() == (room.id,)
    assert chat.lobby.count() == (0, 1)


async def test_an_unlisted_room_is_in_no_list(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.create("night train", visitor_id=ann.id, listed=False)
    await _be_present(chat, room, ann)
    await say(chat, room, ann, "hello")
    assert chat.lobby.order() == ()
    assert await chat.lobby.search("night", limit=9) == []
    assert chat.lobby.count() == (0, 0)
    assert chat.lobby.glance(room.id)


async def test_the_busiest_room_comes_first_and_among_equals_the_liveliest(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    rooms = {}
    for name in ("quiet", "lively", "busy"):
        rooms[name] = await chat.rooms.open(name, visitor_id=ann.id)
        await chat.memberships.join(rooms[name].id, visitor_id=ann.id)
        clock.move(SECOND)
    await _be_present(chat, rooms["busy"], ann)
    await say(chat, rooms["lively"], ann, "hello")
    clock.move(SECOND)
    assert chat.lobby.order() == tuple(rooms[name].id for name in ("busy", "lively", "quiet"))


async def test_the_order_holds_still_for_a_moment_unless_a_room_comes_or_goes(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    one = await chat.rooms.open("one", visitor_id=ann.id)
    clock.move(SECOND)
    two = await chat.rooms.open("two", visitor_id=ann.id)
    before = chat.lobby.order()
    await _be_present(chat, one, ann)
    assert chat.lobby.order() is before
    clock.move(SECOND)
    assert chat.lobby.order() == (one.id, two.id)
    three = await chat.rooms.open("three", visitor_id=ann.id)
    assert chat.lobby.order() == (one.id, three.id, two.id)


async def test_one_goes_through_the_public_rooms_page_by_page(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    for number in range(5):
        await chat.rooms.open(f"room {number}", visitor_id=ann.id)
        if number != 2:  # two that stand equal stand in some order nevertheless
            clock.move(SECOND)
    seen, place = [], None
    while True:
        glances, place = chat.lobby.browse(after=place, limit=2)
        seen += [glance.room.id for glance in glances]
        if place is None:
            break
    assert tuple(seen) == chat.lobby.order()
    assert chat.lobby.browse(limit=5) == (await chat.lobby.glance_all(seen), None)


async def test_searching_finds_the_best_match_first(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    for name in ("Night Train", "night", "Night Owls", "Night Bird", "day", "midnight"):
        room = await chat.rooms.open(name, visitor_id=ann.id)
        if name in ("Night Train", "midnight"):
            await _be_present(chat, room, ann)
        clock.move(SECOND)
    found = await chat.lobby.search(" NIGHT ", limit=9)
    assert [glance.room.name for glance in found] == [
        "night",  # that very name
        "Night Train",  # begins with it, and somebody is there
        "Night Bird",  # is livelier
        "Night Owls",
        "midnight",
    ]
    assert await chat.lobby.search("NIGHT", limit=2) == found[:2]


@pytest.mark.parametrize(
    "words",
    ["night  train", " night \t train ", "NIGHT\u00a0TR", "night\u3000train", "nig\u200bht"],
)
async def test_searching_finds_whatever_space_is_between(
    chat: Chat, ann: Visitor, words: str
) -> None:
    await chat.rooms.open("night train", visitor_id=ann.id)
    assert [glance.room.name for glance in await chat.lobby.search(words, limit=9)] == [
        "night train"
    ]


async def test_a_room_is_found_at_its_address_in_any_case(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    assert await chat.lobby.find("Night-TRAIN") == room
    assert await chat.rooms.find("Night-TRAIN") == room


async def test_searching_for_what_is_not_there_finds_nothing(chat: Chat, ann: Visitor) -> None:
    await chat.rooms.open("night train", visitor_id=ann.id)
    for words in ("", "  ", "nowhere", "(", "\\", "%", "\ud800", "x" * 10_000):
        assert await chat.lobby.search(words, limit=9) == []


async def test_names_are_found_in_any_script_and_case(chat: Chat, ann: Visitor) -> None:
    for name, words in (("Ночной поезд", "НОЧНОЙ"), ("Straße", "STRASSE"), ("🎉", "🎉")):
        room = await chat.rooms.open(name, visitor_id=ann.id)
        assert [glance.room for glance in await chat.lobby.search(words, limit=9)] == [room]


async def test_people_in_public_rooms_are_counted(chat: Chat, ann: Visitor) -> None:
    bob = await come_in(chat, "Bob")
    one = await chat.rooms.open("one", visitor_id=ann.id)
    two = await chat.rooms.open("two", visitor_id=ann.id)
    await _be_present(chat, one, ann)
    await _be_present(chat, one, bob)
    await _be_present(chat, two, bob)
    assert chat.lobby.count() == (3, 2)
    glance = chat.lobby.glance(one.id)
    assert glance
    assert glance.here == 2


async def test_whoever_has_left_a_room_is_not_counted(chat: Chat, ann: Visitor) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await _be_present(chat, room, ann)
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    assert chat.lobby.count() == (0, 1)


async def test_a_room_that_somebody_has_joined_is_seen_to_live_longer(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    bob = await come_in(chat, "Bob")
    clock.move(SECOND)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    glance = chat.lobby.glance(room.id)
    assert glance
    assert glance.room.expires_at == clock() + chat.settings.room_ttl


async def test_turning_ends_the_rooms_whose_time_is_over(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    await _be_present(chat, room, ann)
    clock.move(room.room_ttl)
    ear = Ear(chat)
    await chat.lobby.turn()
    assert ear.heard == [RoomEnded(room.id)]
    assert chat.lobby.order() == ()
    assert chat.lobby.count() == (0, 0)


async def test_a_room_whose_life_a_post_puts_off_in_the_last_moment_does_not_end(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, room_ttl="1m", message_ttl="1m") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        ear = Ear(chat)
        clock.move(59 * SECOND)
        keys = chat._keys._writing
        async with keys:  # the post has to wait here, after it was found that the room lives
            posting = asyncio.create_task(say(chat, room, ann, "just in time"))
            while not keys._waiters:  # noqa: ASYNC110  # a lock tells nobody who waits for it
                await asyncio.sleep(0)
            clock.move(SECOND)
            turning = asyncio.create_task(chat.lobby.turn())
            await asyncio.sleep(0.05)
        await asyncio.gather(posting, turning)
        assert ear.all(RoomEnded) == []
        glance = chat.lobby.glance(room.id)
        assert glance
        assert (glance.room.last_seq, glance.room.expires_at) == (1, clock() + 59 * SECOND)
        clock.move(59 * SECOND)
        await chat.lobby.turn()
        assert ear.all(RoomEnded) == [RoomEnded(room.id)]


async def test_an_ended_room_is_not_seen_even_before_the_turn(
    chat: Chat, ann: Visitor, clock: FakeClock
) -> None:
    room = await chat.rooms.open("night train", visitor_id=ann.id)
    clock.move(room.room_ttl)
    assert chat.lobby.glance(room.id) is None
    assert await chat.lobby.glance_all([room.id]) == []
    assert await chat.lobby.search("night", limit=9) == []


async def test_turning_tells_which_rooms_have_lost_their_oldest_message(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, _) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one")
    clock.move(SECOND)
    await say(chat, room, ann, "two")
    clock.move(room.message_ttl - SECOND)
    assert await chat.lobby.turn() == {room.id}
    glance = chat.lobby.glance(room.id)
    assert glance
    assert (glance.first_seq, glance.next_expiry) == (2, clock() + SECOND)
    assert await chat.lobby.turn() == set()
    clock.move(SECOND)
    assert await chat.lobby.turn() == {room.id}
    glance = chat.lobby.glance(room.id)
    assert glance
    assert (glance.first_seq, glance.next_expiry) == (3, None)


async def test_a_message_posted_while_the_oldest_is_looked_up_is_not_overlooked(
    chat: Chat, clock: FakeClock
) -> None:
    room, (ann, _) = await gather_in(chat, "night train", "Ann", "Bob")
    await say(chat, room, ann, "one")
    database = LateAnswers(chat._database)
    lobby = Lobby(
        database=database,
        bus=chat.bus,
        clock=clock,
        vault=chat.lobby._vault,
        find_room=chat.rooms.find,
    )
    await lobby.open()
    await lobby.glance_all([room.id])
    clock.move(room.message_ttl)
    database.answers.clear()
    turning = asyncio.create_task(lobby.turn())
    await database.asked.wait()
    await say(chat, room, ann, "two")
    database.answers.set()
    await turning
    await lobby.turn()
    (glance,) = await lobby.glance_all([room.id])
    assert (glance.first_seq, glance.next_expiry) == (2, clock() + room.message_ttl)


async def test_after_a_restart_the_rooms_are_seen_as_before(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await chat.rooms.open("day train", visitor_id=ann.id)
        await say(chat, room, ann, "one", "two")
        before = await chat.lobby.glance_all(chat.lobby.order())
    async with running_chat(tmp_path, clock) as chat:
        assert await chat.lobby.glance_all(chat.lobby.order()) == before


NAMES = st.sampled_from(["one", "two", "three"])
PEOPLE = st.sampled_from(["Ann", "Bob"])
SCREENS = st.sampled_from(["left", "right"])
ACTIONS = st.one_of(
    st.tuples(st.just("post"), NAMES, PEOPLE),
    st.tuples(st.just("post"), NAMES, PEOPLE),
    st.tuples(st.just("join"), NAMES, PEOPLE),
    st.tuples(st.just("leave"), NAMES, PEOPLE),
    st.tuples(st.just("enter"), NAMES, PEOPLE, SCREENS),
    st.tuples(st.just("exit"), NAMES, PEOPLE, SCREENS),
    st.tuples(st.just("hide"), NAMES, PEOPLE),
    st.tuples(st.just("forget"), PEOPLE),
    st.tuples(st.just("move"), st.sampled_from([1, 20, 61, 599])),
    st.tuples(st.just("purge")),
    st.tuples(st.just("turn")),
)


@settings(max_examples=15)
@given(actions=st.lists(ACTIONS, min_size=5, max_size=40))
def test_what_was_read_before_with_all_events_is_what_is_read_after(
    actions: list[tuple[str, ...]],
) -> None:
    asyncio.run(_play(actions))


async def _play(actions: list[tuple[str, ...]]) -> None:
    clock = FakeClock()
    with tempfile.TemporaryDirectory() as folder:
        async with running_chat(
            Path(folder), clock, message_ttl="1m", room_ttl="10m", visitor_ttl="20m"
        ) as chat:
            story = Story(chat, clock)
            for action in actions:
                await story.play(*action)
            await chat.messages.finish()
            await chat.lobby.turn()
            assert await story.see(chat.lobby) == await story.see(await story.read_anew())
            for room_id in story.rooms:
                glance = chat.lobby.glance(room_id)
                here = chat.presence.list_present(room_id) if glance else ()
                assert (glance.here if glance else 0) == len(here)


class Story:
    """Lets two people do things in three rooms, whether or not they may."""

    def __init__(self, chat: Chat, clock: FakeClock) -> None:
        self.chat = chat
        self.clock = clock
        self.rooms: set[str] = set()
        self._visitors: dict[str, Visitor] = {}

    async def play(self, what: str, *how: object) -> None:
        try:
            await getattr(self, f"_{what}")(*how)
        except ChatError:  # somebody may be out, or forgotten: then nothing has happened
            pass

    async def see(self, lobby: Lobby) -> tuple[list[Glance], set[str], int]:
        """Return all that is stored of what a lobby shows."""
        glances = await lobby.glance_all(sorted(self.rooms))
        return [replace(glance, here=0) for glance in glances], set(lobby.order()), lobby.count()[1]

    async def read_anew(self) -> Lobby:
        chat = self.chat
        lobby = Lobby(
            database=chat._database,
            bus=MemoryBus(),
            clock=self.clock,
            vault=chat.lobby._vault,
            find_room=chat.rooms.find,
        )
        await lobby.open()
        return lobby

    async def _visitor(self, nickname: str) -> Visitor:
        if nickname not in self._visitors or await self.chat.identity.is_free(nickname):
            self._visitors[nickname] = await come_in(self.chat, nickname)
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

    async def _hide(self, name: str, nickname: str) -> None:
        visitor = await self._visitor(nickname)
        room = await self.chat.rooms.create(name, visitor_id=visitor.id, listed=False)
        self.rooms.add(room.id)

    async def _enter(self, name: str, nickname: str, screen: str) -> None:
        await self._join(name, nickname)
        room, visitor = await self._room(name, nickname)
        member = await self.chat.memberships.require(room.id, visitor_id=visitor.id)
        await self.chat.presence.enter(member, screen=screen)

    async def _exit(self, name: str, nickname: str, screen: str) -> None:
        room, visitor = await self._room(name, nickname)
        member = await self.chat.memberships.require(room.id, visitor_id=visitor.id)
        await self.chat.presence.leave(member, screen=screen)

    async def _forget(self, nickname: str) -> None:
        await self.chat.identity.forget((await self._visitor(nickname)).id)

    async def _move(self, seconds: int) -> None:
        self.clock.move(timedelta(seconds=seconds))

    async def _purge(self) -> None:
        await self.chat.expiry.purge()

    async def _turn(self) -> None:
        await self.chat.lobby.turn()


class LateAnswers(Database):
    """Reads at once, and answers when it is told to."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        async with self._database.reading() as session:
            yield session
        if not self.answers.is_set():
            self.asked.set()
        await self.answers.wait()


async def _be_present(chat: Chat, room: Room, visitor: Visitor) -> None:
    member = await chat.memberships.join(room.id, visitor_id=visitor.id)
    await chat.presence.enter(member, screen="one")


async def test_a_room_is_found_at_its_address_while_it_lives(chat: Chat, clock: FakeClock) -> None:
    room, (ann,) = await gather_in(chat, "kitchen", "Ann")
    assert (await chat.lobby.find(room.slug)).id == room.id
    clock.move(room.room_ttl)
    with pytest.raises(NotFound):
        await chat.lobby.find(room.slug)
    again = await chat.rooms.create("kitchen", visitor_id=ann.id)
    assert again.slug == room.slug
    await chat.lobby.turn()  # only now the first one ends
    assert (await chat.lobby.find(room.slug)).id == again.id
    with pytest.raises(NotFound):
        await chat.lobby.find("")

"""One client network cannot take all places; whoever is idle gives way when there are none."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anonchat import (
    Chat,
    LimitReached,
    MemberLeft,
    NewsMissed,
    NotAMember,
    NotFound,
    Room,
    RoomEnded,
    Visitor,
    VisitorForgotten,
)
from anonchat.fair_share import fair_share, free_needed
from anonchat.network_shares import HeldPlaces
from tests.fakes import Ear, FakeClock, bytes_in, gather_in, read, running_chat, say

pytestmark = pytest.mark.usefixtures("either_place")

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FLOOD = "203.0.113.7"
ELSEWHERE = "198.51.100.4"
ONE_PLACE = pytest.mark.single("it is about numbers, which are the same with a server")


async def arrive(chat: Chat, nickname: str, address: str = "") -> Visitor:
    """Come in from an address, and be recognised."""
    _, token = await chat.identity.come_in(nickname, address=address)
    visitor = await chat.identity.recognise(token, address=address)
    assert visitor
    return visitor


async def arrive_many(chat: Chat, most: int, address: str | list[str]) -> list[Visitor]:
    """Come in as often as it is allowed, `most` times at most, from one address or several."""
    visitors = []
    for number in range(most):
        place = address if isinstance(address, str) else address[number % len(address)]
        try:
            visitors.append(await arrive(chat, f"puppet {number} {hash(place) % 99_999}", place))
        except LimitReached:
            break
    return visitors


async def join_many(chat: Chat, room: Room, visitors: list[Visitor]) -> list[Visitor]:
    """Let all join who may."""
    joined = []
    for visitor in visitors:
        try:
            await chat.memberships.join(room.id, visitor_id=visitor.id)
        except LimitReached:
            continue
        joined.append(visitor)
    return joined


@asynccontextmanager
async def started_anew(tmp_path: Path, clock: FakeClock, **changes: Any) -> AsyncIterator[Chat]:
    """Give a chat that has just started, and knows nobody's network."""
    async with running_chat(tmp_path, clock, **changes) as chat:
        yield chat


# How much a share is


@pytest.mark.parametrize("bound", [500, 20_000, 200_000])
def test_parties_that_come_one_after_the_other_leave_a_fair_part(bound: int) -> None:
    free = bound
    for parties in range(1, 21):
        held = 0
        while held < fair_share(bound, free):
            held, free = held + 1, free - 1
        assert free >= bound * 0.5 / parties - 1
    assert free > 0


@pytest.mark.parametrize("held", [1, 10, 60, 200])
def test_free_needed_is_where_the_share_exceeds_what_is_held(held: int) -> None:
    needed = free_needed(500, held)
    assert fair_share(500, needed - 1) < held < fair_share(500, needed + 1)


def test_whoever_holds_nothing_has_a_share_while_anything_is_free() -> None:
    assert fair_share(1_000_000, 1) > 0
    assert fair_share(1_000_000, 0) == 0


def test_held_places_are_bounded_and_forget_the_oldest() -> None:
    places = HeldPlaces(most=2)
    for place in ("a", "b", "c"):
        places.hold(place, (("net", 1.0),))
    assert places.list_places() == ["b", "c"]
    assert places.weigh((("net", 1.0),)) == 2
    places.hold("b", (("other", 1.0),))
    places.release("c")
    places.release("unknown")
    assert places.weigh((("net", 1.0),)) == 0
    assert places.weigh((("other", 1.0),)) == 1


@pytest.mark.parametrize(
    ("people", "others", "joined"),
    [(499, 1, range(200, 250)), (200, 1, [200]), (60, 370, [60]), (1, 499, [1])],
)
def test_of_a_room_of_500_one_network_can_take_a_part(
    people: int, others: int, joined: Collection[int]
) -> None:
    places, network = HeldPlaces(), (("net", 1.0),)
    taken = others
    for person in range(people):
        if places.is_within_share(network, bound=500, taken=taken):
            places.hold(person, network)
            taken += 1
    assert len(places) in joined


# Visitors


async def test_visitors_of_one_network_leave_places_to_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=60) as chat:
        assert len(await arrive_many(chat, 60, FLOOD)) < 30
        with pytest.raises(LimitReached, match="from your network"):
            await arrive(chat, "one more", FLOOD)
        await arrive(chat, "Ann", ELSEWHERE)


@ONE_PLACE
async def test_sixty_sign_ins_a_minute_from_one_network_never_fill_the_place(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=100) as chat:
        for minute in range(4):
            for number in range(60):
                try:
                    await arrive(chat, f"puppet {minute} {number}", FLOOD)
                except LimitReached:
                    break
            clock.move(MINUTE)
            newcomer = await arrive(chat, f"Ann {minute}", f"198.51.100.{minute}")
            await chat.identity.forget(newcomer.id)


async def test_many_ipv6_networks_of_one_48_leave_places_to_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=40) as chat:
        addresses = [f"2001:db8:0:{number:x}::1" for number in range(40)]
        puppets = await arrive_many(chat, 40, addresses)
        assert 10 < len(puppets) < 40, "a /48 has more than a /64, and not all"
        await arrive(chat, "Ann", "2001:db8:1::1")


async def test_a_forgotten_visitor_frees_the_place_of_the_network(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=20) as chat:
        puppets = await arrive_many(chat, 20, FLOOD)
        for puppet in puppets[:3]:
            await chat.identity.forget(puppet.id)
        for number in range(3):
            await arrive(chat, f"next {number}", FLOOD)


async def test_a_visitor_who_moves_counts_in_the_new_network_alone(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        _, token = await chat.identity.come_in("Ann", address=FLOOD)
        await chat.identity.recognise(token, address=ELSEWHERE)
        await chat.identity.recognise(token, address=ELSEWHERE)
        weigh, of = chat.network_shares.visitors.weigh, chat.network_shares.of_address
        assert (weigh(of(FLOOD)), weigh(of(ELSEWHERE))) == (0, 1)


async def test_after_a_gap_of_the_bus_nobody_is_counted_who_is_gone(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann = await arrive(chat, "Ann", FLOOD)
        chat.network_shares.visitors.hold(
            "forgotten elsewhere", chat.network_shares.of_address(FLOOD)
        )
        await chat.bus.tell(NewsMissed())
        await chat.purge()
        assert chat.network_shares.visitors.list_places() == [ann.id]


async def test_in_a_full_place_the_oldest_idle_visitor_gives_way(
    tmp_path: Path, clock: FakeClock
) -> None:
    changes: dict[str, Any] = {"visitors_max": 6}
    async with running_chat(tmp_path / "data", clock, **changes) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        await say(chat, room, bob, "hello")
        for number in range(4):
            clock.move(MINUTE)
            await arrive(chat, f"puppet {number}", f"192.0.2.{number}")
    clock.move(timedelta(hours=2))
    async with started_anew(tmp_path / "data", clock, **changes) as chat:
        ear = Ear(chat)
        await arrive(chat, "Cleo", ELSEWHERE)
        assert len(ear.all(VisitorForgotten)) == 1
        assert await chat.identity.is_free("puppet 0")
        assert not await chat.identity.is_free("puppet 1")
        members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
        assert {member.visitor_id for member in members} == {ann.id, bob.id}


async def test_who_has_posted_has_a_screen_open_or_owns_a_used_room_never_gives_way(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=3) as chat:
        _, (_owner, poster) = await gather_in(chat, "night train", "Owner", "Poster")
        room = await chat.rooms.open("night train", visitor_id=poster.id)
        await say(chat, room, poster, "hello")
        watching = await arrive(chat, "Watching")
        chat.open_screens.add_source(lambda: [watching.id])
        clock.move(timedelta(hours=3))
        await chat.purge()
        with pytest.raises(LimitReached, match="full"):
            await arrive(chat, "Cleo", ELSEWHERE)
        for _ in range(40):  # for longer than a visitor lives who was seen once
            clock.move(timedelta(hours=1))
            await chat.purge()
        assert not await chat.identity.is_free("Watching")


async def test_whose_token_is_on_its_way_does_not_give_way(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=1) as chat:
        await chat.identity.come_in("Ann")
        with pytest.raises(LimitReached):
            await chat.identity.come_in("Bob")
        clock.move(2 * MINUTE)
        await chat.identity.come_in("Bob")
        assert await chat.identity.is_free("Ann")


async def test_nobody_gives_way_to_a_network_that_holds_more(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=20) as chat:
        await arrive(chat, "Ann", ELSEWHERE)
        clock.move(timedelta(hours=3))
        await arrive_many(chat, 20, FLOOD)
        assert not await chat.identity.is_free("Ann")


async def test_a_small_network_is_let_in_at_the_cost_of_a_large_one(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=10) as chat:
        await arrive_many(chat, 10, FLOOD)
        for number in range(4):
            await arrive_many(chat, 10, f"192.0.2.{number}")
        clock.move(timedelta(hours=2))
        ear = Ear(chat)
        await arrive(chat, "Ann", ELSEWHERE)
        assert len(ear.all(VisitorForgotten)) <= 1


# Rooms


async def test_visitors_of_one_network_cannot_make_all_rooms(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, rooms_max=30) as chat:
        puppets = await arrive_many(chat, 5, FLOOD)
        made = 0
        for number in range(30):
            try:
                await chat.rooms.create(f"room {number}", visitor_id=puppets[number % 5].id)
            except LimitReached:
                break
            made += 1
        assert made < 15
        with pytest.raises(LimitReached, match="from your network"):
            await chat.rooms.create("one more", visitor_id=puppets[0].id)
        ann = await arrive(chat, "Ann", ELSEWHERE)
        await chat.rooms.create("night train", visitor_id=ann.id)


async def test_a_room_that_ends_frees_the_place_of_the_network(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, rooms_max=4) as chat:
        eve = await arrive(chat, "Eve", FLOOD)
        room = await chat.rooms.create("one", visitor_id=eve.id)
        await chat.rooms.create("two", visitor_id=eve.id)
        with pytest.raises(LimitReached):
            await chat.rooms.create("three", visitor_id=eve.id)
        await chat.rooms.burn(room.id, visitor_id=eve.id)
        await chat.rooms.create("three", visitor_id=eve.id)


async def test_when_there_are_too_many_rooms_the_oldest_unused_one_gives_way(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, rooms_max=4) as chat:
        entered, (ann, _) = await gather_in(chat, "entered", "Ann", "Bob")
        said = await chat.rooms.create("said", visitor_id=ann.id)
        await say(chat, said, ann, "hello")
        watched = await chat.rooms.create("watched", visitor_id=ann.id)
        member = await chat.memberships.require(watched.id, visitor_id=ann.id)
        await chat.presence.enter(member, screen="s")
        unused = await chat.rooms.create("unused", visitor_id=ann.id)
        with pytest.raises(LimitReached, match="too many rooms"):  # it was made a moment ago
            await chat.rooms.create("new", visitor_id=ann.id)
        clock.move(2 * MINUTE)
        ear = Ear(chat)
        await chat.rooms.create("new", visitor_id=ann.id)
        assert ear.all(RoomEnded) == [RoomEnded(unused.id)]
        with pytest.raises(NotFound):
            await chat.rooms.find(unused.slug)
        for room in (entered, said, watched):
            assert await chat.rooms.find(room.slug)


# Members


async def test_puppets_of_one_network_do_not_fill_a_room(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=50) as chat:
        room, _ = await gather_in(chat, "night train", "Ann")
        joined = await join_many(chat, room, await arrive_many(chat, 49, FLOOD))
        assert 20 <= len(joined) < 25
        bob = await arrive(chat, "Bob", ELSEWHERE)
        await chat.memberships.join(room.id, visitor_id=bob.id)
        await say(chat, room, bob, "hello")


@ONE_PLACE
async def test_people_behind_one_address_join_a_room_that_many_others_are_in(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=50) as chat:
        room, _ = await gather_in(chat, "night train", "Ann")
        others = await arrive_many(chat, 35, [f"192.0.2.{number}" for number in range(35)])
        assert len(await join_many(chat, room, others)) == 35
        people = await arrive_many(chat, 6, ELSEWHERE)
        assert len(await join_many(chat, room, people)) == 6


async def test_many_ipv6_networks_of_one_48_do_not_fill_a_room(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=20) as chat:
        room, _ = await gather_in(chat, "night train", "Ann")
        addresses = [f"2001:db8:0:{number:x}::1" for number in range(25)]
        joined = await join_many(chat, room, await arrive_many(chat, 25, addresses))
        assert len(joined) < 19
        bob = await arrive(chat, "Bob", ELSEWHERE)
        await chat.memberships.join(room.id, visitor_id=bob.id)


async def test_in_a_full_room_the_longest_idle_member_gives_way(
    tmp_path: Path, clock: FakeClock
) -> None:
    changes: dict[str, Any] = {"members_per_room_max": 5}
    async with running_chat(tmp_path / "data", clock, **changes) as chat:
        room, (owner, poster, here) = await gather_in(chat, "train", "Owner", "Poster", "Here")
        await say(chat, room, poster, "hello")
        idle = await join_many(chat, room, [await arrive(chat, f"idle {n}") for n in range(2)])
        member = await chat.memberships.require(room.id, visitor_id=here.id)
        await chat.presence.enter(member, screen="s")
        clock.move(2 * MINUTE)
        ear = Ear(chat)
        cleo = await arrive(chat, "Cleo", ELSEWHERE)
        await chat.memberships.join(room.id, visitor_id=cleo.id)
        (left,) = ear.all(MemberLeft)
        assert left.visitor_id in {visitor.id for visitor in idle}
        with pytest.raises(NotAMember):
            await chat.memberships.require(room.id, visitor_id=left.visitor_id)
        for visitor in (owner, poster, here, cleo):
            assert await chat.memberships.has(room.id, visitor.id)
        assert await chat.memberships.count(room.id) == 5


async def test_who_has_once_posted_in_a_room_keeps_the_place_when_the_message_is_gone(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=2) as chat:
        ann, bob = await arrive(chat, "Ann"), await arrive(chat, "Bob")
        room = await chat.rooms.create("train", visitor_id=ann.id, message_ttl=MINUTE)
        await chat.memberships.join(room.id, visitor_id=bob.id)
        await say(chat, room, bob, "hello")
        clock.move(timedelta(hours=1))
        await chat.purge()
        cleo = await arrive(chat, "Cleo", ELSEWHERE)
        with pytest.raises(LimitReached, match="full"):
            await chat.memberships.join(room.id, visitor_id=cleo.id)


# Lives grow with use


async def test_who_has_never_posted_lives_shorter(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        await say(chat, room, bob, "hello")
        clock.move(DAY)
        await chat.purge()
        assert await chat.identity.is_free("Ann")
        assert not await chat.identity.is_free("Bob")
        clock.move(chat.settings.visitor_ttl - DAY - timedelta(seconds=1))
        await chat.purge()
        assert not await chat.identity.is_free("Bob")
        assert not await chat.memberships.has(room.id, ann.id)


@pytest.mark.parametrize(
    ("changes", "hours"), [({"new_visitor_ttl": "3h"}, 3), ({"visitor_ttl": "2h"}, 2)]
)
async def test_the_life_of_a_new_visitor_is_a_setting_below_that_of_any_visitor(
    tmp_path: Path, clock: FakeClock, changes: dict[str, Any], hours: int
) -> None:
    async with running_chat(tmp_path / "data", clock, **changes) as chat:
        visitor = await arrive(chat, "Ann")
        assert visitor.expires_at == clock() + timedelta(hours=hours)


async def test_a_room_that_only_its_maker_entered_lives_shorter(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann, bob = await arrive(chat, "Ann"), await arrive(chat, "Bob")
        alone = await chat.rooms.create("alone", visitor_id=ann.id, room_ttl=90 * DAY)
        used = await chat.rooms.create("used", visitor_id=ann.id, room_ttl=90 * DAY)
        assert alone.expires_at == used.expires_at == clock() + DAY
        await chat.memberships.leave(alone.id, visitor_id=ann.id)
        await chat.memberships.join(alone.id, visitor_id=ann.id)
        await chat.memberships.join(used.id, visitor_id=bob.id)
        await chat.memberships.leave(used.id, visitor_id=bob.id)
        assert (await chat.rooms.find(alone.slug)).expires_at == clock() + DAY
        assert (await chat.rooms.find(used.slug)).expires_at == clock() + 90 * DAY
        glance = chat.lobby.glance(used.id)
        assert glance
        assert glance.room.expires_at == clock() + 90 * DAY
        clock.move(DAY)
        await chat.purge()
        with pytest.raises(NotFound):
            await chat.rooms.find(alone.slug)
        assert await chat.rooms.find(used.slug)


async def test_posting_alone_puts_off_the_end_of_a_room_and_no_message_outlives_it(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann = await arrive(chat, "Ann")
        days = await chat.rooms.create(
            "days", visitor_id=ann.id, room_ttl=9 * DAY, message_ttl=5 * DAY
        )
        hour = await chat.rooms.create("hour", visitor_id=ann.id, message_ttl=timedelta(hours=1))
        clock.move(timedelta(hours=5))
        for room, life in ((days, 5 * DAY), (hour, DAY)):
            await say(chat, room, ann, "hello")
            assert (await chat.rooms.find(room.slug)).expires_at == clock() + life
        clock.move(5 * DAY - timedelta(seconds=1))
        await chat.purge()
        assert await read(chat, days, ann) == ["hello"]


# What is known of networks


async def test_no_address_is_kept_nor_written(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann = await arrive(chat, "Ann", FLOOD)
        await chat.rooms.create("night train", visitor_id=ann.id)
        for places in (chat.network_shares.visitors, chat.network_shares.rooms):
            for place in places.list_places():
                for key, _ in places.networks_of(place):
                    assert len(bytes.fromhex(key)) == 12
        assert FLOOD.encode() not in bytes_in(tmp_path / "data")


async def test_two_processes_have_other_names_for_one_network(
    tmp_path: Path, clock: FakeClock
) -> None:
    names = set()
    for _ in range(2):
        async with running_chat(tmp_path / "data", clock) as chat:
            names.add(chat.network_shares.of_address(FLOOD))
    assert len(names) == 2

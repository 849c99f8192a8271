"""Fair shares per client network; idle visitors, rooms and members are evicted when full."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anonchat import (
    Chat,
    EventsLost,
    LimitReached,
    MemberLeft,
    NotAMember,
    NotFound,
    Room,
    RoomEnded,
    Visitor,
    VisitorForgotten,
)
from anonchat.limits.fair_share import fair_share, free_needed
from anonchat.limits.network_shares import NetworkHoldings
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    post_messages,
    read,
    read_all_bytes,
    running_chat,
)

pytestmark = pytest.mark.usefixtures("either_place")

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FLOOD = "203.0.113.7"
ELSEWHERE = "198.51.100.4"
SINGLE_NODE = pytest.mark.single("the numbers are the same in a cluster")


async def sign_in_from(chat: Chat, nickname: str, address: str = "") -> Visitor:
    """Sign in and authenticate from an address."""
    _, token = await chat.identity.sign_in(nickname, address=address)
    visitor = await chat.identity.authenticate(token, address=address)
    assert visitor
    return visitor


async def sign_in_many(chat: Chat, count_max: int, address: str | list[str]) -> list[Visitor]:
    """Sign in until a limit refuses, at most `count_max` times, from one address or several."""
    visitors = []
    for number in range(count_max):
        source = address if isinstance(address, str) else address[number % len(address)]
        try:
            visitors.append(
                await sign_in_from(chat, f"puppet {number} {hash(source) % 99_999}", source)
            )
        except LimitReached:
            break
    return visitors


async def join_many(chat: Chat, room: Room, visitors: list[Visitor]) -> list[Visitor]:
    """Join each visitor that the limits allow, and return these visitors."""
    joined = []
    for visitor in visitors:
        try:
            await chat.memberships.join(room.id, visitor_id=visitor.id)
        except LimitReached:
            continue
        joined.append(visitor)
    return joined


# Size of a share


@pytest.mark.parametrize("bound", [500, 20_000, 200_000])
def test_fair_share_leaves_places_to_parties_that_arrive_later(bound: int) -> None:
    free = bound
    for parties in range(1, 21):
        held = 0
        while held < fair_share(bound, free):
            held, free = held + 1, free - 1
        assert free >= bound * 0.5 / parties - 1
    assert free > 0


@pytest.mark.parametrize("held", [1, 10, 60, 200])
def test_free_needed_is_where_the_share_exceeds_the_held_places(held: int) -> None:
    needed = free_needed(500, held)
    assert fair_share(500, needed - 1) < held < fair_share(500, needed + 1)


def test_fair_share_is_positive_while_a_place_is_free() -> None:
    assert fair_share(1_000_000, 1) > 0
    assert fair_share(1_000_000, 0) == 0


def test_held_places_are_bounded_and_evict_the_oldest() -> None:
    places = NetworkHoldings(size_max=2)
    for place in ("a", "b", "c"):
        places.hold(place, (("net", 1.0),))
    assert places.list_places() == ["b", "c"]
    assert places.weighted_count((("net", 1.0),)) == 2
    places.hold("b", (("other", 1.0),))
    places.release("c")
    places.release("unknown")
    assert places.weighted_count((("net", 1.0),)) == 0
    assert places.weighted_count((("other", 1.0),)) == 1


@pytest.mark.parametrize(
    ("visitors", "others", "joined"),
    [(499, 1, range(200, 250)), (200, 1, [200]), (60, 370, [60]), (1, 499, [1])],
)
def test_one_network_can_hold_only_a_share_of_500_places(
    visitors: int, others: int, joined: Collection[int]
) -> None:
    places, network = NetworkHoldings(), (("net", 1.0),)
    taken = others
    for visitor in range(visitors):
        if places.is_within_share(network, bound=500, taken=taken):
            places.hold(visitor, network)
            taken += 1
    assert len(places) in joined


# Visitors


async def test_sign_ins_of_one_network_leave_places_to_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=60) as chat:
        assert len(await sign_in_many(chat, 60, FLOOD)) < 30
        with pytest.raises(LimitReached, match="from your network"):
            await sign_in_from(chat, "one more", FLOOD)
        await sign_in_from(chat, "Ann", ELSEWHERE)


@SINGLE_NODE
async def test_60_sign_ins_a_minute_from_one_network_do_not_fill_the_site(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=100) as chat:
        for minute in range(4):
            for number in range(60):
                try:
                    await sign_in_from(chat, f"puppet {minute} {number}", FLOOD)
                except LimitReached:
                    break
            clock.advance(MINUTE)
            newcomer = await sign_in_from(chat, f"Ann {minute}", f"198.51.100.{minute}")
            await chat.identity.forget(newcomer.id)


async def test_sign_ins_of_many_ipv6_networks_of_one_48_leave_places_to_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=40) as chat:
        addresses = [f"2001:db8:0:{number:x}::1" for number in range(40)]
        puppets = await sign_in_many(chat, 40, addresses)
        assert 10 < len(puppets) < 40, "a /48 has a larger share than a /64, but not all places"
        await sign_in_from(chat, "Ann", "2001:db8:1::1")


async def test_forgotten_visitor_frees_a_place_of_the_network(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=20) as chat:
        puppets = await sign_in_many(chat, 20, FLOOD)
        for puppet in puppets[:3]:
            await chat.identity.forget(puppet.id)
        for number in range(3):
            await sign_in_from(chat, f"next {number}", FLOOD)


async def test_visitor_who_changes_networks_counts_only_in_the_new_one(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        _, token = await chat.identity.sign_in("Ann", address=FLOOD)
        await chat.identity.authenticate(token, address=ELSEWHERE)
        await chat.identity.authenticate(token, address=ELSEWHERE)
        weigh, of = (
            chat.network_shares.visitors.weighted_count,
            chat.network_shares.networks_of_address,
        )
        assert (weigh(of(FLOOD)), weigh(of(ELSEWHERE))) == (0, 1)


async def test_forgotten_visitors_are_not_counted_after_events_were_lost(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann = await sign_in_from(chat, "Ann", FLOOD)
        chat.network_shares.visitors.hold(
            "forgotten elsewhere", chat.network_shares.networks_of_address(FLOOD)
        )
        await chat.bus.publish_local(EventsLost())
        await chat.purge()
        assert chat.network_shares.visitors.list_places() == [ann.id]


async def test_full_site_evicts_the_oldest_idle_visitor(tmp_path: Path, clock: FakeClock) -> None:
    changes: dict[str, Any] = {"visitors_max": 6}
    async with running_chat(tmp_path / "data", clock, **changes) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await post_messages(chat, room, bob, "hello")
        for number in range(4):
            clock.advance(MINUTE)
            await sign_in_from(chat, f"puppet {number}", f"192.0.2.{number}")
    clock.advance(timedelta(hours=2))
    # After the restart the networks of the visitors are unknown.
    async with running_chat(tmp_path / "data", clock, **changes) as chat:
        recorder = EventRecorder(chat)
        await sign_in_from(chat, "Cleo", ELSEWHERE)
        assert len(recorder.of_type(VisitorForgotten)) == 1
        assert await chat.identity.is_nickname_available("puppet 0")
        assert not await chat.identity.is_nickname_available("puppet 1")
        members = await chat.memberships.list_members(room.id, visitor_id=bob.id)
        assert {member.visitor_id for member in members} == {ann.id, bob.id}


async def test_visitor_who_posted_or_watches_or_owns_a_used_room_is_not_evicted(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=3) as chat:
        _, (_owner, poster) = await create_room_with_members(chat, "night train", "Owner", "Poster")
        room = await chat.rooms.open("night train", visitor_id=poster.id)
        await post_messages(chat, room, poster, "hello")
        watching = await sign_in_from(chat, "Watching")
        chat.open_pages.add_source(lambda: [watching.id])
        clock.advance(timedelta(hours=3))
        await chat.purge()
        with pytest.raises(LimitReached, match="full"):
            await sign_in_from(chat, "Cleo", ELSEWHERE)
        for _ in range(40):  # longer than `new_visitor_ttl`
            clock.advance(timedelta(hours=1))
            await chat.purge()
        assert not await chat.identity.is_nickname_available("Watching")


async def test_visitor_who_just_signed_in_is_not_evicted(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=1) as chat:
        await chat.identity.sign_in("Ann")
        with pytest.raises(LimitReached):
            await chat.identity.sign_in("Bob")
        clock.advance(2 * MINUTE)
        await chat.identity.sign_in("Bob")
        assert await chat.identity.is_nickname_available("Ann")


async def test_visitor_is_not_evicted_for_a_network_that_holds_more(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=20) as chat:
        await sign_in_from(chat, "Ann", ELSEWHERE)
        clock.advance(timedelta(hours=3))
        await sign_in_many(chat, 20, FLOOD)
        assert not await chat.identity.is_nickname_available("Ann")


async def test_small_network_is_admitted_at_the_expense_of_a_large_one(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, visitors_max=10) as chat:
        await sign_in_many(chat, 10, FLOOD)
        for number in range(4):
            await sign_in_many(chat, 10, f"192.0.2.{number}")
        clock.advance(timedelta(hours=2))
        recorder = EventRecorder(chat)
        await sign_in_from(chat, "Ann", ELSEWHERE)
        assert len(recorder.of_type(VisitorForgotten)) <= 1


# Rooms


async def test_visitors_of_one_network_cannot_create_all_rooms(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, rooms_max=30) as chat:
        puppets = await sign_in_many(chat, 5, FLOOD)
        created = 0
        for number in range(30):
            try:
                await chat.rooms.create(f"room {number}", visitor_id=puppets[number % 5].id)
            except LimitReached:
                break
            created += 1
        assert created < 15
        with pytest.raises(LimitReached, match="from your network"):
            await chat.rooms.create("one more", visitor_id=puppets[0].id)
        ann = await sign_in_from(chat, "Ann", ELSEWHERE)
        await chat.rooms.create("night train", visitor_id=ann.id)


async def test_ended_room_frees_a_place_of_the_network(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, rooms_max=4) as chat:
        eve = await sign_in_from(chat, "Eve", FLOOD)
        room = await chat.rooms.create("one", visitor_id=eve.id)
        await chat.rooms.create("two", visitor_id=eve.id)
        with pytest.raises(LimitReached):
            await chat.rooms.create("three", visitor_id=eve.id)
        await chat.room_deletion.burn(room.id, visitor_id=eve.id)
        await chat.rooms.create("three", visitor_id=eve.id)


async def test_oldest_unused_room_is_evicted_at_the_room_limit(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, rooms_max=4) as chat:
        entered, (ann, _) = await create_room_with_members(chat, "entered", "Ann", "Bob")
        posted = await chat.rooms.create("posted", visitor_id=ann.id)
        await post_messages(chat, posted, ann, "hello")
        watched = await chat.rooms.create("watched", visitor_id=ann.id)
        member = await chat.memberships.require(watched.id, visitor_id=ann.id)
        await chat.presence.enter(member, page_id="s")
        unused = await chat.rooms.create("unused", visitor_id=ann.id)
        # The unused room was created too recently to be evicted.
        with pytest.raises(LimitReached, match="too many rooms"):
            await chat.rooms.create("new", visitor_id=ann.id)
        clock.advance(2 * MINUTE)
        recorder = EventRecorder(chat)
        await chat.rooms.create("new", visitor_id=ann.id)
        assert recorder.of_type(RoomEnded) == [RoomEnded(unused.id)]
        with pytest.raises(NotFound):
            await chat.rooms.find(unused.slug)
        for room in (entered, posted, watched):
            assert await chat.rooms.find(room.slug)


# Members


async def test_members_from_one_network_do_not_fill_a_room(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=50) as chat:
        room, _ = await create_room_with_members(chat, "night train", "Ann")
        joined = await join_many(chat, room, await sign_in_many(chat, 49, FLOOD))
        assert 20 <= len(joined) < 25
        bob = await sign_in_from(chat, "Bob", ELSEWHERE)
        await chat.memberships.join(room.id, visitor_id=bob.id)
        await post_messages(chat, room, bob, "hello")


@SINGLE_NODE
async def test_visitors_behind_one_address_can_join_a_crowded_room(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=50) as chat:
        room, _ = await create_room_with_members(chat, "night train", "Ann")
        others = await sign_in_many(chat, 35, [f"192.0.2.{number}" for number in range(35)])
        assert len(await join_many(chat, room, others)) == 35
        visitors = await sign_in_many(chat, 6, ELSEWHERE)
        assert len(await join_many(chat, room, visitors)) == 6


async def test_members_from_many_ipv6_networks_of_one_48_do_not_fill_a_room(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=20) as chat:
        room, _ = await create_room_with_members(chat, "night train", "Ann")
        addresses = [f"2001:db8:0:{number:x}::1" for number in range(25)]
        joined = await join_many(chat, room, await sign_in_many(chat, 25, addresses))
        assert len(joined) < 19
        bob = await sign_in_from(chat, "Bob", ELSEWHERE)
        await chat.memberships.join(room.id, visitor_id=bob.id)


async def test_full_room_evicts_the_longest_idle_member(tmp_path: Path, clock: FakeClock) -> None:
    changes: dict[str, Any] = {"members_per_room_max": 5}
    async with running_chat(tmp_path / "data", clock, **changes) as chat:
        room, (owner, poster, here) = await create_room_with_members(
            chat, "train", "Owner", "Poster", "Here"
        )
        await post_messages(chat, room, poster, "hello")
        idle = await join_many(
            chat, room, [await sign_in_from(chat, f"idle {n}") for n in range(2)]
        )
        member = await chat.memberships.require(room.id, visitor_id=here.id)
        await chat.presence.enter(member, page_id="s")
        clock.advance(2 * MINUTE)
        recorder = EventRecorder(chat)
        cleo = await sign_in_from(chat, "Cleo", ELSEWHERE)
        await chat.memberships.join(room.id, visitor_id=cleo.id)
        (left,) = recorder.of_type(MemberLeft)
        assert left.visitor_id in {visitor.id for visitor in idle}
        assert not left.requested
        with pytest.raises(NotAMember):
            await chat.memberships.require(room.id, visitor_id=left.visitor_id)
        for visitor in (owner, poster, here, cleo):
            assert await chat.memberships.is_member(room.id, visitor.id)
        assert await chat.memberships.count(room.id) == 5


async def test_member_who_posted_is_not_evicted_after_the_message_expired(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, members_per_room_max=2) as chat:
        ann, bob = await sign_in_from(chat, "Ann"), await sign_in_from(chat, "Bob")
        room = await chat.rooms.create("train", visitor_id=ann.id, message_ttl=MINUTE)
        await chat.memberships.join(room.id, visitor_id=bob.id)
        await post_messages(chat, room, bob, "hello")
        clock.advance(timedelta(hours=1))
        await chat.purge()
        cleo = await sign_in_from(chat, "Cleo", ELSEWHERE)
        with pytest.raises(LimitReached, match="full"):
            await chat.memberships.join(room.id, visitor_id=cleo.id)


# Lifetimes grow with use


async def test_visitor_who_never_posted_expires_earlier(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await post_messages(chat, room, bob, "hello")
        clock.advance(DAY)
        await chat.purge()
        assert await chat.identity.is_nickname_available("Ann")
        assert not await chat.identity.is_nickname_available("Bob")
        clock.advance(chat.settings.visitor_ttl - DAY - timedelta(seconds=1))
        await chat.purge()
        assert not await chat.identity.is_nickname_available("Bob")
        assert not await chat.memberships.is_member(room.id, ann.id)


@pytest.mark.parametrize(
    ("changes", "hours"), [({"new_visitor_ttl": "3h"}, 3), ({"visitor_ttl": "2h"}, 2)]
)
async def test_lifetime_of_a_new_visitor_is_the_lower_of_two_settings(
    tmp_path: Path, clock: FakeClock, changes: dict[str, Any], hours: int
) -> None:
    async with running_chat(tmp_path / "data", clock, **changes) as chat:
        visitor = await sign_in_from(chat, "Ann")
        assert visitor.expires_at == clock() + timedelta(hours=hours)


async def test_room_that_only_its_creator_entered_expires_earlier(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann, bob = await sign_in_from(chat, "Ann"), await sign_in_from(chat, "Bob")
        alone = await chat.rooms.create("alone", visitor_id=ann.id, room_ttl=90 * DAY)
        used = await chat.rooms.create("used", visitor_id=ann.id, room_ttl=90 * DAY)
        assert alone.expires_at == used.expires_at == clock() + DAY
        await chat.memberships.leave(alone.id, visitor_id=ann.id)
        await chat.memberships.join(alone.id, visitor_id=ann.id)
        await chat.memberships.join(used.id, visitor_id=bob.id)
        await chat.memberships.leave(used.id, visitor_id=bob.id)
        assert (await chat.rooms.find(alone.slug)).expires_at == clock() + DAY
        assert (await chat.rooms.find(used.slug)).expires_at == clock() + 90 * DAY
        summary = chat.room_directory.summary(used.id)
        assert summary
        assert summary.room.expires_at == clock() + 90 * DAY
        clock.advance(DAY)
        await chat.purge()
        with pytest.raises(NotFound):
            await chat.rooms.find(alone.slug)
        assert await chat.rooms.find(used.slug)


async def test_post_by_the_only_member_extends_the_room_to_the_message_lifetime(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann = await sign_in_from(chat, "Ann")
        days = await chat.rooms.create(
            "days", visitor_id=ann.id, room_ttl=9 * DAY, message_ttl=5 * DAY
        )
        hour = await chat.rooms.create("hour", visitor_id=ann.id, message_ttl=timedelta(hours=1))
        clock.advance(timedelta(hours=5))
        for room, lifetime in ((days, 5 * DAY), (hour, DAY)):
            await post_messages(chat, room, ann, "hello")
            assert (await chat.rooms.find(room.slug)).expires_at == clock() + lifetime
        clock.advance(5 * DAY - timedelta(seconds=1))
        await chat.purge()
        assert await read(chat, days, ann) == ["hello"]


# Stored data about networks


async def test_client_addresses_are_neither_kept_nor_stored(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock) as chat:
        ann = await sign_in_from(chat, "Ann", FLOOD)
        await chat.rooms.create("night train", visitor_id=ann.id)
        for places in (chat.network_shares.visitors, chat.network_shares.rooms):
            for place in places.list_places():
                for key, _ in places.networks_of(place):
                    assert len(bytes.fromhex(key)) == 12
        assert FLOOD.encode() not in read_all_bytes(tmp_path / "data")


async def test_network_names_differ_between_processes(tmp_path: Path, clock: FakeClock) -> None:
    names = set()
    for _ in range(2):
        async with running_chat(tmp_path / "data", clock) as chat:
            names.add(chat.network_shares.networks_of_address(FLOOD))
    assert len(names) == 2

"""How often what may be done, and how soon again."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import (
    InvalidMessage,
    LimitReached,
    NotAMember,
    PuzzleUnsolved,
    TooOften,
    WorkBudget,
    client_networks,
    neighbourhood,
)
from anonchat import limits as limits_module
from anonchat import work_budget as work_budget_module
from anonchat.limits import Limit
from anonchat.rates import UNLIMITED, Rate, parse_rate
from tests.challenge import solve
from tests.fakes import (
    FakeClock,
    come_in,
    gather_in,
    make_limit,
    make_work_budget,
    read,
    running_chat,
    say,
)

pytestmark = pytest.mark.usefixtures("either_place")

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("text", ["20/10s", "1/1h", "600/10m", "off"])
def test_a_rate_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_rate(text)) == text


@pytest.mark.parametrize(
    "text", ["", "20", "0/10s", "-1/10s", "20/10", "9999999/1s", "20/0s", "often", "2/1m/2"]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rate(text)


def test_so_many_are_free_at_once_and_then_it_is_told_when_the_next_is(clock: FakeClock) -> None:
    limit = make_limit(Rate(3, 30 * SECOND), clock)
    assert _count_spent(limit, "ann", 9) == 3
    assert _refusal(limit, "ann") == 10
    clock.move(3 * SECOND)
    assert _refusal(limit, "ann") == 7
    clock.move(7 * SECOND)
    assert _count_spent(limit, "ann", 9) == 1


def test_being_refused_costs_nothing(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.spend("ann")
    for _ in range(9):
        assert _refusal(limit, "ann") == 10
    clock.move(10 * SECOND)
    limit.spend("ann")


def test_everybody_has_a_limit_of_their_own(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.spend("ann")
    limit.spend("bob")
    assert _refusal(limit, "ann") == 10


def test_without_a_limit_anything_goes(clock: FakeClock) -> None:
    assert _count_spent(make_limit(UNLIMITED, clock), "ann", 1_000) == 1_000


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 9), st.integers(1, 20))
def test_no_span_of_time_ever_holds_more_than_what_is_free_and_what_grows_back(
    pauses: list[int], times: int, seconds: int
) -> None:
    clock, span = FakeClock(), timedelta(seconds=seconds)
    limit, spent = make_limit(Rate(times, span), clock), []
    for pause in pauses:
        clock.move(timedelta(seconds=pause))
        if _count_spent(limit, "ann", 1):
            spent.append(clock())
    for first in spent:
        assert sum(first <= moment < first + span for moment in spent) <= 2 * times


def test_what_is_remembered_is_bounded_and_those_who_are_over_it_stay_so(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_module, "_KEPT_MOST", 10)
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    for number in range(100):
        limit.spend(f"stranger {number}")
        assert len(limit._full) <= 10
    assert _refusal(limit, "stranger 99") == 10


def test_who_is_held_back_stays_so_however_many_others_come(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits_module, "_KEPT_MOST", 10)
    limit = make_limit(Rate(5, 50 * SECOND), clock)
    assert _count_spent(limit, "flood", 9) == 5
    for number in range(100):
        limit.spend(f"stranger {number}")
    assert _count_spent(limit, "flood", 9) == 0


def test_nothing_in_memory_tells_who_was_counted(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.spend("".join(["203.0.", "113.7"]))
    assert all(len(bytes.fromhex(key)) == 12 for key in limit._full)
    assert limit.take_drawn().keys() == limit._full.keys(), "which is what the others are told"


def test_after_a_day_the_same_address_has_another_name(clock: FakeClock) -> None:
    limit = make_limit(Rate(9, timedelta(hours=30)), clock)
    limit.spend("203.0.113.7")
    (before,) = limit._full
    clock.move(timedelta(days=1, seconds=1))
    limit.spend("203.0.113.7")
    (after,) = limit._full
    assert before != after


def test_a_household_shares_a_limit_whatever_its_address() -> None:
    assert neighbourhood("2001:db8::1") == neighbourhood("2001:db8::ffff:1")
    assert neighbourhood("2001:db8::1") != neighbourhood("2001:db8:0:1::1")
    assert neighbourhood("::ffff:203.0.113.7") == neighbourhood("203.0.113.7") == "203.0.113.7"
    assert neighbourhood("a socket file") == "a socket file"


def test_ipv6_address_is_counted_in_its_64_and_its_48(clock: FakeClock) -> None:
    limit = make_limit(Rate(2, 10 * SECOND), clock)
    spent = 0
    for number in range(100):
        try:
            limit.spend_address(f"2001:db8:0:{number:x}::1")
        except TooOften:
            break
        spent += 1
    assert spent == 8, "a /48 may do four times as much as a /64"
    limit.spend_address("2001:db8:1::1")
    assert [network for network, _ in client_networks("192.0.2.1")] == ["192.0.2.1"]


def test_refused_address_is_counted_in_no_network(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.spend_address("2001:db8::1")
    for _ in range(20):
        with pytest.raises(TooOften):
            limit.spend_address("2001:db8::2")
    limit.spend_address("2001:db8:0:1::1")


def test_reserve_tells_how_long_to_wait_and_refuses_what_takes_longer(clock: FakeClock) -> None:
    limit = make_limit(Rate(10, 10 * SECOND), clock)
    reserve = [limit.reserve("ann", 5, longest=12 * SECOND) for _ in range(4)]
    assert reserve == [0 * SECOND, 0 * SECOND, 5 * SECOND, 10 * SECOND]
    with pytest.raises(TooOften):
        limit.reserve("ann", 5, longest=12 * SECOND)
    clock.move(3 * SECOND)
    assert limit.reserve("ann", 5, longest=12 * SECOND) == 12 * SECOND


async def test_work_budget_is_the_same_for_a_visitor_whatever_the_address(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_visitor="100/1h") as chat:
        for number in range(10):
            await chat.work.spend(10, visitor_id="ann", address=f"192.0.2.{number}")
        with pytest.raises(TooOften):
            await chat.work.spend(10, visitor_id="ann", address="192.0.2.99")
        await chat.work.spend(10, visitor_id="bob", address="192.0.2.1")


async def test_work_budget_bounds_all_visitors_of_a_network_together(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_network="100/1h") as chat:
        for number in range(10):
            await chat.work.spend(10, visitor_id=f"visitor {number}", address="192.0.2.1")
        with pytest.raises(TooOften):
            await chat.work.spend(10, visitor_id="another", address="192.0.2.1")
        await chat.work.spend(10, visitor_id="another", address="192.0.2.2")


async def test_work_beyond_the_budget_waits_its_turn(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_visitor="1000/10s") as chat:
        await chat.work.spend(1_000, visitor_id="ann")
        late = asyncio.create_task(chat.work.spend(10, visitor_id="ann"))
        await asyncio.sleep(0)
        await chat.work.spend(10, visitor_id="bob")
        assert not late.done()
        await late


async def test_too_many_waiting_for_one_visitor_are_refused(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_budget_module, "_WAITING_MOST", 2)
    async with running_chat(tmp_path / "data", clock, work_per_visitor="10/10s") as chat:
        work: WorkBudget = chat.work
        await work.spend(10, visitor_id="ann")
        waiting = [asyncio.create_task(work.spend(1, visitor_id="ann")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(LimitReached):
            await work.spend(1, visitor_id="ann")
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert not work._delayed


async def test_work_refused_for_the_network_is_booked_for_neither(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/1h", work_per_network="50/1h")
    for _ in range(20):
        with pytest.raises(TooOften):
            await work.spend(90, visitor_id="ann", address="192.0.2.1")
    await work.spend(90, visitor_id="ann", address="")
    await work.spend(50, visitor_id="bob", address="192.0.2.1")


async def test_work_of_a_cancelled_task_is_booked_for_neither(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/10s", work_per_network="100/10s")
    await work.spend(100, visitor_id="ann", address="192.0.2.1")
    waiting = asyncio.create_task(work.spend(90, visitor_id="ann", address="192.0.2.1"))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    clock.move(10 * SECOND)
    await work.spend(100, visitor_id="ann", address="192.0.2.1", longest=0 * SECOND)


async def test_visitors_of_a_busy_network_are_served_in_turn(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_network="1000/1s")
    await work.spend(1_000, visitor_id="flood", address="192.0.2.1")
    order = []

    async def spend(who: str) -> None:
        await work.spend(1, visitor_id=who, address="192.0.2.1")
        order.append(who)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(spend("flood"))
        await asyncio.sleep(0)
        for who in ("ann", "bob"):
            tasks.create_task(spend(who))
    assert {*order[:4]} == {"flood", "ann", "bob"}


async def test_work_is_refused_at_once_if_it_would_wait_too_long(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/10s", work_per_network="100/10s")
    await work.spend(100, visitor_id="ann", address="192.0.2.1")
    for who in ({"visitor_id": "ann"}, {"visitor_id": "bob", "address": "192.0.2.1"}):
        with pytest.raises(TooOften) as caught:
            await work.spend(50, **who, longest=3 * SECOND)
        assert caught.value.details == {"seconds": 5}


async def test_exclusive_work_of_a_visitor_is_done_one_after_the_other(clock: FakeClock) -> None:
    work = make_work_budget(clock)
    running = most = 0

    async def do(who: str) -> None:
        nonlocal running, most
        async with work.exclusive(1, visitor_id=who, address="192.0.2.1"):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(do("ann") for _ in range(20)))
    assert most == 1
    await asyncio.gather(do("ann"), do("bob"))
    assert most == 2
    assert not work._exclusive._queues


async def test_exclusive_work_is_charged_what_it_took(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/1h", work_per_network="100/1h")
    for number in range(10):
        async with work.exclusive(90, visitor_id="ann", address="192.0.2.1") as charge:
            charge.milliseconds = 1 if number < 9 else 91
    for who in ({"visitor_id": "ann"}, {"visitor_id": "bob", "address": "192.0.2.1"}):
        with pytest.raises(TooOften):
            await work.spend(1, **who, longest=0 * SECOND)


async def test_who_posts_too_often_is_told_so_and_the_others_are_not(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_visitor="2/10s") as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        await say(chat, room, ann, "one", "two")
        with pytest.raises(TooOften) as caught:
            await say(chat, room, ann, "three")
        assert caught.value.details == {"seconds": 5}
        await say(chat, room, bob, "four")
        clock.move(5 * SECOND)
        await say(chat, room, ann, "five")
        assert await read(chat, room, ann) == ["one", "two", "four", "five"]


async def test_a_text_that_cannot_be_posted_costs_nothing(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_visitor="1/10s") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        with pytest.raises(InvalidMessage):
            await say(chat, room, ann, "")
        await say(chat, room, ann, "one")


async def test_to_post_the_same_again_costs_nothing(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_visitor="1/1h") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        post = chat.messages.post
        first = await post(room.id, visitor_id=ann.id, text="one", dedup_id="1")
        assert await post(room.id, visitor_id=ann.id, text="one", dedup_id="1") == first


async def test_a_room_has_a_limit_that_strangers_cannot_use_up(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_room="2/10s") as chat:
        room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
        eve = await come_in(chat, "Eve")
        for _ in range(3):
            with pytest.raises(NotAMember):
                await say(chat, room, eve, "noise")
        await say(chat, room, ann, "one")
        await say(chat, room, bob, "two")
        with pytest.raises(TooOften):
            await say(chat, room, bob, "three")


async def test_deleting_too_often_is_refused_and_deletes_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, deletions_per_visitor="1/10s") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one", "two")
        first, second = await chat.messages.history(room.id, visitor_id=ann.id, limit=9)
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=first.id)
        with pytest.raises(TooOften):
            await chat.messages.delete(room.id, visitor_id=ann.id, message_id=second.id)
        assert await read(chat, room, ann) == ["two"]


async def test_joining_too_often_is_refused_and_looking_in_again_is_not(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, joins_per_visitor="1/10s") as chat:
        ann, bob = await come_in(chat, "Ann"), await come_in(chat, "Bob")
        one, two = [await chat.rooms.open(name, visitor_id=ann.id) for name in ("one", "two")]
        for _ in range(3):
            await chat.memberships.join(one.id, visitor_id=bob.id)
        with pytest.raises(TooOften):
            await chat.memberships.join(two.id, visitor_id=bob.id)
        assert not await chat.memberships.has(two.id, bob.id)


async def test_making_rooms_too_often_is_refused_and_makes_none(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, new_rooms_per_visitor="1/10s") as chat:
        ann = await come_in(chat, "Ann")
        await chat.rooms.open("one", visitor_id=ann.id)
        await chat.rooms.open("one", visitor_id=ann.id)
        with pytest.raises(TooOften):
            await chat.rooms.open("two", visitor_id=ann.id)
        assert await chat.rooms.find_named("two") is None


async def test_sign_in_beyond_the_limit_of_a_network_needs_a_solved_challenge(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, arrivals_per_address="2/10s") as chat:
        await chat.identity.come_in("Ann", address="2001:db8::1")
        await chat.identity.come_in("Bob", address="2001:db8::2")
        with pytest.raises(PuzzleUnsolved) as caught:
            await chat.identity.come_in("Cleo", address="2001:db8::3")
        assert await chat.identity.is_free("Cleo")
        await chat.identity.come_in("Dan", address="2001:db8:1::1")
        challenge, bits = caught.value.details["challenge"], caught.value.details["bits"]
        assert bits == 18
        solution = solve(str(challenge), bits)
        await chat.identity.come_in("Cleo", address="2001:db8::3", solution=solution)
        with pytest.raises(PuzzleUnsolved):
            await chat.identity.come_in("Eve", address="2001:db8::3", solution=solution)


async def test_sign_in_needs_a_solved_challenge_while_strangers_use_up_the_network(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_visitor="100/1h") as chat:
        await chat.work.spend(500, address="192.0.2.1")
        with pytest.raises(PuzzleUnsolved) as caught:
            await chat.identity.come_in("Ann", address="192.0.2.1")
        challenge, bits = caught.value.details["challenge"], caught.value.details["bits"]
        solution = solve(str(challenge), bits)
        await chat.identity.come_in("Ann", address="192.0.2.1", solution=solution)


def _count_spent(limit: Limit, who: str, tries: int) -> int:
    spent = 0
    for _ in range(tries):
        try:
            limit.spend(who)
        except TooOften:
            continue
        spent += 1
    return spent


def _refusal(limit: Limit, who: str) -> object:
    with pytest.raises(TooOften) as caught:
        limit.spend(who)
    return caught.value.details["seconds"]

"""Rate limits and work budgets."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import (
    ChallengeUnsolved,
    InvalidMessage,
    LimitReached,
    NotAMember,
    RateLimited,
    WorkBudget,
    client_network,
    client_networks,
)
from anonchat.limits import limit as limit_module
from anonchat.limits import work_budget as work_budget_module
from anonchat.limits.limit import Limit
from anonchat.rates import UNLIMITED, Rate, parse_rate
from tests.challenge import solve
from tests.fakes import (
    FakeClock,
    create_room_with_members,
    make_limit,
    make_work_budget,
    post_messages,
    read,
    running_chat,
    sign_in,
)

pytestmark = pytest.mark.usefixtures("either_place")

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("text", ["20/10s", "1/1h", "600/10m", "off"])
def test_rate_is_formatted_as_it_is_parsed(text: str) -> None:
    assert str(parse_rate(text)) == text


@pytest.mark.parametrize(
    "text", ["", "20", "0/10s", "-1/10s", "20/10", "9999999/1s", "20/0s", "often", "2/1m/2"]
)
def test_invalid_rate_is_rejected(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rate(text)


def test_limit_allows_a_burst_and_then_reports_the_retry_time(clock: FakeClock) -> None:
    limit = make_limit(Rate(3, 30 * SECOND), clock)
    assert _count_allowed(limit, "ann", 9) == 3
    assert _retry_seconds(limit, "ann") == 10
    clock.advance(3 * SECOND)
    assert _retry_seconds(limit, "ann") == 7
    clock.advance(7 * SECOND)
    assert _count_allowed(limit, "ann", 9) == 1


def test_refused_hit_is_not_counted(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.hit("ann")
    for _ in range(9):
        assert _retry_seconds(limit, "ann") == 10
    clock.advance(10 * SECOND)
    limit.hit("ann")


def test_limit_is_per_key(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.hit("ann")
    limit.hit("bob")
    assert _retry_seconds(limit, "ann") == 10


def test_unlimited_rate_refuses_nothing(clock: FakeClock) -> None:
    assert _count_allowed(make_limit(UNLIMITED, clock), "ann", 1_000) == 1_000


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 9), st.integers(1, 20))
def test_any_time_window_allows_at_most_a_burst_and_its_refill(
    pauses: list[int], times: int, seconds: int
) -> None:
    clock, span = FakeClock(), timedelta(seconds=seconds)
    limit, allowed = make_limit(Rate(times, span), clock), []
    for pause in pauses:
        clock.advance(timedelta(seconds=pause))
        if _count_allowed(limit, "ann", 1):
            allowed.append(clock())
    for first in allowed:
        assert sum(first <= moment < first + span for moment in allowed) <= 2 * times


def test_number_of_stored_keys_is_bounded_and_the_newest_stay_limited(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_module, "_KEYS_MAX", 10)
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    for number in range(100):
        limit.hit(f"other {number}")
        assert len(limit._full_at) <= 10
    assert _retry_seconds(limit, "other 99") == 10


def test_limited_key_stays_limited_when_many_other_keys_follow(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_module, "_KEYS_MAX", 10)
    limit = make_limit(Rate(5, 50 * SECOND), clock)
    assert _count_allowed(limit, "flood", 9) == 5
    for number in range(100):
        limit.hit(f"other {number}")
    assert _count_allowed(limit, "flood", 9) == 0


def test_limit_stores_and_shares_only_hashed_keys(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.hit("".join(["203.0.", "113.7"]))
    assert all(len(bytes.fromhex(key)) == 12 for key in limit._full_at)
    assert limit.take_usage().keys() == limit._full_at.keys(), (
        "the other nodes receive the same hashes"
    )


def test_hash_of_an_address_changes_daily(clock: FakeClock) -> None:
    limit = make_limit(Rate(9, timedelta(hours=30)), clock)
    limit.hit("203.0.113.7")
    (before,) = limit._full_at
    clock.advance(timedelta(days=1, seconds=1))
    limit.hit("203.0.113.7")
    (after,) = limit._full_at
    assert before != after


def test_client_network_of_an_ipv6_address_is_its_64() -> None:
    assert client_network("2001:db8::1") == client_network("2001:db8::ffff:1")
    assert client_network("2001:db8::1") != client_network("2001:db8:0:1::1")
    assert client_network("::ffff:203.0.113.7") == client_network("203.0.113.7") == "203.0.113.7"
    assert client_network("a socket file") == "a socket file"


def test_ipv6_address_is_counted_in_its_64_and_its_48(clock: FakeClock) -> None:
    limit = make_limit(Rate(2, 10 * SECOND), clock)
    allowed = 0
    for number in range(100):
        try:
            limit.hit(f"2001:db8:0:{number:x}::1")
        except RateLimited:
            break
        allowed += 1
    assert allowed == 8, "the limit of a /48 is four times that of a /64"
    limit.hit("2001:db8:1::1")
    assert [network for network, _ in client_networks("192.0.2.1")] == ["192.0.2.1"]


def test_refused_address_is_counted_in_no_network(clock: FakeClock) -> None:
    limit = make_limit(Rate(1, 10 * SECOND), clock)
    limit.hit("2001:db8::1")
    for _ in range(20):
        with pytest.raises(RateLimited):
            limit.hit("2001:db8::2")
    limit.hit("2001:db8:0:1::1")


def test_reserve_returns_the_wait_and_refuses_longer_waits(clock: FakeClock) -> None:
    limit = make_limit(Rate(10, 10 * SECOND), clock)
    reserve = [limit.reserve("ann", 5, max_wait=12 * SECOND) for _ in range(4)]
    assert reserve == [0 * SECOND, 0 * SECOND, 5 * SECOND, 10 * SECOND]
    with pytest.raises(RateLimited):
        limit.reserve("ann", 5, max_wait=12 * SECOND)
    clock.advance(3 * SECOND)
    assert limit.reserve("ann", 5, max_wait=12 * SECOND) == 12 * SECOND


async def test_work_budget_of_a_visitor_does_not_depend_on_the_address(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_visitor="100/1h") as chat:
        for number in range(10):
            await chat.work_budget.spend(10, visitor_id="ann", address=f"192.0.2.{number}")
        with pytest.raises(RateLimited):
            await chat.work_budget.spend(10, visitor_id="ann", address="192.0.2.99")
        await chat.work_budget.spend(10, visitor_id="bob", address="192.0.2.1")


async def test_work_budget_limits_all_visitors_of_a_network_together(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_network="100/1h") as chat:
        for number in range(10):
            await chat.work_budget.spend(10, visitor_id=f"visitor {number}", address="192.0.2.1")
        with pytest.raises(RateLimited):
            await chat.work_budget.spend(10, visitor_id="another", address="192.0.2.1")
        await chat.work_budget.spend(10, visitor_id="another", address="192.0.2.2")


async def test_work_beyond_the_budget_waits(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_visitor="1000/10s") as chat:
        await chat.work_budget.spend(1_000, visitor_id="ann")
        late = asyncio.create_task(chat.work_budget.spend(10, visitor_id="ann"))
        await asyncio.sleep(0)
        await chat.work_budget.spend(10, visitor_id="bob")
        assert not late.done()
        await late


async def test_number_of_waiting_tasks_of_a_visitor_is_limited(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_budget_module, "WAITING_MAX", 2)
    async with running_chat(tmp_path / "data", clock, work_per_visitor="10/10s") as chat:
        work: WorkBudget = chat.work_budget
        await work.spend(10, visitor_id="ann")
        waiting = [asyncio.create_task(work.spend(1, visitor_id="ann")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(LimitReached):
            await work.spend(1, visitor_id="ann")
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        assert not work._waiting


async def test_work_refused_for_the_network_is_charged_to_neither_budget(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/1h", work_per_network="50/1h")
    for _ in range(20):
        with pytest.raises(RateLimited):
            await work.spend(90, visitor_id="ann", address="192.0.2.1")
    await work.spend(90, visitor_id="ann", address="")
    await work.spend(50, visitor_id="bob", address="192.0.2.1")


async def test_work_of_a_cancelled_task_is_charged_to_neither_budget(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/10s", work_per_network="100/10s")
    await work.spend(100, visitor_id="ann", address="192.0.2.1")
    waiting = asyncio.create_task(work.spend(90, visitor_id="ann", address="192.0.2.1"))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    clock.advance(10 * SECOND)
    await work.spend(100, visitor_id="ann", address="192.0.2.1", max_wait=0 * SECOND)


async def test_visitors_of_a_busy_network_are_served_in_turn(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_network="1000/1s")
    await work.spend(1_000, visitor_id="flood", address="192.0.2.1")
    order = []

    async def spend(visitor_id: str) -> None:
        await work.spend(1, visitor_id=visitor_id, address="192.0.2.1")
        order.append(visitor_id)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(50):
            tasks.create_task(spend("flood"))
        await asyncio.sleep(0)
        for visitor_id in ("ann", "bob"):
            tasks.create_task(spend(visitor_id))
    assert {*order[:4]} == {"flood", "ann", "bob"}


async def test_work_is_refused_at_once_if_it_would_wait_too_long(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/10s", work_per_network="100/10s")
    await work.spend(100, visitor_id="ann", address="192.0.2.1")
    for payer in ({"visitor_id": "ann"}, {"visitor_id": "bob", "address": "192.0.2.1"}):
        with pytest.raises(RateLimited) as caught:
            await work.spend(50, **payer, max_wait=3 * SECOND)
        assert caught.value.details == {"seconds": 5}


async def test_exclusive_work_of_a_visitor_runs_one_at_a_time(clock: FakeClock) -> None:
    work = make_work_budget(clock)
    running = max_running = 0

    async def run(visitor_id: str) -> None:
        nonlocal running, max_running
        async with work.run_exclusively(1, visitor_id=visitor_id, address="192.0.2.1"):
            running += 1
            max_running = max(max_running, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(run("ann") for _ in range(20)))
    assert max_running == 1
    await asyncio.gather(run("ann"), run("bob"))
    assert max_running == 2
    assert not work._exclusive._queues


async def test_exclusive_work_is_charged_its_actual_cost(clock: FakeClock) -> None:
    work = make_work_budget(clock, work_per_visitor="100/1h", work_per_network="100/1h")
    for number in range(10):
        async with work.run_exclusively(90, visitor_id="ann", address="192.0.2.1") as charge:
            charge.milliseconds = 1 if number < 9 else 91
    for payer in ({"visitor_id": "ann"}, {"visitor_id": "bob", "address": "192.0.2.1"}):
        with pytest.raises(RateLimited):
            await work.spend(1, **payer, max_wait=0 * SECOND)


async def test_post_limit_is_per_visitor_and_reports_the_retry_time(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_visitor="2/10s") as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        await post_messages(chat, room, ann, "one", "two")
        with pytest.raises(RateLimited) as caught:
            await post_messages(chat, room, ann, "three")
        assert caught.value.details == {"seconds": 5}
        await post_messages(chat, room, bob, "four")
        clock.advance(5 * SECOND)
        await post_messages(chat, room, ann, "five")
        assert await read(chat, room, ann) == ["one", "two", "four", "five"]


async def test_invalid_message_is_not_counted(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_visitor="1/10s") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        with pytest.raises(InvalidMessage):
            await post_messages(chat, room, ann, "")
        await post_messages(chat, room, ann, "one")


async def test_repeated_post_with_the_same_dedup_id_is_not_counted(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_visitor="1/1h") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        post = chat.messages.post
        first = await post(room.id, visitor_id=ann.id, text="one", dedup_id="1")
        assert await post(room.id, visitor_id=ann.id, text="one", dedup_id="1") == first


async def test_room_post_limit_cannot_be_used_up_by_non_members(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, posts_per_room="2/10s") as chat:
        room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
        eve = await sign_in(chat, "Eve")
        for _ in range(3):
            with pytest.raises(NotAMember):
                await post_messages(chat, room, eve, "noise")
        await post_messages(chat, room, ann, "one")
        await post_messages(chat, room, bob, "two")
        with pytest.raises(RateLimited):
            await post_messages(chat, room, bob, "three")


async def test_deletion_beyond_the_limit_deletes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path / "data", clock, deletions_per_visitor="1/10s") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one", "two")
        first, second = await chat.messages.history(room.id, visitor_id=ann.id, limit=9)
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=first.id)
        with pytest.raises(RateLimited):
            await chat.messages.delete(room.id, visitor_id=ann.id, message_id=second.id)
        assert await read(chat, room, ann) == ["two"]


async def test_join_limit_does_not_count_rooms_joined_before(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, joins_per_visitor="1/10s") as chat:
        ann, bob = await sign_in(chat, "Ann"), await sign_in(chat, "Bob")
        one, two = [await chat.rooms.open(name, visitor_id=ann.id) for name in ("one", "two")]
        for _ in range(3):
            await chat.memberships.join(one.id, visitor_id=bob.id)
        with pytest.raises(RateLimited):
            await chat.memberships.join(two.id, visitor_id=bob.id)
        assert not await chat.memberships.is_member(two.id, bob.id)


async def test_room_creation_beyond_the_limit_creates_no_room(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, new_rooms_per_visitor="1/10s") as chat:
        ann = await sign_in(chat, "Ann")
        await chat.rooms.open("one", visitor_id=ann.id)
        await chat.rooms.open("one", visitor_id=ann.id)
        with pytest.raises(RateLimited):
            await chat.rooms.open("two", visitor_id=ann.id)
        assert await chat.rooms.find_by_name("two") is None


async def test_sign_in_beyond_the_limit_of_a_network_needs_a_solved_challenge(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, sign_ins_per_ip="2/10s") as chat:
        await chat.identity.sign_in("Ann", address="2001:db8::1")
        await chat.identity.sign_in("Bob", address="2001:db8::2")
        with pytest.raises(ChallengeUnsolved) as caught:
            await chat.identity.sign_in("Cleo", address="2001:db8::3")
        assert await chat.identity.is_nickname_available("Cleo")
        await chat.identity.sign_in("Dan", address="2001:db8:1::1")
        challenge, bits = caught.value.details["challenge"], caught.value.details["bits"]
        assert bits == 18
        solution = solve(str(challenge), bits)
        await chat.identity.sign_in("Cleo", address="2001:db8::3", solution=solution)
        with pytest.raises(ChallengeUnsolved):
            await chat.identity.sign_in("Eve", address="2001:db8::3", solution=solution)


async def test_sign_in_needs_a_challenge_while_the_anonymous_budget_is_used_up(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, work_per_visitor="100/1h") as chat:
        await chat.work_budget.spend(500, address="192.0.2.1")
        with pytest.raises(ChallengeUnsolved) as caught:
            await chat.identity.sign_in("Ann", address="192.0.2.1")
        challenge, bits = caught.value.details["challenge"], caught.value.details["bits"]
        solution = solve(str(challenge), bits)
        await chat.identity.sign_in("Ann", address="192.0.2.1", solution=solution)


def _count_allowed(limit: Limit, key: str, tries: int) -> int:
    allowed = 0
    for _ in range(tries):
        try:
            limit.hit(key)
        except RateLimited:
            continue
        allowed += 1
    return allowed


def _retry_seconds(limit: Limit, key: str) -> object:
    with pytest.raises(RateLimited) as caught:
        limit.hit(key)
    return caught.value.details["seconds"]

"""What strangers of a client network may use: apart from its visitors, and never before them."""

import asyncio
from datetime import timedelta

import pytest

from anonchat import (
    LimitReached,
    MemoryBus,
    Settings,
    SteadyClock,
    TooOften,
    WorkBudget,
    work_budget,
)
from anonchat import limits as limits_module
from anonchat.busy_networks import BusyNetworks
from anonchat.costs import Cost
from anonchat.limits import Limits
from anonchat.seal import Hasher
from tests.fakes import UNLIMITED, FakeClock
from tests.pages.tab import until

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def limits(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Limits:
    monkeypatch.setattr(limits_module, "_BURST", 1)  # what is more at once has a test of its own
    rates = {"work_per_visitor": "100/1h", "work_per_network": "300/1h"}
    settings = Settings.model_validate(UNLIMITED | rates)
    return Limits(settings, clock=clock, bus=MemoryBus(), hasher=Hasher(lambda: b"a key"))


@pytest.fixture
def work(limits: Limits) -> WorkBudget:
    return WorkBudget(limits)


@pytest.fixture
def busy_networks(limits: Limits) -> BusyNetworks:
    return BusyNetworks(limits)


async def _use_up_as_visitors(work: WorkBudget) -> None:
    for number in range(30):
        await work.spend(10, visitor_id=f"visitor {number}", address=HERE)


async def test_sixty_people_of_one_network_come_in_together_and_nobody_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work_budget, "_LONGEST_PACE", timedelta(seconds=5))
    hasher = Hasher(lambda: b"a key")
    limits = Limits(Settings(), clock=SteadyClock(), bus=MemoryBus(), hasher=hasher)
    work = WorkBudget(limits)

    async def come_in() -> None:
        for cost in (Cost.STATIC_PAGE, Cost.SOCKET, Cost.SIGN_IN):
            await work.spend(cost, address=HERE, longest=timedelta(seconds=6))

    await asyncio.gather(*(come_in() for _ in range(60)))


async def test_work_of_a_network_is_spread(
    limits: Limits, work: WorkBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_budget, "_LONGEST_PACE", timedelta(hours=1))
    at_once = 30  # a tenth of the limit
    await work.spend(at_once, visitor_id="somebody", address=HERE)
    await work.spend(1, visitor_id="somebody", address=ELSEWHERE)  # up to now nobody else was here
    await work.spend(at_once, visitor_id="somebody", address=HERE)
    pace = limits.pace_of_network
    assert pace.read_load(HERE) == 1
    waiting = asyncio.create_task(work.spend(1, visitor_id="somebody else", address=HERE))
    await until(lambda: pace.read_load(HERE) > 1)
    assert not waiting.done()
    await work.spend(1, visitor_id="somebody", address=ELSEWHERE)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert pace.read_load(HERE) == 1


async def test_strangers_of_a_network_share_what_one_visitor_may_use(work: WorkBudget) -> None:
    for _ in range(10):
        await work.spend(10, address=HERE)
    with pytest.raises(TooOften):
        await work.spend(10, address=HERE)
    await work.spend(10, address=ELSEWHERE)


async def test_strangers_do_not_use_up_what_visitors_of_their_network_may(
    work: WorkBudget,
) -> None:
    for spend in (work.spend, work.spend_on_asset):
        with pytest.raises(TooOften):
            while True:
                await spend(10, address=HERE)
    await _use_up_as_visitors(work)


async def test_strangers_wait_while_visitors_of_their_network_use_all(
    work: WorkBudget, clock: FakeClock
) -> None:
    await _use_up_as_visitors(work)
    await work.spend(1, address=HERE)
    waiting = asyncio.create_task(work.spend(1, visitor_id="ann", address=HERE, longest=None))
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(TooOften) as caught:
        await work.spend(1, address=HERE)
    assert caught.value.details == {"seconds": 12}
    waiting.cancel()
    clock.move(timedelta(minutes=10))
    await work.spend(1, address=HERE)


async def test_who_has_solved_a_challenge_is_counted_apart(work: WorkBudget) -> None:
    await work.spend(100, address=HERE)
    await _use_up_as_visitors(work)
    await work.spend(100, pass_id="a pass", address=HERE)
    with pytest.raises(TooOften):
        await work.spend(10, pass_id="another", address=HERE)


async def test_exclusive_work_of_strangers_is_charged_to_them(work: WorkBudget) -> None:
    for _ in range(9):
        async with work.exclusive(90, address=HERE) as charge:
            charge.milliseconds = 1
    await _use_up_as_visitors(work)
    with pytest.raises(TooOften):
        await work.spend(92, address=HERE)


async def test_challenge_becomes_harder_the_more_newcomers_use_and_easier_again(
    work: WorkBudget, busy_networks: BusyNetworks, clock: FakeClock
) -> None:
    assert busy_networks.challenge_bits(HERE) == 18
    await work.spend(50, pass_id="a pass", address=HERE)
    assert busy_networks.challenge_bits(HERE) == 19
    await work.spend(50, pass_id="a pass", address=HERE)
    assert busy_networks.challenge_bits(HERE) == 20
    assert busy_networks.challenge_bits(ELSEWHERE) == 18
    clock.move(timedelta(hours=1))
    assert busy_networks.challenge_bits(HERE) == 18


async def test_small_answers_are_slowed_down_and_never_refused(
    busy_networks: BusyNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.busy_networks._PACED_MOST", 3)
    for _ in range(100):
        await busy_networks.pace(HERE)
    waiting = [asyncio.create_task(busy_networks.pace(HERE)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await busy_networks.pace(HERE)  # at once, for there is no room to wait
    await asyncio.wait(waiting)
    assert not busy_networks._paced


async def test_network_of_ipv6_is_a_64_within_its_48(work: WorkBudget) -> None:
    for number in range(4):
        await work.spend(100, address=f"2001:db8:0:{number}::1")
    with pytest.raises(TooOften):
        await work.spend(10, address="2001:db8:0:5::1")
    await work.spend(10, address="2001:db8:1::1")


@pytest.mark.parametrize(("kind", "free"), [("spend", 100), ("spend_on_asset", 300)])
async def test_addresses_of_one_household_wait_as_one(
    limits: Limits, monkeypatch: pytest.MonkeyPatch, kind: str, free: float
) -> None:
    monkeypatch.setattr("anonchat.work_budget._WAITING_MOST", 2)
    spend = getattr(WorkBudget(limits), kind)
    await spend(free, address="2001:db8::1")
    waiting = [asyncio.create_task(spend(0.1, address=f"2001:db8::{n}:1")) for n in range(1, 4)]
    await asyncio.sleep(0)
    try:
        with pytest.raises(LimitReached) as caught:
            async with asyncio.timeout(60):
                await spend(0.1, address="2001:db8::ffff:1")
        assert caught.type is LimitReached, "one is served, and two wait already"
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_who_gives_up_waiting_uses_nothing_of_the_network(
    work: WorkBudget, limits: Limits
) -> None:
    for _ in range(10):
        await work.spend(10, address=HERE)
    used = limits.work_of_strangers.read_load(HERE)
    waiting = asyncio.create_task(work.spend(10, address=HERE, longest=timedelta(hours=1)))
    await until(lambda: limits.work_of_strangers.read_load(HERE) > used)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert limits.work_of_strangers.read_load(HERE) == used

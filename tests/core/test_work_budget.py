"""Work budgets: anonymous clients of a network share one, and its visitors have priority."""

import asyncio
from datetime import timedelta

import pytest

from anonchat import Bus, LimitReached, MonotonicWallClock, RateLimited, Settings, WorkBudget
from anonchat.crypto import Hasher
from anonchat.limits import rate_limits as limits_module
from anonchat.limits import work_pool
from anonchat.limits.costs import Cost
from anonchat.limits.network_throttle import NetworkThrottle
from anonchat.limits.rate_limits import Limits
from tests.fakes import UNLIMITED, FakeClock
from tests.pages.tab import wait_until
from tests.timeouts import DEADLINE

HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def limits(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Limits:
    monkeypatch.setattr(limits_module, "_BURST", 1)  # bursts have their own test
    rates = {"work_per_visitor": "100/1h", "work_per_network": "300/1h"}
    settings = Settings.model_validate(UNLIMITED | rates)
    return Limits(settings, clock=clock, bus=Bus(), hasher=Hasher(lambda: b"a key"))


@pytest.fixture
def work(limits: Limits) -> WorkBudget:
    return WorkBudget(limits)


@pytest.fixture
def network_throttle(limits: Limits) -> NetworkThrottle:
    return NetworkThrottle(limits)


async def _use_up_network_budget_as_visitors(work: WorkBudget) -> None:
    for number in range(30):
        await work.spend(10, visitor_id=f"visitor {number}", address=HERE)


async def test_60_concurrent_sign_ins_from_one_network_succeed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work_pool, "_BURST_WAIT_MAX", timedelta(seconds=5))
    hasher = Hasher(lambda: b"a key")
    limits = Limits(Settings(), clock=MonotonicWallClock(), bus=Bus(), hasher=hasher)
    work = WorkBudget(limits)

    async def sign_in() -> None:
        for cost in (Cost.STATIC_PAGE, Cost.SOCKET, Cost.SIGN_IN):
            await work.spend(cost, address=HERE, max_wait=timedelta(seconds=6))

    await asyncio.gather(*(sign_in() for _ in range(60)))


async def test_bursts_of_a_network_are_delayed(
    limits: Limits, work: WorkBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_pool, "_BURST_WAIT_MAX", timedelta(hours=1))
    burst = 30  # a tenth of the limit
    await work.spend(burst, visitor_id="somebody", address=HERE)
    # Bursts are delayed only if more than one network is active.
    await work.spend(1, visitor_id="somebody", address=ELSEWHERE)
    await work.spend(burst, visitor_id="somebody", address=HERE)
    burst_limit = limits.burst_of_network
    assert burst_limit.read_load(HERE) == 1
    waiting = asyncio.create_task(work.spend(1, visitor_id="somebody else", address=HERE))
    await wait_until(lambda: burst_limit.read_load(HERE) > 1)
    assert not waiting.done()
    await work.spend(1, visitor_id="somebody", address=ELSEWHERE)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert burst_limit.read_load(HERE) == 1


async def test_anonymous_clients_of_a_network_share_the_budget_of_one_visitor(
    work: WorkBudget,
) -> None:
    for _ in range(10):
        await work.spend(10, address=HERE)
    with pytest.raises(RateLimited):
        await work.spend(10, address=HERE)
    await work.spend(10, address=ELSEWHERE)


async def test_anonymous_clients_do_not_use_up_the_budget_of_visitors_of_their_network(
    work: WorkBudget,
) -> None:
    for spend in (work.spend, work.spend_on_asset):
        with pytest.raises(RateLimited):
            while True:
                await spend(10, address=HERE)
    await _use_up_network_budget_as_visitors(work)


async def test_anonymous_clients_are_refused_while_visitors_of_their_network_use_it_up(
    work: WorkBudget, clock: FakeClock
) -> None:
    await _use_up_network_budget_as_visitors(work)
    await work.spend(1, address=HERE)
    waiting = asyncio.create_task(work.spend(1, visitor_id="ann", address=HERE, max_wait=None))
    for _ in range(5):
        await asyncio.sleep(0)
    with pytest.raises(RateLimited) as caught:
        await work.spend(1, address=HERE)
    assert caught.value.details == {"seconds": 12}
    waiting.cancel()
    clock.advance(timedelta(minutes=10))
    await work.spend(1, address=HERE)


async def test_client_with_a_solved_challenge_has_a_separate_budget(work: WorkBudget) -> None:
    await work.spend(100, address=HERE)
    await _use_up_network_budget_as_visitors(work)
    await work.spend(100, pass_id="a pass", address=HERE)
    with pytest.raises(RateLimited):
        await work.spend(10, pass_id="another", address=HERE)


async def test_exclusive_work_of_anonymous_is_charged_to_them(work: WorkBudget) -> None:
    for _ in range(9):
        async with work.run_exclusively(90, address=HERE) as charge:
            charge.milliseconds = 1
    await _use_up_network_budget_as_visitors(work)
    with pytest.raises(RateLimited):
        await work.spend(92, address=HERE)


async def test_challenge_bits_rise_with_the_work_of_pass_holders_and_fall_again(
    work: WorkBudget, network_throttle: NetworkThrottle, clock: FakeClock
) -> None:
    assert network_throttle.challenge_bits(HERE) == 18
    await work.spend(50, pass_id="a pass", address=HERE)
    assert network_throttle.challenge_bits(HERE) == 19
    await work.spend(50, pass_id="a pass", address=HERE)
    assert network_throttle.challenge_bits(HERE) == 20
    assert network_throttle.challenge_bits(ELSEWHERE) == 18
    clock.advance(timedelta(hours=1))
    assert network_throttle.challenge_bits(HERE) == 18


async def test_small_responses_are_delayed_and_never_refused(
    network_throttle: NetworkThrottle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.limits.network_throttle._DELAYED_MAX", 3)
    for _ in range(100):
        await network_throttle.delay_response(HERE)
    waiting = [asyncio.create_task(network_throttle.delay_response(HERE)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await network_throttle.delay_response(HERE)  # not delayed, because the queue is full
    await asyncio.wait(waiting)
    assert not network_throttle._delayed


async def test_ipv6_network_is_a_64_within_its_48(work: WorkBudget) -> None:
    for number in range(4):
        await work.spend(100, address=f"2001:db8:0:{number}::1")
    with pytest.raises(RateLimited):
        await work.spend(10, address="2001:db8:0:5::1")
    await work.spend(10, address="2001:db8:1::1")


@pytest.mark.parametrize(("kind", "free"), [("spend", 100), ("spend_on_asset", 300)])
async def test_addresses_of_one_ipv6_64_share_one_queue(
    limits: Limits, monkeypatch: pytest.MonkeyPatch, kind: str, free: float
) -> None:
    monkeypatch.setattr("anonchat.limits.work_pool.WAITING_MAX", 2)
    spend = getattr(WorkBudget(limits), kind)
    await spend(free, address="2001:db8::1")
    waiting = [asyncio.create_task(spend(0.1, address=f"2001:db8::{n}:1")) for n in range(1, 4)]
    await asyncio.sleep(0)
    try:
        with pytest.raises(LimitReached) as caught:
            async with asyncio.timeout(DEADLINE):
                await spend(0.1, address="2001:db8::ffff:1")
        assert caught.type is LimitReached, "one is served, two already wait"
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)


async def test_cancelled_wait_is_not_charged_to_the_network(
    work: WorkBudget, limits: Limits
) -> None:
    for _ in range(10):
        await work.spend(10, address=HERE)
    used = limits.work_of_anonymous.read_load(HERE)
    waiting = asyncio.create_task(work.spend(10, address=HERE, max_wait=timedelta(hours=1)))
    await wait_until(lambda: limits.work_of_anonymous.read_load(HERE) > used)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert limits.work_of_anonymous.read_load(HERE) == used


async def test_exclusive_work_that_waits_too_long_for_its_turn_is_rate_limited(
    work: WorkBudget,
) -> None:
    async with work.run_exclusively(1, visitor_id="ann"):
        with pytest.raises(RateLimited):
            async with work.run_exclusively(1, visitor_id="ann", max_wait=timedelta()):
                pytest.fail("two blocks run at a time")

"""Limits the processor time of each visitor and each client network, by delaying work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from ..errors import N_, LimitReached, RateLimited, Unavailable
from ..runtime.fair_semaphore import FairSemaphore
from .active_counter import ActiveCounter
from .client_networks import client_network, client_networks
from .limit import Limit, rate_limited_error
from .rate_limits import Limits

MAX_WAIT = timedelta(seconds=10)
_BURST_WAIT_MAX = timedelta(seconds=5)
_RECENT = timedelta(seconds=10)
_UNLIMITED = timedelta(days=1)
_WAITING_MAX = 200
_EXCLUSIVE_WAITING_MAX = 5_000  # all lists of all pages that a visitor may have open


@dataclass(slots=True)
class Charge:
    """The final cost of an operation in milliseconds, to be set once it is known."""

    milliseconds: float


class WorkBudget:
    """Delays work once its visitor or client network has used up its limit of processor time.

    Costs are estimates in milliseconds, the same on every machine (see `Cost`). Once a limit
    is used up, work is delayed to the rate of the limit, so that it does not delay others. Below
    the limits, only bursts are delayed, and only while other networks use the server too (see
    `_Pool`). Waiting visitors of one network are served round robin.

    The anonymous clients of a network have a budget apart from that of its visitors, so that they
    cannot delay visitors; they wait while the visitors' budget is used up. Anonymous clients that
    have solved a challenge have a third budget, and are served round robin by their passes.
    """

    def __init__(self, limits: Limits) -> None:
        self._visitor_limit = limits.work_of_visitor
        network, activity = limits.work_of_network, _Activity()
        self._visitor_pool = _Pool(network, limits.burst_of_network, activity)
        self._anonymous_pool = _Pool(
            limits.work_of_anonymous, limits.burst_of_anonymous, activity, yields_to=network
        )
        self._asset_pool = _Pool(
            limits.work_of_assets, limits.burst_of_assets, activity, yields_to=network
        )
        self._pass_holder_pool = _Pool(
            limits.work_of_pass_holders, limits.burst_of_pass_holders, activity
        )
        self._waiting = ActiveCounter()  # waiting tasks of each visitor
        self._exclusive = _Queues(_EXCLUSIVE_WAITING_MAX)

    async def spend(
        self,
        milliseconds: float,
        *,
        visitor_id: str = "",
        pass_id: str = "",
        address: str = "",
        max_wait: timedelta | None = MAX_WAIT,
    ) -> None:
        """Wait until the visitor and the client network may use this much processor time.

        An empty visitor or address is not counted. Without a visitor it is the work of an anonymous
        client; `pass_id` is the pass of one that has solved a challenge. Raises `RateLimited` if
        the wait would exceed `max_wait` (`None`: no limit), and `LimitReached` if too many tasks
        wait for the same visitor or network. If it raises, nothing is counted.
        """
        max_wait = _UNLIMITED if max_wait is None else max_wait
        waited = timedelta()
        if visitor_id:
            waited = await self._spend_visitor(visitor_id, milliseconds, max_wait)
        if address:
            pool, group = self._select_pool(visitor_id, pass_id), visitor_id or pass_id
            try:
                await pool.spend(
                    milliseconds, address=address, group=group, max_wait=max_wait - waited
                )
            except BaseException:
                if visitor_id:
                    self._visitor_limit.refund(visitor_id, milliseconds)
                raise

    async def spend_on_asset(self, milliseconds: float, *, address: str) -> None:
        """Wait as `spend` does, for a script or stylesheet that an anonymous client loads."""
        if address:
            await self._asset_pool.spend(milliseconds, address=address, group="", max_wait=MAX_WAIT)

    @asynccontextmanager
    async def run_exclusively(
        self,
        milliseconds: float,
        *,
        visitor_id: str = "",
        pass_id: str = "",
        address: str = "",
        max_wait: timedelta = _UNLIMITED,
    ) -> AsyncIterator[Charge]:
        """Run the blocks of each visitor one at a time, and charge the actual cost of each.

        `milliseconds` is the usual maximum. It is spent before the block, and the difference to the
        `Charge` is refunded after it. Raises `LimitReached` if too many tasks of the visitor wait,
        and `RateLimited` if the wait would exceed `max_wait`.
        """
        deadline = _now() + max_wait
        key = visitor_id or pass_id or client_network(address)
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self._exclusive.turn(key, max_wait=max_wait))
            except Unavailable as error:
                raise rate_limited_error(max_wait) from error
            await self.spend(
                milliseconds,
                visitor_id=visitor_id,
                pass_id=pass_id,
                address=address,
                max_wait=deadline - _now(),
            )
            charge = Charge(milliseconds)
            try:
                yield charge
            finally:
                unused = milliseconds - charge.milliseconds
                if visitor_id:
                    self._visitor_limit.refund(visitor_id, unused)
                if address:
                    self._select_pool(visitor_id, pass_id).refund(address, unused)

    def _select_pool(self, visitor_id: str, pass_id: str) -> "_Pool":
        if visitor_id:
            return self._visitor_pool
        return self._pass_holder_pool if pass_id else self._anonymous_pool

    async def _spend_visitor(self, visitor_id: str, cost: float, max_wait: timedelta) -> timedelta:
        """Charge a visitor's own budget; return the time waited."""
        if self._waiting[visitor_id] >= _WAITING_MAX:
            raise LimitReached(N_("Too much is asked for at once. Please try again."))
        wait = self._visitor_limit.reserve(visitor_id, cost, max_wait=max_wait)
        if wait:
            try:
                with self._waiting.counting(visitor_id):
                    await asyncio.sleep(wait.total_seconds())
            except BaseException:
                self._visitor_limit.refund(visitor_id, cost)
                raise
        return wait


class _Pool:
    """A budget that one class of clients of each network shares; waiting tasks take turns.

    `limit` bounds the total. `burst_limit` applies while other networks use the server too: without
    it a network could delay the others until it reaches its limit. It refuses no task, and delays
    one by at most `_BURST_WAIT_MAX`. If a pool `yields_to` a limit, its tasks also wait while
    their network has used up that limit.
    """

    def __init__(
        self,
        limit: Limit,
        burst_limit: Limit,
        activity: "_Activity",
        *,
        yields_to: Limit | None = None,
    ) -> None:
        self.limit = limit
        self._burst_limit = burst_limit
        self._activity = activity
        self._yields_to = yields_to
        self._queues = _Queues(_WAITING_MAX)

    async def spend(self, cost: float, *, address: str, group: str, max_wait: timedelta) -> None:
        """Wait until the pool allows the cost; raise as `WorkBudget.spend` does.

        Groups take turns. The default group is the smallest network of the address.
        """
        group = group or client_network(address)
        network = client_networks(address)[-1][0]
        self._activity.note(network)
        if network not in self._queues and not self._yield_time(address):
            with suppress(RateLimited):
                self._spend_without_wait(network, address, cost)
                return
        deadline = _now() + max_wait
        try:
            async with self._queues.turn(network, group=group, max_wait=max_wait):
                await self._yield_to_limit(address, deadline)
                left = max(timedelta(), deadline - _now())
                wait = self.limit.reserve(address, cost, max_wait=left)
                burst = timedelta()
                if not self._activity.is_alone(network):
                    burst = self._burst_limit.reserve(address, cost, max_wait=_UNLIMITED)
                try:
                    await asyncio.sleep(max(wait, min(burst, _BURST_WAIT_MAX)).total_seconds())
                except BaseException:
                    self.refund(address, cost)
                    raise
        except Unavailable:  # timed out in the queue; only the limit may refuse
            self.limit.hit(address, cost)

    def refund(self, address: str, cost: float) -> None:
        """Refund `cost`: work that was counted in advance did not happen, or cost less."""
        self.limit.refund(address, cost)
        self._burst_limit.refund(address, cost)

    def _spend_without_wait(self, network: str, address: str, cost: float) -> None:
        """Count the cost if it need not wait; else raise `RateLimited`."""
        self.limit.hit(address, cost)
        try:
            if not self._activity.is_alone(network):
                self._burst_limit.hit(address, cost)
        except RateLimited:
            self.limit.refund(address, cost)
            raise

    async def _yield_to_limit(self, address: str, deadline: timedelta) -> None:
        """Wait while the preceding limit is used up; raise `RateLimited` if that takes too long."""
        while wait := self._yield_time(address):
            if _now() + wait > deadline:
                raise rate_limited_error(wait)
            await asyncio.sleep(wait.total_seconds())

    def _yield_time(self, address: str) -> timedelta:
        return self._yields_to.wait_time(address) if self._yields_to else timedelta()


class _Activity:
    """Tracks whether more than one client network has used the server recently."""

    def __init__(self) -> None:
        self._latest: tuple[str, timedelta] = ("", -_RECENT)
        self._other: tuple[str, timedelta] = ("", -_RECENT)  # the last network before it

    def note(self, network: str) -> None:
        """Record that a network uses the server now."""
        if network != self._latest[0]:
            self._other = self._latest
        self._latest = (network, _now())

    def is_alone(self, network: str) -> bool:
        """Return whether no other network has used the server recently."""
        since = _now() - _RECENT
        return all(each == network or at <= since for each, at in (self._latest, self._other))


class _Queues:
    """A queue for each key, which exists while tasks wait or run in it."""

    def __init__(self, queue_max: int) -> None:
        self._queue_max = queue_max
        self._queues: dict[str, FairSemaphore] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._queues

    @asynccontextmanager
    async def turn(self, key: str, *, group: str = "", max_wait: timedelta) -> AsyncIterator[None]:
        """Run the block exclusively for this key; waiting groups take turns, one task each."""
        if (queue := self._queues.get(key)) is None:
            queue = self._queues[key] = FairSemaphore(1, reserved=0, queue_max=self._queue_max)
        try:
            async with queue.slot(group, timeout_seconds=max_wait.total_seconds()):
                yield
        finally:
            if queue.is_idle:
                del self._queues[key]


def _now() -> timedelta:
    """Return the time of the event loop."""
    return timedelta(seconds=asyncio.get_running_loop().time())

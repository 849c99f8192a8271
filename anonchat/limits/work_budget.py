"""Limits the processor time of each visitor and each client network, by delaying work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from ..errors import N_, LimitReached, Unavailable
from .active_counter import ActiveCounter
from .client_networks import client_network
from .limit import rate_limited_error
from .rate_limits import Limits
from .work_pool import (
    UNLIMITED_WAIT,
    WAITING_MAX,
    NetworkActivity,
    TurnQueues,
    WorkPool,
    loop_time,
)

MAX_WAIT = timedelta(seconds=10)
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
    `WorkPool`). Waiting visitors of one network are served round robin.

    The anonymous clients of a network have a budget apart from that of its visitors, so that they
    cannot delay visitors; they wait while the visitors' budget is used up. Anonymous clients that
    have solved a challenge have a third budget, and are served round robin by their passes.
    """

    def __init__(self, limits: Limits) -> None:
        self._visitor_limit = limits.work_of_visitor
        network, activity = limits.work_of_network, NetworkActivity()
        self._visitor_pool = WorkPool(network, limits.burst_of_network, activity)
        self._anonymous_pool = WorkPool(
            limits.work_of_anonymous, limits.burst_of_anonymous, activity, yields_to=network
        )
        self._asset_pool = WorkPool(
            limits.work_of_assets, limits.burst_of_assets, activity, yields_to=network
        )
        self._pass_holder_pool = WorkPool(
            limits.work_of_pass_holders, limits.burst_of_pass_holders, activity
        )
        self._waiting = ActiveCounter()  # waiting tasks of each visitor
        self._exclusive = TurnQueues(_EXCLUSIVE_WAITING_MAX)

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
        max_wait = UNLIMITED_WAIT if max_wait is None else max_wait
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
        max_wait: timedelta = UNLIMITED_WAIT,
    ) -> AsyncIterator[Charge]:
        """Run the blocks of each visitor one at a time, and charge the actual cost of each.

        `milliseconds` is the usual maximum. It is spent before the block, and the difference to the
        `Charge` is refunded after it. Raises `LimitReached` if too many tasks of the visitor wait,
        and `RateLimited` if the wait would exceed `max_wait`.
        """
        deadline = loop_time() + max_wait
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
                max_wait=deadline - loop_time(),
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

    def _select_pool(self, visitor_id: str, pass_id: str) -> WorkPool:
        if visitor_id:
            return self._visitor_pool
        return self._pass_holder_pool if pass_id else self._anonymous_pool

    async def _spend_visitor(self, visitor_id: str, cost: float, max_wait: timedelta) -> timedelta:
        """Charge a visitor's own budget; return the time waited."""
        if self._waiting[visitor_id] >= WAITING_MAX:
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

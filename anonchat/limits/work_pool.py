"""A budget of processor time that one class of clients of each network shares."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from ..errors import RateLimited, Unavailable
from ..runtime.fair_semaphore import FairSemaphore
from .client_networks import client_network, client_networks
from .limit import Limit, rate_limited_error

UNLIMITED_WAIT = timedelta(days=1)
"""The longest wait of work that may wait without a limit."""
WAITING_MAX = 200
"""The maximum number of tasks that wait for one visitor or network."""
_BURST_WAIT_MAX = timedelta(seconds=5)
_RECENT = timedelta(seconds=10)


class NetworkActivity:
    """Tracks whether more than one client network has used the server recently."""

    def __init__(self) -> None:
        self._latest: tuple[str, timedelta] = ("", -_RECENT)
        self._other: tuple[str, timedelta] = ("", -_RECENT)  # the last network before it

    def note(self, network: str) -> None:
        """Record that a network uses the server now."""
        if network != self._latest[0]:
            self._other = self._latest
        self._latest = (network, loop_time())

    def is_alone(self, network: str) -> bool:
        """Return whether no other network has used the server recently."""
        since = loop_time() - _RECENT
        return all(each == network or at <= since for each, at in (self._latest, self._other))


class TurnQueues:
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


class WorkPool:
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
        activity: NetworkActivity,
        *,
        yields_to: Limit | None = None,
    ) -> None:
        self.limit = limit
        self._burst_limit = burst_limit
        self._activity = activity
        self._yields_to = yields_to
        self._queues = TurnQueues(WAITING_MAX)

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
        deadline = loop_time() + max_wait
        try:
            async with self._queues.turn(network, group=group, max_wait=max_wait):
                await self._yield_to_limit(address, deadline)
                left = max(timedelta(), deadline - loop_time())
                wait = self.limit.reserve(address, cost, max_wait=left)
                burst = timedelta()
                if not self._activity.is_alone(network):
                    burst = self._burst_limit.reserve(address, cost, max_wait=UNLIMITED_WAIT)
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
            if loop_time() + wait > deadline:
                raise rate_limited_error(wait)
            await asyncio.sleep(wait.total_seconds())

    def _yield_time(self, address: str) -> timedelta:
        return self._yields_to.wait_time(address) if self._yields_to else timedelta()


def loop_time() -> timedelta:
    """Return the time of the event loop."""
    return timedelta(seconds=asyncio.get_running_loop().time())

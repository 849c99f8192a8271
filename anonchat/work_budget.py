"""Bounds the processor time that one visitor and one client network may use."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from .errors import N_, LimitReached, TooOften, Unavailable
from .fair_semaphore import FairSemaphore
from .limits import Limits, client_networks, refusal

_LONGEST_WAIT = timedelta(seconds=10)
_NO_BOUND = timedelta(days=1)
_WAITING_MOST = 200
_EXCLUSIVE_WAITING_MOST = 5_000  # all lists of all pages that one visitor may have open


@dataclass(slots=True)
class Charge:
    """What a piece of work is charged in the end, in milliseconds: set it once that is known."""

    milliseconds: float


class WorkBudget:
    """Delays what costs processor time once its visitor or client network has used its share.

    Costs are estimates in milliseconds, the same on every machine (see `Cost`). Whoever stays below
    the limits never waits; beyond them, work proceeds at the rate of the limit instead of holding
    up others. Visitors of one network that wait are served in turn, however much one of them asks.
    """

    def __init__(self, limits: Limits) -> None:
        self._of_visitor = limits.work_of_visitor
        self._of_network = limits.work_of_network
        self._delayed: Counter[str] = Counter()  # how often each visitor waits for their budget
        self._networks = _Queues(_WAITING_MOST)  # of each visitor
        self._exclusive = _Queues(_EXCLUSIVE_WAITING_MOST)

    async def spend(
        self,
        milliseconds: float,
        *,
        visitor_id: str = "",
        address: str = "",
        longest: timedelta | None = _LONGEST_WAIT,
    ) -> None:
        """Wait until the visitor and the client network may use so much processor time.

        Either may be unknown, and is not counted then. Raises `TooOften` if that would take longer
        than `longest` (`None`: it may take any time), and `LimitReached` if too many wait for the
        same visitor or network. What raises is counted for neither.
        """
        longest = _NO_BOUND if longest is None else longest
        waited = timedelta()
        if visitor_id:
            waited = await self._spend_visitor(visitor_id, milliseconds, longest)
        if address:
            try:
                await self._spend_network(visitor_id, address, milliseconds, longest - waited)
            except BaseException:
                if visitor_id:
                    self._of_visitor.give_back(visitor_id, milliseconds)
                raise

    @asynccontextmanager
    async def exclusive(
        self, milliseconds: float, *, visitor_id: str = "", address: str = ""
    ) -> AsyncIterator[Charge]:
        """Do one thing after the other for each visitor, and charge what each took in the end.

        `milliseconds` is the most that it usually takes. It is spent before, however long that has
        to wait; the difference to the `Charge` is settled after. Raises `LimitReached` if too much
        of the visitor waits.
        """
        async with self._exclusive.turn(visitor_id or address, longest=_NO_BOUND):
            await self.spend(milliseconds, visitor_id=visitor_id, address=address, longest=None)
            charge = Charge(milliseconds)
            try:
                yield charge
            finally:
                less = milliseconds - charge.milliseconds
                if visitor_id:
                    self._of_visitor.give_back(visitor_id, less)
                if address:
                    self._of_network.give_back_address(address, less)

    async def _spend_visitor(self, who: str, cost: float, longest: timedelta) -> timedelta:
        """Return how long it had to wait."""
        if self._delayed[who] >= _WAITING_MOST:
            raise LimitReached(N_("Too much is asked for at once. Please try again."))
        wait = self._of_visitor.reserve(who, cost, longest=longest)
        if wait:
            self._delayed[who] += 1
            try:
                await asyncio.sleep(wait.total_seconds())
            except BaseException:
                self._of_visitor.give_back(who, cost)
                raise
            finally:
                self._delayed[who] -= 1
                if not self._delayed[who]:
                    del self._delayed[who]
        return wait

    async def _spend_network(
        self, visitor_id: str, address: str, cost: float, longest: timedelta
    ) -> None:
        network = client_networks(address)[-1][0]
        if network not in self._networks:
            with suppress(TooOften):
                self._of_network.spend_address(address, cost)
                return
        try:
            async with self._networks.turn(network, group=visitor_id or address, longest=longest):
                wait = self._of_network.reserve_address(address, cost, longest=longest)
                await asyncio.sleep(wait.total_seconds())
        except Unavailable as error:
            raise refusal(longest) from error


@dataclass(slots=True)
class _Queue:
    semaphore: FairSemaphore
    inside: int = 0


class _Queues:
    """A queue for each key, for as long as anybody waits in it or is served."""

    def __init__(self, waiting_most: int) -> None:
        self._waiting_most = waiting_most
        self._queues: dict[str, _Queue] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._queues

    @asynccontextmanager
    async def turn(self, key: str, *, group: str = "", longest: timedelta) -> AsyncIterator[None]:
        """Be alone inside the block; of those that wait, one of each group is next in turn."""
        if (queue := self._queues.get(key)) is None:
            semaphore = FairSemaphore(1, reserved=0, waiting_most=self._waiting_most)
            queue = self._queues[key] = _Queue(semaphore)
        queue.inside += 1
        try:
            async with queue.semaphore.slot(group, longest=longest.total_seconds()):
                yield
        finally:
            queue.inside -= 1
            if not queue.inside:
                del self._queues[key]

"""Bounds the processor time that one visitor and one client network may use."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta

from .errors import N_, LimitReached, TooOften, Unavailable
from .fair_semaphore import FairSemaphore
from .limits import Limit, Limits, client_networks, neighbourhood, refusal

LONGEST_WAIT = timedelta(seconds=10)
_LONGEST_PACE = timedelta(seconds=5)
_LATELY = timedelta(seconds=10)
_NO_BOUND = timedelta(days=1)
_WAITING_MOST = 200
_EXCLUSIVE_WAITING_MOST = 5_000  # all lists of all pages that one visitor may have open


@dataclass(slots=True)
class Charge:
    """What a piece of work is charged in the end, in milliseconds: set it once that is known."""

    milliseconds: float


class WorkBudget:
    """Delays what costs processor time once its visitor or client network has used its share.

    Costs are estimates in milliseconds, the same on every machine (see `Cost`). Beyond the limits
    work proceeds at their rate instead of holding up others; below them it waits only where much is
    wanted at once while other networks use the server as well (see `_Pool`). Visitors of one
    network that wait are served in turn, however much one of them asks.

    What the strangers of a network use is counted apart from what its visitors do, so that they
    cannot make a visitor wait; they wait themselves while the visitors use all that they may.
    Those who have solved a challenge are counted apart from both, by their passes.
    """

    def __init__(self, limits: Limits) -> None:
        self._of_visitor = limits.work_of_visitor
        network, activity = limits.work_of_network, _Activity()
        self._of_visitors = _Pool(network, limits.pace_of_network, activity)
        self._of_strangers = _Pool(
            limits.work_of_strangers, limits.pace_of_strangers, activity, yields_to=network
        )
        self._of_assets = _Pool(
            limits.work_of_assets, limits.pace_of_assets, activity, yields_to=network
        )
        self._of_newcomers = _Pool(limits.work_of_newcomers, limits.pace_of_newcomers, activity)
        self._delayed: Counter[str] = Counter()  # how often each visitor waits for their budget
        self._exclusive = _Queues(_EXCLUSIVE_WAITING_MOST)

    async def spend(
        self,
        milliseconds: float,
        *,
        visitor_id: str = "",
        pass_id: str = "",
        address: str = "",
        longest: timedelta | None = LONGEST_WAIT,
    ) -> None:
        """Wait until the visitor and the client network may use so much processor time.

        Either may be unknown, and is not counted then. Without a visitor it is the work of a
        stranger; `pass_id` names the pass of one who has solved a challenge. Raises `TooOften` if
        that would take longer than `longest` (`None`: it may take any time), and `LimitReached` if
        too many wait for the same visitor or network. What raises is counted for neither.
        """
        longest = _NO_BOUND if longest is None else longest
        waited = timedelta()
        if visitor_id:
            waited = await self._spend_visitor(visitor_id, milliseconds, longest)
        if address:
            pool, group = self._pool(visitor_id, pass_id), visitor_id or pass_id
            try:
                await pool.spend(
                    milliseconds, address=address, group=group, longest=longest - waited
                )
            except BaseException:
                if visitor_id:
                    self._of_visitor.give_back(visitor_id, milliseconds)
                raise

    async def spend_on_asset(self, milliseconds: float, *, address: str) -> None:
        """Wait as `spend` does for a stranger, for a script or style that a page needs."""
        if address:
            await self._of_assets.spend(
                milliseconds, address=address, group="", longest=LONGEST_WAIT
            )

    @asynccontextmanager
    async def exclusive(
        self,
        milliseconds: float,
        *,
        visitor_id: str = "",
        pass_id: str = "",
        address: str = "",
        longest: timedelta = _NO_BOUND,
    ) -> AsyncIterator[Charge]:
        """Do one thing after the other for each visitor, and charge what each took in the end.

        `milliseconds` is the most that it usually takes. It is spent before, and the difference to
        the `Charge` is settled after. Raises `LimitReached` if too much of the visitor waits, and
        `Unavailable` or `TooOften` if it would have to wait for more than `longest`.
        """
        until = _now() + longest
        who = visitor_id or pass_id or neighbourhood(address)
        async with self._exclusive.turn(who, longest=longest):
            await self.spend(
                milliseconds,
                visitor_id=visitor_id,
                pass_id=pass_id,
                address=address,
                longest=until - _now(),
            )
            charge = Charge(milliseconds)
            try:
                yield charge
            finally:
                less = milliseconds - charge.milliseconds
                if visitor_id:
                    self._of_visitor.give_back(visitor_id, less)
                if address:
                    pool = self._pool(visitor_id, pass_id)
                    pool.give_back(address, less)

    def _pool(self, visitor_id: str, pass_id: str) -> "_Pool":
        if visitor_id:
            return self._of_visitors
        return self._of_newcomers if pass_id else self._of_strangers

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


class _Pool:
    """What some people of each client network may use together; those who wait take turns.

    `limit` says how much that may be. While other networks use the server as well, `pace` says how
    much of it at once: without that a network could hold up the others until its limit is reached.
    Nobody is refused because of the pace, and after waiting `_LONGEST_PACE` for it one goes on. If
    a pool `yields_to` a limit, its people also wait while that of their network is used up.
    """

    def __init__(
        self, limit: Limit, pace: Limit, activity: "_Activity", *, yields_to: Limit | None = None
    ) -> None:
        self.limit = limit
        self._pace = pace
        self._activity = activity
        self._yields_to = yields_to
        self._queues = _Queues(_WAITING_MOST)  # of each group

    async def spend(self, cost: float, *, address: str, group: str, longest: timedelta) -> None:
        """Wait for it; raises as `WorkBudget.spend` does.

        `group` takes turns with others; without one, those of an address's smallest network do.
        """
        group = group or neighbourhood(address)
        network = client_networks(address)[-1][0]
        self._activity.note(network)
        if network not in self._queues and not self._yielding(address):
            with suppress(TooOften):
                self._spend_now(network, address, cost)
                return
        until = _now() + longest
        try:
            async with self._queues.turn(network, group=group, longest=longest):
                await self._yield(address, until)
                left = max(timedelta(), until - _now())
                wait = self.limit.reserve_address(address, cost, longest=left)
                pace = self._reserve_pace(network, address, cost)
                try:
                    await asyncio.sleep(max(wait, min(pace, _LONGEST_PACE)).total_seconds())
                except BaseException:
                    self.give_back(address, cost)
                    raise
        except Unavailable:  # others of the network were first; the pace alone refuses nobody
            self.limit.spend_address(address, cost)

    def give_back(self, address: str, cost: float) -> None:
        """Count `cost` less: what was counted ahead of time did not happen, or took less."""
        self.limit.give_back_address(address, cost)
        self._pace.give_back_address(address, cost)

    def _spend_now(self, network: str, address: str, cost: float) -> None:
        """Count it if it need not wait; else raise `TooOften`."""
        self.limit.spend_address(address, cost)
        try:
            if not self._activity.is_alone(network):
                self._pace.spend_address(address, cost)
        except TooOften:
            self.limit.give_back_address(address, cost)
            raise

    def _reserve_pace(self, network: str, address: str, cost: float) -> timedelta:
        if self._activity.is_alone(network):
            return timedelta()
        return self._pace.reserve_address(address, cost, longest=_NO_BOUND)

    async def _yield(self, address: str, until: timedelta) -> None:
        """Wait while others have precedence, and no longer than until then."""
        while wait := self._yielding(address):
            if _now() + wait > until:
                raise refusal(wait)
            await asyncio.sleep(wait.total_seconds())

    def _yielding(self, address: str) -> timedelta:
        return self._yields_to.wait_of_address(address) if self._yields_to else timedelta()


class _Activity:
    """Knows whether more than one client network has used the server lately."""

    def __init__(self) -> None:
        self._latest: tuple[str, timedelta] = ("", -_LATELY)
        self._other: tuple[str, timedelta] = ("", -_LATELY)  # the last that was not the latest

    def note(self, network: str) -> None:
        """Note that a network uses it now."""
        if network != self._latest[0]:
            self._other = self._latest
        self._latest = (network, _now())

    def is_alone(self, network: str) -> bool:
        """Tell whether no other network has used it lately."""
        since = _now() - _LATELY
        return all(each == network or at <= since for each, at in (self._latest, self._other))


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


def _now() -> timedelta:
    """Return the time of the loop, by which all wait here."""
    return timedelta(seconds=asyncio.get_running_loop().time())

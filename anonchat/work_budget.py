"""Bounds the processor time that one visitor and one client network may use."""

import asyncio
from collections import Counter
from datetime import timedelta

from .errors import N_, LimitReached
from .limits import Limits, client_networks

_LONGEST_WAIT = timedelta(seconds=10)
_WAITING_MOST = 200


class WorkBudget:
    """Delays what costs processor time once its visitor or client network has used its share.

    Costs are estimates in milliseconds, the same on every machine. Whoever stays below the limits
    never waits; beyond them, work proceeds at the rate of the limit instead of holding up others.
    """

    def __init__(self, limits: Limits) -> None:
        self._of_visitor = limits.work_of_visitor
        self._of_network = limits.work_of_network
        self._waiting: Counter[str] = Counter()

    async def spend(self, milliseconds: float, *, visitor_id: str = "", address: str = "") -> None:
        """Wait until the visitor and the client network may use so much processor time.

        Either may be unknown, and is not counted then. Raises `TooOften` if that would take longer
        than ten seconds, and `LimitReached` if too many wait for the same visitor or network.
        """
        wait = timedelta()
        if visitor_id:
            wait = self._of_visitor.reserve(visitor_id, milliseconds, longest=_LONGEST_WAIT)
        if address:
            of_network = self._of_network.reserve_address(
                address, milliseconds, longest=_LONGEST_WAIT
            )
            wait = max(wait, of_network)
        if wait:
            await self._wait(wait, visitor_id or client_networks(address)[0][0])

    async def _wait(self, wait: timedelta, who: str) -> None:
        if self._waiting[who] >= _WAITING_MOST:
            raise LimitReached(N_("Too much is asked for at once. Please try again."))
        self._waiting[who] += 1
        try:
            await asyncio.sleep(wait.total_seconds())
        finally:
            self._waiting[who] -= 1
            if not self._waiting[who]:
                del self._waiting[who]

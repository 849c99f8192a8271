"""Bounds the processor time that a client network may use for those who are not signed in."""

import asyncio
from collections import Counter
from datetime import timedelta

from .errors import N_, LimitReached, TooOften
from .limits import Limit, Limits, client_networks

_LONGEST_WAIT = timedelta(seconds=6)
_LONGEST_WAIT_PROVEN = timedelta(seconds=10)
_LONGEST_PACE = timedelta(seconds=5)
_LOOK_AGAIN = timedelta(seconds=0.25)
_WAITING_MOST = 200
_PACED_MOST = 500
_CHALLENGE_BITS = 18
_MORE_BITS = 2  # for each time that the network's newcomers have used up what they may
_MORE_BITS_MOST = 4


class StrangerWork:
    """Delays the work for strangers of a client network, and refuses it if that takes too long.

    A stranger is whoever brings no token that is known. Costs are estimates in milliseconds, as in
    `WorkBudget`, but counted apart, so that strangers cannot make a visitor of their network wait.
    They wait themselves while the visitors there use all that they may. Who has solved a challenge
    is counted apart from both.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: Counter[str] = Counter()

    async def spend(self, milliseconds: float, *, address: str) -> None:
        """Wait until strangers of that address may use so much processor time, six seconds at most.

        Raises `TooOften` if that would take longer, `LimitReached` if too many wait.
        """
        await self._spend(self._limits.work_of_strangers, milliseconds, address)

    async def spend_on_asset(self, milliseconds: float, *, address: str) -> None:
        """Wait as `spend` does, for a script or style: a page that was sent cannot lack it."""
        await self._spend(self._limits.work_of_assets, milliseconds, address)

    async def spend_after_challenge(self, milliseconds: float, *, address: str) -> None:
        """Wait as `spend` does, ten seconds at most, for one who has solved a challenge."""
        limit = self._limits.work_of_newcomers
        if address:
            wait = limit.reserve_address(address, milliseconds, longest=_LONGEST_WAIT_PROVEN)
            await self._wait(wait, f"newcomers {_widest(address)}")

    async def pace(self, address: str) -> None:
        """Wait before a small answer if a client network is given more than a hundred a second.

        Whoever asks again as soon as an answer comes is slowed down by that. Those for whom there
        is no room to wait are answered at once.
        """
        who = f"paced {_widest(address)}"
        if address and self._waiting[who] < _PACED_MOST:
            try:
                wait = self._limits.small_answers.reserve_address(address, 1, longest=_LONGEST_PACE)
            except TooOften:
                return
            await self._sleep(wait, who)

    def challenge_bits(self, address: str) -> int:
        """Return how hard a challenge for that network is: harder while many are being solved."""
        load = self._limits.work_of_newcomers.read_load(address) if address else 0.0
        return _CHALLENGE_BITS + min(_MORE_BITS_MOST, int(_MORE_BITS * load))

    async def _spend(self, limit: Limit, milliseconds: float, address: str) -> None:
        if not address:
            return
        wait = limit.reserve_address(address, milliseconds, longest=_LONGEST_WAIT)
        waited = await self._wait_for_visitors(address)
        await self._wait(wait - waited, _widest(address))

    async def _wait_for_visitors(self, address: str) -> timedelta:
        waited = timedelta()
        while self._limits.work_of_network.read_load(address) >= 1:
            if waited >= _LONGEST_WAIT:
                raise TooOften(
                    N_("That was too often. Please try again in {seconds} s."), seconds=2
                )
            await self._wait(_LOOK_AGAIN, _widest(address))
            waited += _LOOK_AGAIN
        return waited

    async def _wait(self, wait: timedelta, who: str) -> None:
        if wait > timedelta() and self._waiting[who] >= _WAITING_MOST:
            raise LimitReached(N_("Too much is asked for at once. Please try again."))
        await self._sleep(wait, who)

    async def _sleep(self, wait: timedelta, who: str) -> None:
        if wait <= timedelta():
            return
        self._waiting[who] += 1
        try:
            await asyncio.sleep(wait.total_seconds())
        finally:
            self._waiting[who] -= 1
            if not self._waiting[who]:
                del self._waiting[who]


def _widest(address: str) -> str:
    return client_networks(address)[-1][0]

"""Slows down client networks that exceed their share: challenge difficulty and delayed refusals."""

import asyncio
from datetime import timedelta

from ..errors import RateLimited
from .active_counter import ActiveCounter
from .client_networks import client_networks
from .rate_limits import Limits

_DELAY_MAX = timedelta(seconds=5)
_DELAYED_MAX = 500  # for each network
_BITS = 18
_EXTRA_BITS = 2  # for each full budget that the network's pass holders have used
_EXTRA_BITS_MAX = 4


class NetworkThrottle:
    """Sets the difficulty of challenges for a client network, and delays refusals to it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._delayed = ActiveCounter()

    def challenge_bits(self, address: str) -> int:
        """Return the difficulty of a challenge for a network, which rises while many are solved."""
        load = self._limits.work_of_pass_holders.read_load(address) if address else 0.0
        return _BITS + min(_EXTRA_BITS_MAX, int(_EXTRA_BITS * load))

    async def delay_response(self, address: str) -> bool:
        """Delay a small response if its client network gets more than a hundred a second.

        This slows down clients that send the next request after each response. Return `False`,
        without a delay, if 500 responses to the network are waiting already or the delay would
        exceed 5 seconds.
        """
        network = client_networks(address)[-1][0] if address else ""
        if not network or self._delayed[network] >= _DELAYED_MAX:
            return not network
        try:
            delay = self._limits.small_answers.reserve(address, 1, max_wait=_DELAY_MAX)
        except RateLimited:
            return False
        with self._delayed.counting(network):
            await asyncio.sleep(delay.total_seconds())
        return True

"""What client networks are asked of which more is wanted than they may have."""

import asyncio
from collections import Counter
from datetime import timedelta

from .errors import TooOften
from .limits import Limits, client_networks

_LONGEST_PACE = timedelta(seconds=5)
_PACED_MOST = 500
_BITS = 18
_MORE_BITS = 2  # for each time that the network's newcomers have used up what they may
_MORE_BITS_MOST = 4


class BusyNetworks:
    """Says how hard the challenges for a client network are, and slows down refusals to it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._paced: Counter[str] = Counter()

    def challenge_bits(self, address: str) -> int:
        """Return how hard a challenge for that network is: harder while many are being solved."""
        load = self._limits.work_of_newcomers.read_load(address) if address else 0.0
        return _BITS + min(_MORE_BITS_MOST, int(_MORE_BITS * load))

    async def pace(self, address: str) -> bool:
        """Wait before a small answer if a client network is given more than a hundred a second.

        Whoever asks again as soon as an answer comes is slowed down by that. Those for whom there
        is no room to wait are answered at once; `False` tells that.
        """
        network = client_networks(address)[-1][0] if address else ""
        if not network or self._paced[network] >= _PACED_MOST:
            return not network
        self._paced[network] += 1
        try:
            wait = self._limits.small_answers.reserve_address(address, 1, longest=_LONGEST_PACE)
            await asyncio.sleep(wait.total_seconds())
        except TooOften:
            return False
        else:
            return True
        finally:
            self._paced[network] -= 1
            if not self._paced[network]:
                del self._paced[network]

"""Limits the rate of one visitor to what the server accepts."""

import asyncio
from collections.abc import Iterable

from anonchat import Settings
from anonchat.rates import Rate

_PER_PAGE = ("socket_events_per_page",)


class Pace:
    """Delays acts as the default rate limits require: a burst, then a steady rate.

    `limits` are names of settings; limits per page count for each of the `pages`. The server's
    budgets of processor time are not considered.
    """

    def __init__(self, limits: Iterable[str], *, pages: int) -> None:
        rates = {name: rate for name in limits if isinstance(rate := _default(name), Rate)}
        self._gaps = [
            rate.span.total_seconds() / rate.times / (pages if name in _PER_PAGE else 1)
            for name, rate in rates.items()
        ]
        self._spans = [rate.span.total_seconds() for rate in rates.values()]
        self._full = [0.0] * len(rates)  # the time at which each bucket is full again

    async def wait(self) -> None:
        """Wait until all limits allow one more act."""
        now = asyncio.get_running_loop().time()
        self._full = [
            max(now, full) + gap for full, gap in zip(self._full, self._gaps, strict=True)
        ]
        waits = [full - now - span for full, span in zip(self._full, self._spans, strict=True)]
        if (wait := max(waits, default=0.0)) > 0:
            await asyncio.sleep(wait)


def _default(name: str) -> object:
    return Settings.model_fields[name].default

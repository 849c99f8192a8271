"""How fast one visitor may be without being refused."""

import asyncio
from collections.abc import Iterable

from anonchat import Settings
from anonchat.rates import Rate

_OF_EACH_PAGE = ("events_per_screen",)


class Pace:
    """Lets acts through as the limits of a site do by default: so many at once, then steadily.

    `limits` are names of settings; each of the `pages` has those of pages for itself.

    What costs processor time is not foreseen here: that is for the site to bound.
    """

    def __init__(self, limits: Iterable[str], *, pages: int) -> None:
        rates = {name: rate for name in limits if isinstance(rate := _default(name), Rate)}
        self._gaps = [
            rate.span.total_seconds() / rate.times / (pages if name in _OF_EACH_PAGE else 1)
            for name, rate in rates.items()
        ]
        self._spans = [rate.span.total_seconds() for rate in rates.values()]
        self._full = [0.0] * len(rates)  # when the bucket of each is full again

    async def wait(self) -> None:
        """Wait until one more is allowed by all of them."""
        now = asyncio.get_running_loop().time()
        self._full = [
            max(now, full) + gap for full, gap in zip(self._full, self._gaps, strict=True)
        ]
        waits = [full - now - span for full, span in zip(self._full, self._spans, strict=True)]
        if (wait := max(waits, default=0.0)) > 0:
            await asyncio.sleep(wait)


def _default(name: str) -> object:
    return Settings.model_fields[name].default

"""Bounds how often something happens in any span of time, wherever the span begins."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from .clock import Clock
from .errors import TooOften

_KEPT_MOST = 100_000


class SlidingWindow:
    """Allows at most `times` events in each `span` for each key; keys are hashes.

    Unlike a `Limit`, which refills steadily, it never allows more than `times` in any such span.
    `check` and `add` are two steps, because some attempts turn out not to count. `refuse` makes
    the error from the seconds that are left.
    """

    def __init__(
        self, times: int, span: timedelta, *, clock: Clock, refuse: Callable[[int], TooOften]
    ) -> None:
        self._times = times
        self._span = span
        self._clock = clock
        self._refuse = refuse
        self._moments: dict[str, deque[datetime]] = {}  # the key added to last comes last
        self._drawn: dict[str, float] = {}  # what the other nodes do not know yet
        self.refused = 0

    def check(self, key: str) -> None:
        """Raise what `refuse` makes if there was too much for this key."""
        moments = self._moments.get(key)
        if moments is None or len(moments) < self._times:
            return
        left = moments[0] + self._span - self._clock()
        if left > timedelta():
            self.refused += 1
            raise self._refuse(math.ceil(left.total_seconds()))

    def add(self, key: str) -> None:
        """Count one event."""
        self._note(key)
        self._drawn[key] = self._drawn.get(key, 0) + 1

    def take_drawn(self) -> dict[str, float]:
        """Return how many events there were for each key since the last time."""
        drawn, self._drawn = self._drawn, {}
        return drawn

    def note(self, drawn: Mapping[str, float]) -> None:
        """Count what happened on another node."""
        for key, times in drawn.items():
            for _ in range(min(int(times), self._times)):
                self._note(key)

    def _note(self, key: str) -> None:
        now = self._clock()
        moments = self._moments.pop(key, None) or deque(maxlen=self._times)
        moments.append(now)
        self._moments[key] = moments
        while self._moments:
            oldest = next(iter(self._moments))
            if len(self._moments) <= _KEPT_MOST and self._moments[oldest][-1] + self._span > now:
                break
            del self._moments[oldest]

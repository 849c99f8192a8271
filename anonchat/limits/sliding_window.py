"""Sliding window rate limiter: limits events in any span of time, wherever the span begins."""

import math
from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

from ..errors import RateLimited
from ..runtime.clock import Clock

_KEYS_MAX = 100_000


class SlidingWindow:
    """Allows at most `times` events in any `span` for each key; keys are hashes.

    Unlike a `Limit`, which refills steadily, it never allows more than `times` in any such span.
    `check` and `add` are separate, because some attempts turn out not to count.
    """

    def __init__(
        self, times: int, span: timedelta, *, clock: Clock, error: type[RateLimited]
    ) -> None:
        self._times = times
        self._span = span
        self._clock = clock
        self._error = error
        self._timestamps: dict[str, deque[datetime]] = {}  # most recently used key last
        self._unsent: dict[str, float] = {}  # not published to the other nodes yet
        self.refused = 0

    def check(self, key: str) -> None:
        """Raise `error`, with the seconds to wait, if this key has reached its limit."""
        timestamps = self._timestamps.get(key)
        if timestamps is None or len(timestamps) < self._times:
            return
        left = timestamps[0] + self._span - self._clock()
        if left > timedelta():
            self.refused += 1
            raise self._error(seconds=math.ceil(left.total_seconds()))

    def add(self, key: str) -> None:
        """Count one event."""
        self._record(key)
        self._unsent[key] = self._unsent.get(key, 0) + 1

    def take_usage(self) -> dict[str, float]:
        """Return the events by key that this node has counted since the last call."""
        usage, self._unsent = self._unsent, {}
        return usage

    def add_remote_usage(self, usage: Mapping[str, float]) -> None:
        """Count events of another node, by key."""
        for key, times in usage.items():
            for _ in range(min(int(times), self._times)):
                self._record(key)

    def _record(self, key: str) -> None:
        now = self._clock()
        timestamps = self._timestamps.pop(key, None) or deque(maxlen=self._times)
        timestamps.append(now)
        self._timestamps[key] = timestamps
        while self._timestamps:
            oldest = next(iter(self._timestamps))
            if (
                len(self._timestamps) <= _KEYS_MAX
                and self._timestamps[oldest][-1] + self._span > now
            ):
                break
            del self._timestamps[oldest]

"""Counts recent uses of a resource by each key, in a sliding window."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from ..runtime.clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEYS_MAX = 100_000


class RecentUse:
    """Counts uses in a sliding window, estimated from two fixed windows of the same length.

    `hash_key` turns a key into the hash that is stored.
    """

    def __init__(self, span: timedelta, clock: Clock, hash_key: Callable[[str], str]) -> None:
        self._span = span
        self._clock = clock
        self._hash_key = hash_key
        self._window = 0
        self._current: Counter[str] = Counter()
        self._previous: Counter[str] = Counter()
        self._unsent: Counter[str] = Counter()  # not published to the other nodes yet

    def count(self, key: str) -> float:
        """Return the estimated number of uses by `key` in the last span."""
        elapsed = self._advance()
        hashed = self._hash_key(key)
        return self._current[hashed] + self._previous[hashed] * (1 - elapsed)

    def add(self, key: str) -> None:
        """Count one use."""
        hashed = self._hash_key(key)
        self.add_remote_usage({hashed: 1})
        self._unsent[hashed] += 1

    def take_usage(self) -> dict[str, float]:
        """Return the uses by hashed key that this node has counted since the last call."""
        unsent, self._unsent = self._unsent, Counter()
        return dict(unsent)

    def add_remote_usage(self, usage: Mapping[str, float]) -> None:
        """Add uses by hashed key, of this node or another one."""
        self._advance()
        for hashed, times in usage.items():
            self._current[hashed] += int(times)
        if len(self._current) > _KEYS_MAX:
            self._current = Counter(dict(self._current.most_common(_KEYS_MAX // 2)))

    def _advance(self) -> float:
        """Start a new window if the current one is over; return its elapsed fraction."""
        window, elapsed = divmod((self._clock() - _EPOCH) / self._span, 1)
        if window != self._window:
            self._previous = self._current if window == self._window + 1 else Counter()
            self._current = Counter()
            self._window = int(window)
        return elapsed

"""A rate limit (generic cell rate algorithm): one bucket per key, which refills steadily.

A bucket is stored as the time at which it will be full again. Keys are stored as keyed hashes under
a daily salt, in memory only.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from functools import cache, partial

from ..errors import RateLimited
from ..rates import Rate
from ..runtime.clock import Clock
from .client_networks import client_networks

_KEYS_MAX = 100_000
_UNSENT_MAX = 20_000


class Limit:
    """A rate limit.

    A key is the id of a visitor or room, or an IP address, which counts for each of its networks
    (see `client_networks`) or for none of them.
    """

    def __init__(self, rate: Rate, clock: Clock, salt: Callable[[date], bytes]) -> None:
        self._rate = rate
        self._clock = clock
        self._make_salt = salt
        self._day = date.min
        self._salt = b""
        self._full_at: dict[str, datetime] = {}  # when each bucket will be full again
        self._unsent: dict[str, float] = {}  # not published to the other nodes yet
        self.refused = 0

    def hit(self, key: str, cost: float = 1) -> None:
        """Count `cost` uses by `key`; raise `RateLimited`, without counting, over the limit.

        >>> from anonchat.runtime.clock import MonotonicWallClock
        >>> limit = Limit(Rate(1, timedelta(seconds=10)), MonotonicWallClock(), lambda day: b"salt")
        >>> limit.hit("visitor")
        >>> limit.hit("visitor")
        Traceback (most recent call last):
        ...
        anonchat.errors.RateLimited: That was too often. Please try again in 10 s.
        """
        self.reserve(key, cost, max_wait=timedelta())

    def hit_once(self, key: str) -> Callable[[], None]:
        """Return a function that calls `hit` on its first call only, for retried operations."""
        return cache(partial(self.hit, key))

    def refund(self, key: str, cost: float) -> None:
        """Refund `cost`: a use that was counted in advance did not happen, or cost less."""
        self.reserve(key, -cost, max_wait=timedelta.max)

    def reserve(self, key: str, cost: float, *, max_wait: timedelta) -> timedelta:
        """Count a use in advance, and return how long to wait before it.

        Raises `RateLimited`, without counting, if the wait would exceed `max_wait`.
        """
        if not self._rate.times:
            return timedelta()
        now = self._clock()
        buckets: dict[str, tuple[float, datetime]] = {}
        for name, weight in client_networks(key):
            hashed, units = self.hash_key(name), cost * weight
            buckets[hashed] = units, self._full_after(hashed, units, now)
        wait = max(full - now - self._rate.span for _, full in buckets.values())
        if wait > max_wait and cost > 0:
            self.refused += 1
            raise rate_limited_error(wait)
        for hashed, (units, full) in buckets.items():
            self._full_at[hashed] = full
            if len(self._unsent) < _UNSENT_MAX:
                self._unsent[hashed] = self._unsent.get(hashed, 0) + units
        self._evict()
        return max(wait, timedelta())

    def wait_time(self, key: str) -> timedelta:
        """Return how long the key has to wait until all of its buckets have capacity."""
        return max(timedelta(), self._read_used(key) - self._rate.span)

    def read_load(self, key: str) -> float:
        """Return the used fraction of a key's most used bucket; above 1 it is overdrawn."""
        return self._read_used(key) / self._rate.span

    def remaining(self, key: str) -> float:
        """Return the number of uses that remain for `key` now."""
        return max(0.0, 1 - self.read_load(key)) * self._rate.times

    def _read_used(self, key: str) -> timedelta:
        """Return how long the most used bucket of a key takes to refill."""
        now = self._clock()
        fulls = [self._full_at.get(self.hash_key(name), now) for name, _ in client_networks(key)]
        return max(timedelta(), *(full - now for full in fulls))

    def take_usage(self) -> dict[str, float]:
        """Return the uses by hashed key that this node has counted since the last call."""
        usage, self._unsent = self._unsent, {}
        return usage

    def add_remote_usage(self, usage: Mapping[str, float]) -> None:
        """Add uses of another node; they overdraw a bucket by at most its own size."""
        if not self._rate.times:
            return
        self._rotate_salt()
        now = self._clock()
        for hashed, times in usage.items():
            full = self._full_after(hashed, times, now)
            self._full_at[hashed] = min(full, now + 2 * self._rate.span)
        self._evict()

    def hash_key(self, key: str) -> str:
        """Return the hash of a key under today's salt, from which the key cannot be derived."""
        self._rotate_salt()
        return hashlib.blake2s(key.encode(), key=self._salt, digest_size=12).hexdigest()

    def _full_after(self, hashed: str, units: float, now: datetime) -> datetime:
        """Return when a bucket will be full again once these units are taken from it."""
        return max(now, self._full_at.get(hashed, now)) + self._rate.span / self._rate.times * units

    def _rotate_salt(self) -> None:
        if (today := self._clock().date()) != self._day:
            self._day, self._salt = today, self._make_salt(today)
            self._full_at.clear()

    def _evict(self) -> None:
        """If there are too many buckets, keep the most used half, so that these stay limited."""
        if len(self._full_at) > _KEYS_MAX:
            most_used_first = sorted(self._full_at.items(), key=lambda each: each[1], reverse=True)
            self._full_at = dict(most_used_first[: _KEYS_MAX // 2])


def rate_limited_error(wait: timedelta) -> RateLimited:
    """Return an error with the time to wait in seconds, at least 1."""
    return RateLimited(seconds=max(1, math.ceil(wait.total_seconds())))

"""When each key was used last, on any node."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from ..runtime.clock import Clock

_KEYS_MAX = 100_000


class LastUse:
    """Knows the last use of each key, for as long as there are not too many others.

    `hash_key` turns a key into the hash that is stored.
    """

    def __init__(self, clock: Clock, hash_key: Callable[[str], str]) -> None:
        self._clock = clock
        self._hash_key = hash_key
        self._used_at: dict[str, float] = {}  # seconds since 1970, the earliest use first
        self._unsent: dict[str, float] = {}  # not published to the other nodes yet

    def wait_time(self, key: str, pause: timedelta) -> timedelta:
        """Return how long a key has to wait until its last use is a `pause` ago."""
        used_at = self._used_at.get(self._hash_key(key))
        if used_at is None:
            return timedelta()
        since = self._clock() - datetime.fromtimestamp(used_at, UTC)
        return max(timedelta(), pause - since)

    def add(self, key: str) -> None:
        """Note a use."""
        use = {self._hash_key(key): self._clock().timestamp()}
        self.add_remote_usage(use)
        self._unsent.update(use)

    def take_usage(self) -> dict[str, float]:
        """Return the last uses by hashed key on this node since the last call."""
        unsent, self._unsent = self._unsent, {}
        return unsent

    def add_remote_usage(self, usage: Mapping[str, float]) -> None:
        """Note uses by hashed key, on this node or another one."""
        for hashed, used_at in usage.items():
            self._used_at[hashed] = max(used_at, self._used_at.pop(hashed, 0.0))
        while len(self._used_at) > _KEYS_MAX:
            del self._used_at[next(iter(self._used_at))]

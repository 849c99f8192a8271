"""Counts what is active by key, such as open connections by visitor."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class ActiveCounter(Counter[str]):
    """A counter without entries for the keys whose count is zero."""

    def decrement(self, key: str) -> None:
        """Decrement the count of a key."""
        self[key] -= 1
        if not self[key]:
            del self[key]

    @contextmanager
    def counting(self, key: str) -> Iterator[None]:
        """Count one more inside the block."""
        self[key] += 1
        try:
            yield
        finally:
            self.decrement(key)

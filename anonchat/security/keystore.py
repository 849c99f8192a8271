"""The interface of a key store: what services and ciphers need of it."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Protocol


class KeyStore(Protocol):
    """Named 32-byte keys; a key is on disk before it is returned by `get_or_create`.

    Destroying a key makes everything encrypted with it unreadable. Other nodes may share the keys.
    """

    row_commit_delay: timedelta
    """How long after a key was received another node may still commit its row."""

    def get(self, name: str) -> bytes | None:
        """Return the key of this name, or `None` if this node does not have it."""

    def names(self) -> list[str]:
        """Return the names of all keys of this node, without the hash key."""

    def initial_names(self) -> list[str]:
        """Return the names of the keys that the file had at opening and that still exist."""

    def spans(self) -> list[int]:
        """Return the numbers of the spans that have keys."""

    def span_key_names(self, number: int) -> list[str]:
        """Return the names of the keys of a span, newest generation first."""

    def own_span_key(self, number: int, generation: int) -> str:
        """Return the name of the key that this node encrypts with in a span."""

    async def get_or_create(self, *names: str) -> list[bytes]:
        """Return the keys of these names; create missing ones, durably, first.

        Raises `Unavailable` if new keys cannot be written to disk.
        """

    async def destroy(self, names: Iterable[str]) -> None:
        """Destroy these keys here and, soon, on all nodes.

        Raises `Unavailable` if the disk fails; the keys are removed from memory nevertheless.
        """

    def is_destroyed(self, name: str) -> bool:
        """Return whether no node can have the key of this name."""

    def may_exist_on_peers(self, *names: str) -> bool:
        """Return whether another node may have these keys, or other keys of the same spans."""

    async def fetch(self, names: Collection[str]) -> None:
        """Request keys that other nodes may have (of a span, all keys)."""

    def record_missing(self, names: Iterable[str]) -> None:
        """Record keys that were not found: when one arrives, a gap in the events is reported."""

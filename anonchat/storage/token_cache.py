"""Caches which visitor a token belongs to."""

from datetime import datetime

from ..entities import Visitor
from ..runtime.bounded_dict import BoundedDict

_TOKENS_MAX = 10_000


class TokenCache:
    """Caches the visitors of valid tokens, and which tokens are invalid, by the token's hash."""

    def __init__(self) -> None:
        # Each visitor with the time until which the entry is valid.
        self._visitors: BoundedDict[bytes, tuple[datetime, Visitor]] = BoundedDict(_TOKENS_MAX)
        self._invalid: BoundedDict[bytes, None] = BoundedDict(_TOKENS_MAX)
        self.revocations = 0
        """Changes whenever an entry is evicted: what was read before may be revoked."""

    def __len__(self) -> int:
        return len(self._visitors)

    def get(self, hash: bytes, now: datetime) -> Visitor | None:
        """Return the visitor of a token, or `None` if the database has to be asked."""
        valid_until, visitor = self._visitors.get(hash, (now, None))
        return visitor if now < valid_until else None

    def put(self, hash: bytes, visitor: Visitor, *, valid_until: datetime) -> None:
        """Cache the visitor of a token."""
        self._visitors[hash] = valid_until, visitor

    def is_invalid(self, hash: bytes) -> bool:
        """Return whether a token is known to be invalid; it never becomes valid."""
        return hash in self._invalid

    def add_invalid(self, hash: bytes) -> None:
        """Cache that a token is invalid."""
        self._invalid[hash] = None

    def list_visitors(self, now: datetime) -> set[str]:
        """Return the ids of the visitors with a valid entry."""
        return {visitor.id for until, visitor in self._visitors.values() if until > now}

    def evict_visitor(self, visitor_id: str) -> None:
        """Evict the tokens of a visitor."""
        self.revocations += 1
        hashes = [hash for hash, (_, each) in self._visitors.items() if each.id == visitor_id]
        for hash in hashes:
            del self._visitors[hash]

    def clear(self) -> None:
        """Evict the tokens of all visitors."""
        self.revocations += 1
        self._visitors.clear()

"""A room that clients use from outside, with its record."""

import time
from dataclasses import dataclass, field

from tests.history.record import Post, Record

now = time.time  # server and clients run on one machine and share its clock


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A room whose messages live for `ttl` seconds."""

    slug: str
    ttl: float
    record: Record = field(default_factory=Record)

    def post(self, text: str, *, dedup_id: str, author: str) -> Post:
        """Record a message that is about to be posted."""
        return self.record.post(text, dedup_id=dedup_id, author=author, expires_at=now() + self.ttl)

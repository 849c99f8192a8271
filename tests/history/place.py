"""A room as those see it who take part from outside, and what is noted down of it."""

import time
from dataclasses import dataclass, field

from tests.history.record import Post, Record

now = time.time  # the house and its guests live on one machine, and so by one clock


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A room whose messages live for `ttl` seconds."""

    slug: str
    ttl: float
    record: Record = field(default_factory=Record)

    def post(self, text: str, *, dedup_id: str, author: str) -> Post:
        """Note that somebody is about to say this."""
        return self.record.post(text, dedup_id=dedup_id, author=author, until=now() + self.ttl)

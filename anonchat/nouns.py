"""The nouns of the chat as plain frozen values: what services return and events carry."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Visitor:
    """A browser we recognise. `badge` is the short proof of a secret phrase, or empty."""

    id: str
    nickname: str
    badge: str
    expires_at: datetime
    has_posted: bool = True


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Room:
    """A room. `message_ttl` is how long a message lives, `room_ttl` how long a quiet room does.

    Until `was_entered` by anybody but its maker, a quiet room lives shorter.
    """

    id: str
    slug: str
    name: str
    topic: str
    listed: bool
    owner: str
    message_ttl: timedelta
    room_ttl: timedelta
    created_at: datetime
    active_at: datetime
    expires_at: datetime
    last_seq: int
    was_entered: bool = True


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Member:
    """A visitor in a room. `author` is the pseudonym that is valid in this room alone."""

    room_id: str
    visitor_id: str
    author: str
    nickname: str
    badge: str
    read_seq: int


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Message:
    """A message. `seq` counts 1, 2, 3 … in its room; `dedup_id` was chosen by who posted it."""

    id: str
    room_id: str
    seq: int
    author: str
    nickname: str
    badge: str
    text: str
    dedup_id: str
    posted_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Membership:
    """One of the rooms a visitor is in, with the number of messages they have not read."""

    room: Room
    member: Member
    unread: int


@dataclass(frozen=True, slots=True)
class Glance:
    """What a room shows from outside.

    `here` counts members with the room open, `first_seq` is the oldest message alive and
    `next_expiry` the moment it disappears.
    """

    room: Room
    here: int
    first_seq: int
    next_expiry: datetime | None


@dataclass(frozen=True, slots=True)
class Tally:
    """What was forgotten so far: counts, when that was last looked at, and when it is again.

    `oldest` is when the oldest message that is still kept was posted.
    """

    messages: int
    rooms: int
    visitors: int
    purged_at: datetime
    next_purge: datetime
    oldest: datetime | None

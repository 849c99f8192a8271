"""Entities as frozen dataclasses, returned by services and carried by events."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import JsonValue

FOR_GOOD: Final = datetime(9999, 12, 31, tzinfo=UTC)
"""When a mute ends that does not end before the room does."""
HELPER: Final = "helper"
"""The role of members who help the owner to keep order."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a visitor shows of themselves: that they are typing, and that they are here.

    Who does not show to be here does not show to be typing either.
    """

    shows_typing: bool = True
    shows_presence: bool = True


@dataclass(frozen=True, slots=True)
class Visitor:
    """An identity that browsers sign in as. `badge` proves a secret phrase, or is empty."""

    id: str
    nickname: str
    badge: str
    expires_at: datetime
    has_posted: bool = True
    preferences: Preferences = Preferences()


@dataclass(frozen=True, slots=True)
class RoomRules:
    """Who may come into a room, and write there.

    `locked`: nobody else may join. `asks`: owner or helpers let each one in. `members_max` is the
    most members, or 0 for that of the site. `paused`: only owner and helpers may write. `slow_mode`
    is the time between two messages of a member. Messages with `unwanted` words are refused.
    """

    has_password: bool = False
    locked: bool = False
    asks: bool = False
    members_max: int = 0
    paused: bool = False
    slow_mode: timedelta = timedelta()
    unwanted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Room:
    """A room. `message_ttl` is the lifetime of messages, `room_ttl` that of an inactive room.

    `was_entered` is whether a second visitor ever joined; until then the room expires sooner.
    `revision` increases with each change by the owner.
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
    revision: int = 0
    rules: RoomRules = RoomRules()


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Member:
    """A visitor in a room. `author` is the pseudonym, which is valid in this room only.

    `role` is `HELPER` or empty; the owner is that of the room. Until `muted_until` they may not
    write.
    `is_hidden` is whether the member, who has the room open, is not shown to be here.
    """

    room_id: str
    visitor_id: str
    author: str
    nickname: str
    badge: str
    read_seq: int
    role: str = ""
    muted_until: datetime | None = None
    is_hidden: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """What a visitor may do in a room. `was_removed` is whether they were, and are not back."""

    role: str = ""
    muted_until: datetime | None = None
    was_removed: bool = False


@dataclass(frozen=True, slots=True)
class Ban:
    """Somebody who may not come into a room again; a forgotten person has no nickname here."""

    author: str
    nickname: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Invite:
    """An invitation: whoever has the code comes into the room, `uses_max` times (0: unlimited)."""

    code: str
    uses: int
    uses_max: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Knock:
    """Somebody who asks to come into a room. `author` is a pseudonym until they are let in."""

    author: str
    nickname: str
    badge: str


@dataclass(frozen=True, slots=True)
class Typing:
    """Who is typing in a room: up to four authors, the first one first; more are `several`."""

    authors: tuple[str, ...] = ()
    several: bool = False


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji, and the authors who have reacted with it to a message, the first one first."""

    emoji: str
    authors: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many they are."""
        return len(self.authors)


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Message:
    """A message. `seq` counts 1, 2, 3 … in its room; `dedup_id` is chosen by the client.

    `kind` is empty in ordinary messages. Else `data` is what the kind needs to be drawn, and `text`
    is shown where nothing draws it. `reply_to` is the id of the message that it answers, which may
    be gone, and `mentions` are the authors whom its text names. `revision` counts its changes:
    a copy with a higher one is newer.

    Each reader can open a message that is `once` a single time: its `text` is always empty here.
    The authors who have not opened it yet are `readers`, those who have `openers`.
    """

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
    kind: str = ""
    data: JsonValue = field(default=None, hash=False)
    reply_to: str = ""
    mentions: tuple[str, ...] = ()
    edited: bool = False
    revision: int = 0
    reactions: tuple[Reaction, ...] = ()
    once: bool = False
    readers: tuple[str, ...] = ()
    openers: tuple[str, ...] = ()

    @property
    def opened(self) -> int:
        """How many have opened it."""
        return len(self.openers)


@dataclass(frozen=True, slots=True)
class FoundMessages:
    """What a search has found, oldest first, and how much it has read for that.

    `before` is the `seq` before which there are messages that were not searched, or `None`.
    """

    messages: list[Message]
    searched: int
    characters: int
    before: int | None


@dataclass(frozen=True, slots=True)
class Post:
    """What is said: a text, or something of a `kind` with `data`, any JSON of up to 16,384 bytes.

    With a kind the text may be empty: one is made of kind and data. A `nickname` is shown instead
    of the author's, without a badge. `reply_to` is the id of the message that it answers, `ttl` its
    own lifetime, which is at most that of the room's messages.

    With `once`, which is for texts only, those who are members now can each open it a single time.
    It is deleted when all have opened it, and after 24 hours at the latest.
    """

    text: str = ""
    kind: str = ""
    data: JsonValue = field(default=None, hash=False)
    nickname: str = ""
    reply_to: str = ""
    ttl: timedelta | None = None
    once: bool = False


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A post as it may be stored, and warnings that its author has to confirm before."""

    post: Post
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Membership:
    """A room that a visitor has joined, with the number of unread messages."""

    room: Room
    member: Member
    unread: int


@dataclass(frozen=True, slots=True)
class Unread:
    """What a member has not read in a room.

    `mark` is the room's last `seq` minus the number of these messages, 1,000 at most. The next one
    disappears at `next_expiry`, and `mention` is the `seq` of the newest one that mentions the
    member, or 0.
    """

    mark: int
    next_expiry: datetime | None = None
    mention: int = 0


@dataclass(frozen=True, slots=True)
class RoomSummary:
    """A room as listed in the lobby.

    `here` counts the members who have the room open, `first_seq` is the oldest live message and
    `next_expiry` the time when it expires. `last_expiry` is when the newest message expires, or
    `None` if this node has not seen it posted.
    """

    room: Room
    here: int
    first_seq: int
    next_expiry: datetime | None
    last_expiry: datetime | None = None


@dataclass(frozen=True, slots=True)
class TranscriptQuestion:
    """A question to all who are in a room whether its transcript may be saved.

    The member with the pseudonym `author` has asked; it is about the messages up to `last_seq`.
    """

    id: str
    room_id: str
    author: str
    until: datetime
    last_seq: int


@dataclass(frozen=True, slots=True)
class TranscriptFile:
    """Messages to be saved outside, how many they are, and the name and type of their file."""

    name: str
    media_type: str
    content: bytes = field(repr=False)
    count: int


@dataclass(frozen=True, slots=True)
class PurgeStats:
    """Counts of everything purged so far, with the times of the last and the next purge.

    `oldest` is when the oldest stored message was posted.
    """

    messages: int
    rooms: int
    visitors: int
    purged_at: datetime
    next_purge: datetime
    oldest: datetime | None


def role_of(member: Member, room: Room) -> str:
    """Return `"owner"`, `HELPER`, or `""` for an ordinary member."""
    return "owner" if member.author == room.owner else member.role


def may_moderate(member: Member, room: Room) -> bool:
    """Return whether a member keeps order in a room: its owner, and its helpers."""
    return role_of(member, room) != ""


def rank(role: str) -> int:
    """Return a number that is greater for those who may act on others of a smaller one."""
    return {"owner": 2, HELPER: 1}.get(role, 0)

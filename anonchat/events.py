"""Facts in the past tense, complete enough to draw from. Services publish them after the commit.

The last ones are what nodes tell each other; with a single node nobody hears of them.
"""

from dataclasses import dataclass

from .nouns import Member, Message, Room


@dataclass(frozen=True, slots=True)
class Event:
    """A fact that somebody may want to hear of."""


@dataclass(frozen=True, slots=True)
class RoomOpened(Event):
    """A room was created."""

    room: Room


@dataclass(frozen=True, slots=True)
class RoomEnded(Event):
    """A room is gone with all that was said in it: it was quiet for too long, or burnt."""

    room_id: str
    burnt: bool = False


@dataclass(frozen=True, slots=True)
class MemberJoined(Event):
    """A visitor became a member of a room."""

    room: Room
    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft(Event):
    """A member left a room, or was forgotten."""

    room_id: str
    visitor_id: str
    author: str


@dataclass(frozen=True, slots=True)
class PresenceChanged(Event):
    """A member opened the room on a first screen, or closed the last one."""

    member: Member
    present: bool


@dataclass(frozen=True, slots=True)
class MessagePosted(Event):
    """A message was stored. `room` is the room after the commit, which others may have shared.

    `visitor_id` is who wrote it, which no reader is told.
    """

    room: Room
    message: Message
    visitor_id: str


@dataclass(frozen=True, slots=True)
class MessagesGone(Event):
    """Messages were deleted, or purged at their end."""

    room_id: str
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RoomRead(Event):
    """A member has read a room up to `seq`."""

    visitor_id: str
    room_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class VisitorForgotten(Event):
    """A visitor asked to be forgotten, or expired."""

    visitor_id: str


@dataclass(frozen=True, slots=True)
class TokenRevoked(Event):
    """A browser of a visitor was signed out: there, or because too many others came since."""

    visitor_id: str


@dataclass(frozen=True, slots=True)
class BadgeChanged(Event):
    """A visitor bears another badge: their secret phrase was hashed in the way of today."""

    visitor_id: str


@dataclass(frozen=True, slots=True)
class NewsMissed(Event):
    """For a while not every event from other nodes has reached this one: look again."""


@dataclass(frozen=True, slots=True)
class RoomsStirred(Event):
    """Something was said in these rooms, or went: the highest `seq` that went, or 0, for each.

    The rooms are without name, topic and slug, which who knows them knows.
    """

    rooms: tuple[Room, ...]
    gone: dict[str, int]


@dataclass(frozen=True, slots=True)
class RoomsRead(Event):
    """On a node, members have read up to there in the last moment."""

    marks: tuple[RoomRead, ...]


@dataclass(frozen=True, slots=True)
class PresenceTold(Event):
    """On a node, a member has opened the room on a first screen, or closed the last one."""

    node: str
    member: Member
    present: bool


@dataclass(frozen=True, slots=True)
class RollTold(Event):
    """A node lives, and these are all who are present there; `None` if that is told another time.

    `asks` is that it would like to hear the same of the others, `leaves` that it ends now.
    """

    node: str
    members: tuple[Member, ...] | None
    asks: bool = False
    leaves: bool = False


@dataclass(frozen=True, slots=True)
class LimitsSpent(Event):
    """On a node, buckets were drawn from: how often, by the limit and by whom as it is kept."""

    spent: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class PuzzleSolved(Event):
    """A challenge was solved, and is good no more."""

    challenge: str


@dataclass(frozen=True, slots=True)
class KeysMade(Event):
    """A node has made keys; they travel wrapped.

    If they are not `stored` in Valkey, for it writes to disk, whoever hears of them shares them
    once it does not.
    """

    keys: dict[str, str]
    stored: bool = True


@dataclass(frozen=True, slots=True)
class KeysDestroyed(Event):
    """Keys were destroyed on one node, and are to be on all."""

    names: tuple[str, ...]

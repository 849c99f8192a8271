"""Facts in the past tense, complete enough to draw from. Services publish them after the commit."""

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
    """A message was stored. `room` is the room after the commit, which others may have shared."""

    room: Room
    message: Message


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
    """A browser of a visitor is recognised no more, for others have come since."""

    visitor_id: str

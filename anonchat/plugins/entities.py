"""What plugins are given: values without tokens, addresses, or the other rooms of a visitor."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

import anonchat.events as core_events  # `from .. import` would import the public API

from ..entities import HELPER, Message, Post, Room
from ..entities import Member as CoreMember


@dataclass(frozen=True, slots=True)
class Member:
    """A person in a room. `author` is the key for them, which is valid in this room only."""

    room_id: str
    author: str
    nickname: str
    badge: str = ""
    is_owner: bool = False
    is_helper: bool = False


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person who looks at a page, outside of any room."""

    nickname: str
    badge: str
    expires_at: datetime


@dataclass(slots=True)
class Draft:
    """What somebody is about to post. A filter may change it, warn about it, or raise `Refused`."""

    text: str
    kind: str = ""
    data: JsonValue = None
    nickname: str = ""
    """Shown instead of the author's nickname, without a badge; the author's if empty."""
    warnings: list[str] = field(default_factory=list)

    def warn(self, sentence: str) -> None:
        """Ask the sender whether to send this anyway; the sentence says why."""
        self.warnings.append(sentence)

    def to_post(self) -> Post:
        """Return what is posted."""
        return Post(self.text, kind=self.kind, data=self.data, nickname=self.nickname)


@dataclass(frozen=True, slots=True)
class MessagePosted:
    """A message was stored."""

    room: Room
    message: Message


@dataclass(frozen=True, slots=True)
class MessageEdited:
    """The author of a message has changed its text; `message` has the new one."""

    room: Room
    message: Message


@dataclass(frozen=True, slots=True)
class MessageReacted:
    """Somebody has added a reaction to a message or removed one; `message` has all that it has."""

    room: Room
    message: Message


@dataclass(frozen=True, slots=True)
class MessagesDeleted:
    """Messages were deleted, or have expired."""

    room_id: str
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MemberJoined:
    """Somebody became a member of a room."""

    room: Room
    member: Member


@dataclass(frozen=True, slots=True)
class MemberLeft:
    """A member left a room. `author` is who it was."""

    room_id: str
    author: str


@dataclass(frozen=True, slots=True)
class RoomOpened:
    """A room was created."""

    room: Room


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The owner changed the name, topic or lifetimes of a room."""

    room: Room


@dataclass(frozen=True, slots=True)
class RoomEnded:
    """A room was deleted with its messages."""

    room_id: str


PluginEvent = (
    MessagePosted
    | MessageEdited
    | MessageReacted
    | MessagesDeleted
    | MemberJoined
    | MemberLeft
    | RoomOpened
    | RoomChanged
    | RoomEnded
)
EVENTS: tuple[type, ...] = (
    MessagePosted,
    MessageEdited,
    MessageReacted,
    MessagesDeleted,
    MemberJoined,
    MemberLeft,
    RoomOpened,
    RoomChanged,
    RoomEnded,
)


def make_member(member: CoreMember, room: Room | None) -> Member:
    """Return a member as plugins see them."""
    return Member(
        member.room_id,
        member.author,
        member.nickname,
        member.badge,
        is_owner=room is not None and member.author == room.owner,
        is_helper=member.role == HELPER,
    )


def make_event(
    event: core_events.Event, find_room: Callable[[str], Room | None]
) -> PluginEvent | None:
    """Return an event as plugins see it, or `None` if they do not see it, or its room is gone."""
    match event:
        case core_events.MessagePosted(room, message):
            return MessagePosted(room, message)
        case core_events.MessageEdited(message):
            found = find_room(message.room_id)
            return MessageEdited(found, message) if found else None
        case core_events.MessageReacted(message):
            found = find_room(message.room_id)
            return MessageReacted(found, message) if found else None
        case core_events.MessagesDeleted(room_id, seqs):
            return MessagesDeleted(room_id, seqs)
        case core_events.MemberJoined(room, member):
            return MemberJoined(room, make_member(member, room))
        case core_events.MemberLeft(room_id, _, author):
            return MemberLeft(room_id, author)
        case core_events.RoomOpened(room):
            return RoomOpened(room)
        case core_events.RoomChanged(room):
            return RoomChanged(room)
        case core_events.RoomEnded(room_id):
            return RoomEnded(room_id)
    return None

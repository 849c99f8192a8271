"""anonchat: an anonymous chat that forgets on time. This is its public API."""

from .bus import Bus, MemoryBus
from .chat import Chat
from .clock import Clock, SteadyClock
from .durations import format_duration, parse_duration
from .errors import (
    ChatError,
    InvalidMessage,
    InvalidNickname,
    InvalidPhrase,
    InvalidRoom,
    LimitReached,
    NicknameTaken,
    NotAllowed,
    NotAMember,
    NotFound,
    RoomNameTaken,
    StartError,
    Unavailable,
    UnknownVisitor,
)
from .events import (
    Event,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesGone,
    PresenceChanged,
    RoomEnded,
    RoomOpened,
    RoomRead,
    VisitorForgotten,
)
from .nouns import Glance, Member, Membership, Message, Room, Visitor
from .settings import Settings, read_settings

__all__ = [
    "Bus",
    "Chat",
    "ChatError",
    "Clock",
    "Event",
    "Glance",
    "InvalidMessage",
    "InvalidNickname",
    "InvalidPhrase",
    "InvalidRoom",
    "LimitReached",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "Membership",
    "MemoryBus",
    "Message",
    "MessagePosted",
    "MessagesGone",
    "NicknameTaken",
    "NotAMember",
    "NotAllowed",
    "NotFound",
    "PresenceChanged",
    "Room",
    "RoomEnded",
    "RoomNameTaken",
    "RoomOpened",
    "RoomRead",
    "Settings",
    "StartError",
    "SteadyClock",
    "Unavailable",
    "UnknownVisitor",
    "Visitor",
    "VisitorForgotten",
    "format_duration",
    "parse_duration",
    "read_settings",
]

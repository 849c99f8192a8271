"""anonchat: an anonymous chat that forgets on time. This is its public API."""

from .bus import Bus, MemoryBus
from .chat import Chat
from .clock import Clock, SteadyClock
from .durations import format_duration, parse_duration
from .errors import (
    ChatError,
    InvalidLifetime,
    InvalidMessage,
    InvalidNickname,
    InvalidPhrase,
    InvalidRoom,
    InvalidTopic,
    LimitReached,
    MessageExpired,
    NicknameTaken,
    NotAllowed,
    NotAMember,
    NotFound,
    PuzzleUnsolved,
    RoomNameTaken,
    StartError,
    TooOften,
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
from .limits import neighbourhood
from .nouns import Glance, Member, Membership, Message, Room, Visitor
from .puzzle import Puzzle
from .settings import Settings, read_settings
from .text import MESSAGE_CHARACTERS

__all__ = [
    "MESSAGE_CHARACTERS",
    "Bus",
    "Chat",
    "ChatError",
    "Clock",
    "Event",
    "Glance",
    "InvalidLifetime",
    "InvalidMessage",
    "InvalidNickname",
    "InvalidPhrase",
    "InvalidRoom",
    "InvalidTopic",
    "LimitReached",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "Membership",
    "MemoryBus",
    "Message",
    "MessageExpired",
    "MessagePosted",
    "MessagesGone",
    "NicknameTaken",
    "NotAMember",
    "NotAllowed",
    "NotFound",
    "PresenceChanged",
    "Puzzle",
    "PuzzleUnsolved",
    "Room",
    "RoomEnded",
    "RoomNameTaken",
    "RoomOpened",
    "RoomRead",
    "Settings",
    "StartError",
    "SteadyClock",
    "TooOften",
    "Unavailable",
    "UnknownVisitor",
    "Visitor",
    "VisitorForgotten",
    "format_duration",
    "neighbourhood",
    "parse_duration",
    "read_settings",
]

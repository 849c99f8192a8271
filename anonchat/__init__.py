"""anonchat: an anonymous chat that forgets on time. This is its public API."""

from .bus import Bus, MemoryBus
from .chat import Chat
from .clock import Clock, SteadyClock
from .connection_limit import ConnectionLimit
from .costs import Cost
from .durations import format_duration, parse_duration
from .errors import (
    N_,
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
    RoomNameConfusable,
    RoomNameTaken,
    StartError,
    TooManyPhrases,
    TooOften,
    Unavailable,
    UnknownVisitor,
    WrongPhrase,
)
from .events import (
    BadgeChanged,
    Event,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesGone,
    NewsMissed,
    PresenceChanged,
    RoomEnded,
    RoomOpened,
    RoomRead,
    RoomsStirred,
    TokenRevoked,
    VisitorForgotten,
)
from .lifetimes import room_lifetime, visitor_lifetime
from .limits import Limit, client_networks, neighbourhood
from .metrics import Metrics
from .network_shares import Networks
from .nouns import Glance, Member, Membership, Message, Room, Tally, Visitor
from .pauses import pausing
from .pulse import Pulse
from .puzzle import Puzzle
from .settings import Settings, read_settings
from .text import MESSAGE_CHARACTERS
from .work_budget import Charge, WorkBudget

__all__ = [
    "MESSAGE_CHARACTERS",
    "N_",
    "BadgeChanged",
    "Bus",
    "Charge",
    "Chat",
    "ChatError",
    "Clock",
    "ConnectionLimit",
    "Cost",
    "Event",
    "Glance",
    "InvalidLifetime",
    "InvalidMessage",
    "InvalidNickname",
    "InvalidPhrase",
    "InvalidRoom",
    "InvalidTopic",
    "Limit",
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
    "Metrics",
    "Networks",
    "NewsMissed",
    "NicknameTaken",
    "NotAMember",
    "NotAllowed",
    "NotFound",
    "PresenceChanged",
    "Pulse",
    "Puzzle",
    "PuzzleUnsolved",
    "Room",
    "RoomEnded",
    "RoomNameConfusable",
    "RoomNameTaken",
    "RoomOpened",
    "RoomRead",
    "RoomsStirred",
    "Settings",
    "StartError",
    "SteadyClock",
    "Tally",
    "TokenRevoked",
    "TooManyPhrases",
    "TooOften",
    "Unavailable",
    "UnknownVisitor",
    "Visitor",
    "VisitorForgotten",
    "WorkBudget",
    "WrongPhrase",
    "client_networks",
    "format_duration",
    "neighbourhood",
    "parse_duration",
    "pausing",
    "read_settings",
    "room_lifetime",
    "visitor_lifetime",
]

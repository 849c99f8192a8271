"""Public API of anonchat, an anonymous chat whose messages expire on time."""

from .bus import Bus
from .chat import Chat
from .colors import COLORS, color_of
from .durations import format_duration, parse_duration
from .entities import Member, Membership, Message, PurgeStats, Room, RoomSummary, Visitor
from .errors import (
    N_,
    ChallengeUnsolved,
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
    RateLimited,
    RoomNameConfusable,
    RoomNameTaken,
    StartupError,
    TooManyPhrases,
    Unavailable,
    UnknownVisitor,
    WrongPhrase,
)
from .events import (
    BadgeChanged,
    Event,
    EventsLost,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesDeleted,
    PresenceChanged,
    RoomActivity,
    RoomChanged,
    RoomEnded,
    RoomOpened,
    RoomRead,
    RoomStateChanged,
    TokenRevoked,
    VisitorForgotten,
    VisitorTold,
)
from .lifetimes import room_lifetime, visitor_lifetime
from .limits.client_networks import Networks, client_network, client_networks
from .limits.connection_limit import ConnectionLimit
from .limits.costs import Cost
from .limits.limit import Limit
from .limits.work_budget import Charge, WorkBudget
from .runtime.clock import Clock, MonotonicWallClock
from .runtime.cooperative import iterate_cooperatively
from .runtime.metrics import Metrics
from .runtime.scheduling import PeriodicTask
from .security.proof_of_work import ProofOfWork
from .setting_sources import read_settings
from .settings import Settings
from .text.normalization import MESSAGE_CHARACTERS

__all__ = [
    "COLORS",
    "MESSAGE_CHARACTERS",
    "N_",
    "BadgeChanged",
    "Bus",
    "ChallengeUnsolved",
    "Charge",
    "Chat",
    "ChatError",
    "Clock",
    "ConnectionLimit",
    "Cost",
    "Event",
    "EventsLost",
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
    "Message",
    "MessageExpired",
    "MessagePosted",
    "MessagesDeleted",
    "Metrics",
    "MonotonicWallClock",
    "Networks",
    "NicknameTaken",
    "NotAMember",
    "NotAllowed",
    "NotFound",
    "PeriodicTask",
    "PresenceChanged",
    "ProofOfWork",
    "PurgeStats",
    "RateLimited",
    "Room",
    "RoomActivity",
    "RoomChanged",
    "RoomEnded",
    "RoomNameConfusable",
    "RoomNameTaken",
    "RoomOpened",
    "RoomRead",
    "RoomStateChanged",
    "RoomSummary",
    "Settings",
    "StartupError",
    "TokenRevoked",
    "TooManyPhrases",
    "Unavailable",
    "UnknownVisitor",
    "Visitor",
    "VisitorForgotten",
    "VisitorTold",
    "WorkBudget",
    "WrongPhrase",
    "client_network",
    "client_networks",
    "color_of",
    "format_duration",
    "iterate_cooperatively",
    "parse_duration",
    "read_settings",
    "room_lifetime",
    "visitor_lifetime",
]

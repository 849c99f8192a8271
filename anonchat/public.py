"""Public API of anonchat, an anonymous chat whose messages expire on time."""

from .bus import Bus
from .catalogues import SOURCE_LANGUAGE
from .chat import Chat
from .colors import COLORS, color_of
from .durations import format_duration, parse_duration
from .entities import (
    FoundMessages,
    Member,
    Membership,
    Message,
    Post,
    Preferences,
    PurgeStats,
    Reaction,
    Reviewed,
    Room,
    RoomSummary,
    Typing,
    Unread,
    Visitor,
)
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
    NeedsConfirmation,
    NicknameTaken,
    NotAllowed,
    NotAMember,
    NotFound,
    RateLimited,
    Refused,
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
    MembersMentioned,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    PreferencesChanged,
    PresenceChanged,
    RoomActivity,
    RoomChanged,
    RoomEnded,
    RoomOpened,
    RoomRead,
    RoomStateChanged,
    TokenRevoked,
    TypingChanged,
    TypingSignalled,
    VisitorForgotten,
    VisitorTold,
)
from .languages import Language, load_languages
from .lifetimes import room_lifetime, visitor_lifetime
from .limits.client_networks import Networks, client_network, client_networks
from .limits.connection_limit import ConnectionLimit
from .limits.costs import Cost, cost_of_edit, cost_of_post, cost_of_search
from .limits.limit import Limit
from .limits.work_budget import Charge, WorkBudget
from .plugins.commands import CommandResult, split_command, unescape_slash
from .plugins.errors import PluginFailed
from .plugins.host import PluginHost
from .plugins.invocation import report_blocking, watch_blocking
from .plugins.loading import load_plugins
from .plugins.registrations import Action as PluginAction
from .plugins.registrations import Page as PluginPage
from .plugins.registry import PluginRegistry
from .plugins.rendering import MessageDrawer
from .plugins.themes import Theme
from .runtime.clock import Clock, MonotonicWallClock
from .runtime.code_highlighter import CodeHighlighter, CodeTokens
from .runtime.cooperative import iterate_cooperatively
from .runtime.metrics import Metrics
from .runtime.scheduling import PeriodicTask
from .security.proof_of_work import ProofOfWork
from .setting_sources import read_settings, require_known_settings
from .settings import Settings
from .storage.message_search import SEARCHED_MAX
from .text.markdown import CodePainter, draw_text, has_code, is_marked
from .text.normalization import MESSAGE_CHARACTERS
from .text.search import QUERY_CHARACTERS, Piece, make_excerpt, split_query

__all__ = [
    "COLORS",
    "MESSAGE_CHARACTERS",
    "N_",
    "QUERY_CHARACTERS",
    "SEARCHED_MAX",
    "SOURCE_LANGUAGE",
    "BadgeChanged",
    "Bus",
    "ChallengeUnsolved",
    "Charge",
    "Chat",
    "ChatError",
    "Clock",
    "CodeHighlighter",
    "CodePainter",
    "CodeTokens",
    "CommandResult",
    "ConnectionLimit",
    "Cost",
    "Event",
    "EventsLost",
    "FoundMessages",
    "InvalidLifetime",
    "InvalidMessage",
    "InvalidNickname",
    "InvalidPhrase",
    "InvalidRoom",
    "InvalidTopic",
    "Language",
    "Limit",
    "LimitReached",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "MembersMentioned",
    "Membership",
    "Message",
    "MessageDrawer",
    "MessageEdited",
    "MessageExpired",
    "MessageOpened",
    "MessagePosted",
    "MessageReacted",
    "MessagesDeleted",
    "Metrics",
    "MonotonicWallClock",
    "NeedsConfirmation",
    "Networks",
    "NicknameTaken",
    "NotAMember",
    "NotAllowed",
    "NotFound",
    "PeriodicTask",
    "Piece",
    "PluginAction",
    "PluginFailed",
    "PluginHost",
    "PluginPage",
    "PluginRegistry",
    "Post",
    "Preferences",
    "PreferencesChanged",
    "PresenceChanged",
    "ProofOfWork",
    "PurgeStats",
    "RateLimited",
    "Reaction",
    "Refused",
    "Reviewed",
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
    "Theme",
    "TokenRevoked",
    "TooManyPhrases",
    "Typing",
    "TypingChanged",
    "TypingSignalled",
    "Unavailable",
    "UnknownVisitor",
    "Unread",
    "Visitor",
    "VisitorForgotten",
    "VisitorTold",
    "WorkBudget",
    "WrongPhrase",
    "client_network",
    "client_networks",
    "color_of",
    "cost_of_edit",
    "cost_of_post",
    "cost_of_search",
    "draw_text",
    "format_duration",
    "has_code",
    "is_marked",
    "iterate_cooperatively",
    "load_languages",
    "load_plugins",
    "make_excerpt",
    "parse_duration",
    "read_settings",
    "report_blocking",
    "require_known_settings",
    "room_lifetime",
    "split_command",
    "split_query",
    "unescape_slash",
    "visitor_lifetime",
    "watch_blocking",
]

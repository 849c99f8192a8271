"""What plugins import: one file of ordinary Python and NiceGUI changes or extends the chat.

See docs/plugins.md.
"""

from ..entities import Message, Post, Reaction, Room
from ..errors import (
    ChatError,
    InvalidMessage,
    LimitReached,
    NeedsConfirmation,
    NotAMember,
    NotFound,
    RateLimited,
    Refused,
    Unavailable,
)
from ..i18n.languages import Language
from ..settings.types import Duration
from ..text.lookalikes import fold_lookalikes
from .arguments import split_words
from .commands import CommandInfo
from .entities import (
    Draft,
    Member,
    MemberJoined,
    MemberLeft,
    MessageEdited,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    RoomChanged,
    RoomEnded,
    RoomOpened,
    Visitor,
)
from .errors import PluginError
from .facade import Chat
from .plugin import Plugin
from .room_state import RoomState
from .settings import PluginSettings

__all__ = [
    "Chat",
    "ChatError",
    "CommandInfo",
    "Draft",
    "Duration",
    "InvalidMessage",
    "Language",
    "LimitReached",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "Message",
    "MessageEdited",
    "MessagePosted",
    "MessageReacted",
    "MessagesDeleted",
    "NeedsConfirmation",
    "NotAMember",
    "NotFound",
    "Plugin",
    "PluginError",
    "PluginSettings",
    "Post",
    "RateLimited",
    "Reaction",
    "Refused",
    "Room",
    "RoomChanged",
    "RoomEnded",
    "RoomOpened",
    "RoomState",
    "Unavailable",
    "Visitor",
    "fold_lookalikes",
    "split_words",
]

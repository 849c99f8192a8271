"""What plugins import: one file of ordinary Python and NiceGUI changes or extends the chat.

See docs/plugins.md.
"""

from ..entities import Message, Post, Room
from ..errors import ChatError, NotAMember, NotFound, Refused
from ..languages import Language
from ..setting_types import Duration
from ..text.lookalikes import fold_lookalikes
from .commands import CommandInfo
from .entities import (
    Draft,
    Member,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesDeleted,
    RoomChanged,
    RoomEnded,
    RoomOpened,
    Visitor,
)
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
    "Language",
    "Member",
    "MemberJoined",
    "MemberLeft",
    "Message",
    "MessagePosted",
    "MessagesDeleted",
    "NotAMember",
    "NotFound",
    "Plugin",
    "PluginSettings",
    "Post",
    "Refused",
    "Room",
    "RoomChanged",
    "RoomEnded",
    "RoomOpened",
    "RoomState",
    "Visitor",
    "fold_lookalikes",
]

"""The live lists of the pages."""

from .members import MemberList, PresenceCount
from .messages import MessageList
from .own_rooms import OwnRoomList
from .profile import Profile
from .public_rooms import LobbyCounts, PublicRoomList
from .purge_stats import PurgeStatsList
from .room_facts import RoomFacts

__all__ = [
    "LobbyCounts",
    "MemberList",
    "MessageList",
    "OwnRoomList",
    "PresenceCount",
    "Profile",
    "PublicRoomList",
    "PurgeStatsList",
    "RoomFacts",
]

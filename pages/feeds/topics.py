"""The topics that lists subscribe to."""

from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True, slots=True)
class Topic:
    """What a list subscribes to: `channel` is the kind of list, `name` the id of its subject."""

    channel: str
    name: str


LOBBY_COUNTS = Topic("hall", "")
NEW_ROOMS = Topic("card", "new")
PURGE_STATS = Topic("purge_stats", "")

messages_topic = partial(Topic, "messages")
"""The messages of a room."""
members_topic = partial(Topic, "members")
"""The members of a room."""
facts_topic = partial(Topic, "facts")
"""The name, topic and facts of a room."""
presence_topic = partial(Topic, "present")
"""The number of members present in a room, and who of them is typing."""
card_topic = partial(Topic, "card")
"""A public room in the lobby."""
sidebar_room_topic = partial(Topic, "sidebar")
"""A room in the sidebars of its members."""

profile_topic = partial(Topic, "profile")
"""The nickname and badge of a visitor, on their own pages."""


def sidebar_topic(visitor_id: str) -> Topic:
    """Return the topic of one visitor's sidebar."""
    return Topic("sidebar", f"visitor {visitor_id}")

"""Pure functions that draw entities as rows of HTML.

htpy draws the elements of a row once, as a `Template` that escapes every text it is filled with;
nothing here may build HTML from strings.
"""

from .member_row import member_row
from .message_row import EMOJI_ONLY, message_row, opened_html, pending_message_html
from .plain_message_row import plain_message_row
from .plain_room_row import plain_room_row
from .profile_row import profile_row
from .purge_stats_row import PURGE_STATS_LINES, purge_stats_rows
from .room_row import (
    card_row,
    composer_properties,
    describe_lifetime,
    describe_question,
    describe_typing,
    facts_row,
    lobby_counts_row,
    presence_row,
    sidebar_row,
    title_row,
)
from .row import Row
from .standing import standing_properties
from .template import join_html

__all__ = [
    "EMOJI_ONLY",
    "PURGE_STATS_LINES",
    "Row",
    "card_row",
    "composer_properties",
    "describe_lifetime",
    "describe_question",
    "describe_typing",
    "facts_row",
    "join_html",
    "lobby_counts_row",
    "member_row",
    "message_row",
    "opened_html",
    "pending_message_html",
    "plain_message_row",
    "plain_room_row",
    "presence_row",
    "profile_row",
    "purge_stats_rows",
    "sidebar_row",
    "standing_properties",
    "title_row",
]

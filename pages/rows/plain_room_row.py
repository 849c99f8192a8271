"""The row of a room on a page without scripts."""

from urllib.parse import quote

from htpy import a, b, bdi, li, p, small
from markupsafe import Markup

from anonchat import Language, RoomSummary

from .room_row import describe_present
from .template import Template

_ROOM = Template(
    li[
        a(class_="card", href="lite/{slug}")[
            b[bdi["{name}"]], p(dir="auto")["{topic}"], small["{present}", "{unread}"]
        ]
    ]
)


def plain_room_row(summary: RoomSummary, *, unread: int = 0, language: Language) -> Markup:
    """Draw a room, with how many messages its member has not read."""
    count = language.count("{n} unread message", "{n} unread messages", unread)
    return _ROOM.fill(
        slug=quote(summary.room.slug),
        name=summary.room.name,
        topic=summary.room.topic,
        present=describe_present(summary, language),
        unread=f" · {count}" if unread else "",
    )

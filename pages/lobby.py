"""The lobby: find or create a room, list the public ones."""

from nicegui import html

from anonchat import Visitor

from .i18n.language import current_language
from .layout import show_title
from .lists import LobbyCounts, PublicRoomList
from .room_entry import show_room_search


async def lobby(visitor: Visitor) -> None:
    """Create the lobby."""
    _ = current_language()
    show_title(_("Rooms"))
    with html.div().classes("hall").props("tabindex=-1"):
        with html.div().classes("welcome"):
            before, _nickname, after = _("Where to, {nickname}?", nickname="\0").partition("\0")
            with html.h1():
                html.span(before)
                html.bdi(visitor.nickname)
                html.span(after)
            html.p(_("Type a name. If the room exists you join it, if not it is yours."))
            show_room_search(with_button=True)
        with html.section().classes("public") as section:
            with html.header():
                heading = html.h2(_("Public rooms"))
                LobbyCounts()
            PublicRoomList()
            html.p(_("No public room yet. Type a name above, and the first one is yours.")).classes(
                "empty"
            )
    section.props["aria-labelledby"] = heading.html_id

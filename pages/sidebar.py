"""The sidebar: the visitor's rooms, nickname and settings."""

import regex
from nicegui import html

from anonchat import Visitor

from .context import current_context
from .elements.button import IconButton
from .elements.left_room import LeftRoom
from .elements.logo import Logo
from .i18n.language import current_language
from .lists import OwnRoomList, Profile
from .new_room_dialog import open_new_room_dialog
from .page_menu import show_page_menu
from .room_entry import enter_found_room, show_room_search
from .settings_dialog import open_settings


def show_sidebar(visitor: Visitor) -> None:
    """Create the sidebar."""
    _ = current_language()
    with html.nav().classes("sidebar") as sidebar:
        with html.header():
            Logo(current_context().chat.settings.name)
            IconButton("plus", _("New room"), on_click=open_new_room_dialog)
        show_room_search()
        with html.section().classes("own") as section:
            heading = html.h2(_("Your rooms"))
            OwnRoomList()
            html.p(_("You are in no room yet.")).classes("empty")
        show_page_menu(current_context(), _)
        LeftRoom(enter_found_room)
        _show_profile(visitor)
    sidebar.props["aria-label"] = _("Rooms")
    section.props["aria-labelledby"] = heading.html_id


def _show_profile(visitor: Visitor) -> None:
    _ = current_language()
    with html.footer().classes("me"):
        html.span(_initials(visitor.nickname)).classes("initials self")
        Profile(visitor)
        IconButton("settings", _("Settings"), on_click=open_settings)


def _initials(nickname: str) -> str:
    return "".join(regex.findall(r"\X", nickname)[:2])

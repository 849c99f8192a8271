"""The page that is loaded once for the lobby, all rooms and invitations."""

from typing import Annotated

from fastapi import Depends, Request
from nicegui import html, ui

from anonchat import Room, Visitor

from .context import PageContext
from .elements.alert import Alert
from .elements.shortcuts import Shortcuts
from .elements.skip_link import SkipLink
from .elements.sub_pages import Builder, SubPages
from .i18n.language import current_language
from .invitation import find_invited_room, invitation
from .keyboard_dialog import open_keyboard_dialog
from .layout import open_page, page, redirect
from .lobby import lobby
from .room import room
from .room_entry import open_quick_switch
from .sidebar import show_sidebar

_PATHS: dict[str, Builder] = {"/": lobby, "/r/{slug}": room, "/i/{code}": invitation}


def register(context: PageContext) -> None:
    """Add the page."""

    KnownVisitor = Annotated[Visitor, Depends(context.auth.require_visitor)]

    async def find(slug: str, request: Request, _visitor: KnownVisitor) -> Room:
        found = await context.chat.room_directory.find(slug)
        if slug != found.slug:
            raise redirect(request, f"/r/{found.slug}")
        return found

    @page("/")
    async def lobby_page(request: Request, visitor: KnownVisitor) -> None:
        open_page(context, request)
        await _show_shell(visitor)

    @page("/r/{slug}")
    async def room_page(
        request: Request, visitor: KnownVisitor, _found: Annotated[Room, Depends(find)]
    ) -> None:
        open_page(context, request)
        await _show_shell(visitor)

    async def find_invited(code: str, visitor: KnownVisitor) -> Room:
        return await find_invited_room(context.chat, code, visitor)

    @page("/i/{code}")
    async def invitation_page(
        request: Request, visitor: KnownVisitor, _found: Annotated[Room, Depends(find_invited)]
    ) -> None:
        open_page(context, request)
        await _show_shell(visitor)


async def _show_shell(visitor: Visitor) -> None:
    content = ui.context.client.content.classes("screen-page shell-page")

    def mark_lobby(path: str) -> None:
        if path == "/":
            content.classes("lobby-page")
        else:
            content.classes(remove="lobby-page")

    with html.div().classes("screen shell"):
        _ = current_language()
        SkipLink(_("Skip the rooms"), to=".sub-page > [tabindex]")
        show_sidebar(visitor)
        Shortcuts(on_help=open_keyboard_dialog, on_switch=open_quick_switch)
        alert = Alert().classes("page-alert")
        pages = SubPages(_PATHS, data={"visitor": visitor}, alert=alert, on_show=mark_lobby)
        await pages.load()

"""The room: for its members what is said in it, for everybody else the way in."""

from typing import Annotated

from fastapi import Depends, Request
from nicegui import ui

from anonchat import Room, Visitor

from .entrance import draw_entrance
from .frame import open_page, page, redirect
from .live.screen import Screen
from .rail import rail, room_finder
from .site import Site
from .talk import Talk


def register(site: Site) -> None:
    """Add the page."""

    KnownVisitor = Annotated[Visitor, Depends(site.door.visitor)]

    async def find(slug: str, request: Request, _visitor: KnownVisitor) -> Room:
        found = await site.chat.lobby.find(slug)
        if slug != found.slug:
            raise redirect(request, f"/r/{found.slug}")
        return found

    @page("/r/{slug}")
    async def room(
        request: Request, visitor: KnownVisitor, found: Annotated[Room, Depends(find)]
    ) -> None:
        await _attend(site, found)
        member = await site.chat.memberships.get(found.id, visitor_id=visitor.id)
        language = open_page(site, request, title=found.name)
        with Screen("shell room", budget=site.chat.work) as screen:
            finder = room_finder(site, visitor, language, with_button=False)
            screen.draw(
                await rail(site, visitor, language, screen, finder=finder, current=found.id),
                await Talk(site, language, found, member, screen).draw()
                if member
                else await draw_entrance(site, visitor, language, found, screen),
            )


async def _attend(site: Site, room: Room) -> None:
    """Let this node hear what is said in the room, before anything of it is read."""
    await site.chat.bus.attend(room.id)
    ui.context.client.on_delete(lambda: site.chat.bus.leave(room.id))

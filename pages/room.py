"""The room: for its members what is said in it, for everybody else the way in."""

from typing import Annotated

from fastapi import Depends, Request

from anonchat import Room, Visitor

from .entrance import draw_entrance
from .frame import open_page, page
from .live.screen import Screen
from .rail import rail, room_finder
from .site import Site
from .talk import Talk


def register(site: Site) -> None:
    """Add the page."""

    KnownVisitor = Annotated[Visitor, Depends(site.door.visitor)]

    async def find(slug: str, _visitor: KnownVisitor) -> Room:
        return site.chat.lobby.find(slug)

    @page("/r/{slug}")
    async def room(
        request: Request, visitor: KnownVisitor, found: Annotated[Room, Depends(find)]
    ) -> None:
        member = await site.chat.memberships.get(found.id, visitor_id=visitor.id)
        language = open_page(site, request, title=found.name)
        with Screen("shell room") as screen:
            finder = room_finder(site, visitor, language, with_button=False)
            screen.draw(
                await rail(site, visitor, language, screen, finder=finder, current=found.id),
                await Talk(site, language, found, member, screen).draw()
                if member
                else await draw_entrance(site, visitor, language, found, screen),
            )

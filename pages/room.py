"""The page of a room: the conversation for members, the join panel for other visitors."""

from typing import Annotated

from fastapi import Depends, Request
from nicegui import ui

from anonchat import Room, Visitor

from .context import PageContext
from .elements.screen import Screen
from .join_panel import draw_join_panel
from .layout import open_page, page, redirect, skip_link
from .room_view import RoomView
from .sidebar import room_search, sidebar


def register(context: PageContext) -> None:
    """Add the page."""

    KnownVisitor = Annotated[Visitor, Depends(context.auth.require_visitor)]

    async def find(slug: str, request: Request, _visitor: KnownVisitor) -> Room:
        found = await context.chat.room_directory.find(slug)
        if slug != found.slug:
            raise redirect(request, f"/r/{found.slug}")
        return found

    @page("/r/{slug}")
    async def room(
        request: Request, visitor: KnownVisitor, found: Annotated[Room, Depends(find)]
    ) -> None:
        await _subscribe(context, found)
        member = await context.chat.memberships.get(found.id, visitor_id=visitor.id)
        language = open_page(context, request, title=found.name)
        with Screen("shell room", budget=context.chat.work_budget, language=language) as screen:
            search_box = room_search(context, visitor, language, with_button=False)
            screen.draw(
                skip_link(language, f"r/{found.slug}", "talk" if member else "join-panel"),
                await sidebar(
                    context, visitor, language, screen, search_box=search_box, current=found.id
                ),
                await RoomView(context, language, found, member, screen).draw()
                if member
                else await draw_join_panel(context, visitor, language, found, screen),
            )


async def _subscribe(context: PageContext, room: Room) -> None:
    """Subscribe this node to the room until the page is deleted; call this before reading it."""
    await context.chat.bus.subscribe_room(room.id)
    ui.context.client.on_delete(lambda: context.chat.bus.unsubscribe_room(room.id))

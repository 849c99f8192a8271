"""The view of a room for visitors who are not members: description and door."""

from typing import Any

from nicegui import html

from anonchat import Room

from .context import current_context
from .door import Door
from .i18n.language import current_language
from .lists import RoomFacts
from .room_ended import show_room_ended


async def show_join_panel(room: Room, *, invite: str = "") -> None:
    """Create the panel; `invite` is the code of an invitation."""
    _, chat = current_language(), current_context().chat
    members = await chat.memberships.count(room.id)
    present = len(chat.presence.list_present(room.id))

    def end(event: dict[str, Any]) -> None:
        panel.classes(replace="talk")
        show_room_ended(panel, event)

    with html.div().classes("join-panel").props("tabindex=-1") as panel:
        facts = RoomFacts(room)
        with html.div().classes("chips"):
            html.span(_.count("{n} member", "{n} members", members)).classes("chip")
            html.span(_.count("{n} here", "{n} here", present)).classes("chip")
        html.p(_("What is said here is shown to members only.")).classes("hint")
        door = Door(room, invite=invite)
        html.a(_("Back to the lobby"), href=".").classes("quiet-link")
    facts.on_event("ended", end)
    facts.on_event("doors", door.update)
    await door.update()

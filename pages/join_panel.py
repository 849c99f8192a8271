"""The view of a room for visitors who are not members: description and join button."""

from typing import Any

from htpy import Element, a, bdi, div, h1, p, span
from nicegui import ui

from anonchat import Cost, Room, Visitor

from .context import PageContext
from .controls import alert, button
from .elements.screen import Fields, Screen
from .i18n.language import Language
from .room_ended import show_room_ended
from .room_facts import room_facts_list


async def draw_join_panel(
    context: PageContext, visitor: Visitor, language: Language, room: Room, screen: Screen
) -> Element:
    """Draw the panel and register the join handler."""

    async def join(_fields: Fields) -> None:
        await screen.work.spend(Cost.JOIN + context.broadcast_cost(room.id))
        await context.chat.memberships.join(room.id, visitor_id=visitor.id)
        ui.navigate.reload()

    def on_ended(event: dict[str, Any]) -> None:
        facts.delete()  # a repeated event would show the notice again
        show_room_ended(screen, "join-panel", language, event)

    screen.on_call("join", join)
    facts = room_facts_list(context, visitor.id, language, room)
    facts.on_event("ended", on_ended)
    members = await context.chat.memberships.count(room.id)
    present = len(context.chat.presence.list_present(room.id))
    return div(class_="join-panel", id="join-panel", tabindex="-1")[
        h1[bdi[room.name]],
        p(class_="topic", dir="auto")[room.topic],
        div(class_="chips")[
            span(class_="chip")[language.count("{n} member", "{n} members", members)],
            span(class_="chip")[language.count("{n} here", "{n} here", present)],
        ],
        facts,
        p(class_="hint")[language("What is said here is shown to members only.")],
        alert("join"),
        button(language("Join room"), data_calls="join"),
        a(href=".", class_="quiet-link")[language("Back to the lobby")],
    ]

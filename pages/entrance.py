"""The way into a room, for one who is not in it: what it is, and the button to join."""

from typing import Any

from htpy import Element, a, bdi, div, h1, p, span
from nicegui import ui

from anonchat import ChatError, Cost, Room, Visitor

from .controls import alert, button
from .facts import show_facts
from .farewell import lead_away
from .language import Language
from .live.screen import Fields, Screen
from .site import Site


async def draw_entrance(
    site: Site, visitor: Visitor, language: Language, room: Room, screen: Screen
) -> Element:
    """Draw a room from outside."""

    async def join(_fields: Fields) -> None:
        try:
            await screen.work.spend(Cost.JOIN + site.cost_of_telling(room.id))
            await site.chat.memberships.join(room.id, visitor_id=visitor.id)
        except ChatError as error:
            screen.say("join", language.explain(error))
        else:
            ui.navigate.reload()

    def end(news: dict[str, Any]) -> None:
        facts.delete()  # it would say so again, if it was told again
        lead_away(screen, "entrance", language, news)

    screen.answer("join", join)
    facts = show_facts(site, visitor.id, language, room)
    facts.answer("ended", end)
    members = await site.chat.memberships.count(room.id)
    present = len(site.chat.presence.list_present(room.id))
    return div(class_="entrance", id="entrance")[
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
        a(href="/", class_="quiet-link")[language("Back to the lobby")],
    ]

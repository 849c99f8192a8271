"""The lobby without scripts: own rooms, public rooms, and a form that finds or creates one."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from nicegui import html

from anonchat import ChatError, Cost, DoorClosed, Language, Visitor

from ..context import PageContext
from ..elements.button import Button
from ..elements.page_budget import PageBudget
from ..elements.static_page import placeholder
from ..elements.text_field import TextField
from ..http.plain_form import read_form
from ..http.plain_paths import LOBBY, room_path
from ..rows import join_html, plain_room_row
from .document import lead_to, open_document, respond, send_origin

_PUBLIC_ROOMS_MAX = 100  # others are found by their names
_NAME_CHARACTERS = 600  # the core refuses more than fits in a name


def routes(context: PageContext) -> APIRouter:
    """Return the routes of the page and of its form."""
    router = APIRouter(prefix=f"/{LOBBY}", include_in_schema=False)

    async def require_visitor(request: Request) -> Visitor:
        return await context.auth.require_visitor_for(request, f"/{LOBBY}")

    CurrentVisitor = Annotated[Visitor, Depends(require_visitor)]

    @router.get("")
    async def show(request: Request, visitor: CurrentVisitor) -> Response:
        return await _show(context, request, visitor)

    @router.post("")
    async def enter(request: Request, visitor: CurrentVisitor) -> Response:
        """Find or create the named room, and join it."""
        name = (await read_form(request)).get("name", "")
        budget = PageBudget(context.chat.work_budget, request)
        try:
            await budget.spend(Cost.NEW_ROOM + Cost.JOIN)
            room = await context.chat.rooms.open(name, visitor_id=visitor.id)
            await budget.spend(context.broadcast_cost(room.id))
            with suppress(DoorClosed):  # the page of the room says what is needed
                await context.chat.memberships.join(room.id, visitor_id=visitor.id)
        except ChatError as error:
            return await _show(context, request, visitor, name=name, error=error)
        return lead_to(room_path(room.slug))

    return router


async def _show(
    context: PageContext,
    request: Request,
    visitor: Visitor,
    *,
    name: str = "",
    error: ChatError | None = None,
) -> Response:
    language, directory = context.language(request), context.chat.room_directory
    memberships = await context.chat.memberships.list_of_visitor(visitor.id)
    unread = {each.room.id: each.unread for each in memberships}
    own = await directory.summaries(unread)
    public, _ = directory.browse(limit=_PUBLIC_ROOMS_MAX)
    with open_document(context, request, title=language("Rooms")) as document:
        send_origin()
        with html.div().classes("lite screen"):
            _show_header(language, visitor)
            _show_form(language, error)
            _show_rooms(language("Your rooms"), "own_rooms", is_empty=not own)
            _show_rooms(language("Public rooms"), "public_rooms", is_empty=not public)
    return respond(
        request,
        document,
        error=error,
        name=name[:_NAME_CHARACTERS],
        own_rooms=join_html(
            plain_room_row(each, unread=unread[each.room.id], language=language) for each in own
        ),
        public_rooms=join_html(plain_room_row(each, language=language) for each in public),
    )


def _show_header(language: Language, visitor: Visitor) -> None:
    with html.header():
        html.h1(language("Rooms"))
        html.bdi(visitor.nickname)
        html.a(language("Full version"), href=".")


def _show_form(language: Language, error: ChatError | None) -> None:
    with html.form(action=LOBBY, method="post", autocomplete="off"):
        TextField(
            language("Name of a room"),
            name="name",
            value=placeholder("name"),
            error=language.explain(error) if error else "",
            maxlength=_NAME_CHARACTERS,
        )
        html.p(
            language("Type a name. If the room exists you join it, if not it is yours.")
        ).classes("hint")
        Button(language("Enter")).props("type=submit")


def _show_rooms(heading: str, name: str, *, is_empty: bool) -> None:
    if not is_empty:
        html.h2(heading)
        html.ul(placeholder(name)).classes("cards")

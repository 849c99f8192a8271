"""The messages of a room without scripts: a page in a frame that loads itself again and again.

What is typed beside the frame stays.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup
from nicegui import html, ui

from anonchat import (
    ChatError,
    Cost,
    Language,
    Member,
    Message,
    NotFound,
    Room,
    Unavailable,
    UnknownVisitor,
    iterate_cooperatively,
)

from ..context import PageContext
from ..elements.message_seq import read_seq
from ..elements.page_budget import PageBudget
from ..elements.static_page import StaticPage, placeholder
from ..http.plain_form import read_form
from ..http.plain_paths import LOBBY, room_path
from ..rows import join_html, opened_html, plain_message_row
from .document import open_document, respond, send_origin

_REFRESH = timedelta(seconds=20)
_SOONEST = timedelta(seconds=5)
_FOUND_MAX = 20
_QUOTE_CHARACTERS = 120
_SPOILER = re.compile(r"\|\|.*?\|\|", re.DOTALL)


def routes(context: PageContext) -> APIRouter:
    """Return the routes of the page, and of the forms that open messages once."""
    router = APIRouter(prefix=f"/{LOBBY}", include_in_schema=False)

    @router.get("/{slug}/messages")
    async def show(slug: str, request: Request, before: str = "") -> Response:
        try:
            visitor_id = await _identify(context, request)
            room = await context.chat.room_directory.find(slug)
            return await _show(context, request, room, visitor_id, before=read_seq(before))
        except ChatError as error:
            return _refuse(context, request, slug, error)

    @router.post("/{slug}/opening")
    async def open_once(slug: str, request: Request) -> Response:
        try:
            visitor_id = await _identify(context, request)
            room = await context.chat.room_directory.find(slug)
            seq = read_seq((await read_form(request)).get("seq"))
            return await _open_once(context, request, room, visitor_id, seq)
        except ChatError as error:
            return _refuse(context, request, slug, error)

    return router


async def _identify(context: PageContext, request: Request) -> str:
    """Return the id of the visitor. Raises `UnknownVisitor`."""
    visitor = await context.auth.authenticate(request)
    if visitor is None:
        raise UnknownVisitor
    request.scope["visitor"] = visitor.id
    return visitor.id


async def _open_once(
    context: PageContext, request: Request, room: Room, visitor_id: str, seq: int
) -> Response:
    """Show what was opened, in the frame, until the reader closes it or it expires."""
    chat, path = context.chat, f"{room_path(room.slug)}/messages"
    budget = PageBudget(context.chat.work_budget, request)
    await budget.spend(Cost.DELETE + context.broadcast_cost(room.id))
    found = await chat.messages.history(room.id, visitor_id=visitor_id, after=seq - 1, limit=1)
    text = await chat.messages.open_once_by_seq(room.id, visitor_id=visitor_id, seq=seq)
    language = context.language(request)
    left = max((each.expires_at - chat.clock() for each in found), default=_REFRESH)
    with (
        open_document(context, request, title=room.name) as document,
        html.div().classes("lite-log screen opened"),
    ):
        seconds = max(0, left // timedelta(seconds=1))
        ui.add_head_html(f'<meta http-equiv="refresh" content="{seconds}; url={path}">')
        html.h1(language("Once"))
        html.div(placeholder("opened"))
        html.p(language("Only you see this, and only until you close it.")).classes("hint")
        html.a(language("Close"), href=path).classes("button quiet")
    return respond(request, document, is_frame=True, opened=opened_html(text))


async def _show(
    context: PageContext, request: Request, room: Room, visitor_id: str, *, before: int
) -> Response:
    chat, size = context.chat, context.chat.settings.page_size
    reader = await chat.memberships.require(room.id, visitor_id)
    budget = PageBudget(chat.work_budget, request)
    cost = Cost.LIST_QUERY + size * (Cost.ROW + 2 * Cost.SENT_KIB)
    async with budget.run_exclusively(cost) as charge:
        found = await chat.messages.history(
            room.id, visitor_id=visitor_id, before=before or None, limit=size + 1
        )
        charge.milliseconds += Cost.DRAWN_CHARACTER * sum(len(each.text) for each in found)
        messages = found[-size:]
        rows = await _draw(context, context.language(request), room, reader, messages)
    if messages and messages[-1].seq > reader.read_seq:
        await chat.memberships.mark_read(room.id, visitor_id=visitor_id, seq=messages[-1].seq)
    older = messages[0].seq if len(found) > size else 0
    document = _open(context, request, room, messages, before=before, older=older)
    return respond(request, document, is_frame=True, rows=join_html(reversed(rows)))


def _open(
    context: PageContext,
    request: Request,
    room: Room,
    messages: Sequence[Message],
    *,
    before: int,
    older: int,
) -> StaticPage:
    language, path = context.language(request), f"{room_path(room.slug)}/messages"
    with open_document(context, request, title=room.name) as document:
        seconds = _seconds_until_refresh(context, messages)
        ui.add_head_html(f'<meta http-equiv="refresh" content="{seconds}">')
        send_origin()
        with html.div().classes("lite-log screen"):
            html.h1(language("Messages")).classes("spoken")
            html.a(language("Refresh"), href=path)
            html.div(placeholder("rows"))
            if not messages:
                html.p(language("Nothing is said here now.")).classes("hint")
            if older:
                html.a(language("Older"), href=f"{path}?before={older}").classes("button quiet")
    return document


def _seconds_until_refresh(context: PageContext, messages: Sequence[Message]) -> int:
    """Return when the page loads itself again: earlier if a message disappears earlier."""
    now = context.chat.clock()
    left = min((each.expires_at - now for each in messages), default=_REFRESH)
    return int(-(-max(_SOONEST, min(left, _REFRESH)) // timedelta(seconds=1)))


async def _draw(
    context: PageContext,
    language: Language,
    room: Room,
    reader: Member,
    messages: Sequence[Message],
) -> list[Markup]:
    await context.highlighter.wait_for(messages)
    answered = await _find_answered(context, reader, messages)
    now, rows = context.chat.clock(), []
    async for message in iterate_cooperatively(messages):
        original = answered.get(message.reply_to)
        row = plain_message_row(
            message,
            reader=reader,
            answered=_describe(original, language) if message.reply_to else None,
            opening_path=f"{room_path(room.slug)}/opening",
            now=now,
            language=language,
            drawer=context.plugins.drawer,
            tokens=context.highlighter.find(message),
        )
        rows.append(row)
    return rows


async def _find_answered(
    context: PageContext, reader: Member, messages: Sequence[Message]
) -> dict[str, Message]:
    """Return the messages that these answer, by id, as far as they live."""
    known = {message.id: message for message in messages}
    ids = {each.reply_to for each in messages if each.reply_to}
    missing = sorted(ids - known.keys())[:_FOUND_MAX]
    for id in missing:
        with suppress(NotFound, Unavailable):
            known[id] = await context.chat.messages.find(
                reader.room_id, visitor_id=reader.visitor_id, message_id=id
            )
    return known


def _describe(original: Message | None, language: Language) -> str:
    if original is None:
        return language("In reply to a message that is gone")
    name = language("In reply to {name}", name=original.nickname)
    return f"{name}: {_SPOILER.sub('▒▒▒', original.text)[:_QUOTE_CHARACTERS]}"


def _refuse(context: PageContext, request: Request, slug: str, error: ChatError) -> Response:
    """Say in the frame why there are no messages, with a link out of it."""
    language = context.language(request)
    with open_document(context, request) as document, html.div().classes("lite-log screen"):
        html.p(language.explain(error)).classes("alert")
        html.a(language("Open this room again"), href=room_path(slug), target="_top")
    return respond(request, document, error=error, is_frame=True)

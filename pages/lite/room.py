"""A room without scripts: forms to post, join and leave, and a frame with the messages."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from anonchat import (
    ChatError,
    Cost,
    MessageExpired,
    Post,
    Room,
    Visitor,
    cost_of_post,
    split_command,
    unescape_slash,
)

from ..context import PageContext
from ..elements.page_budget import PageBudget
from ..http.client_address import client_address
from ..http.plain_form import read_form
from ..http.plain_paths import LOBBY, room_path
from .document import lead_to
from .draft import Draft
from .room_page import show_room


@dataclass(frozen=True)
class _Caller:
    """Who asks for a room, or posts one of its forms."""

    context: PageContext
    request: Request
    visitor: Visitor
    room: Room

    async def spend(self, milliseconds: float) -> None:
        """Charge a change that all pages of the room show."""
        budget = PageBudget(self.context.chat.work_budget, self.request)
        await budget.spend(milliseconds + self.context.broadcast_cost(self.room.id))


def routes(context: PageContext) -> APIRouter:
    """Return the routes of the page and of its forms."""
    router = APIRouter(prefix=f"/{LOBBY}/{{slug}}", include_in_schema=False)

    async def identify(slug: str, request: Request) -> _Caller:
        visitor = await context.auth.require_visitor_for(request, f"/{room_path(slug)}")
        room = await context.chat.room_directory.find(slug)
        return _Caller(context, request, visitor, room)

    Caller = Annotated[_Caller, Depends(identify)]

    @router.get("")
    async def show(caller: Caller) -> Response:
        return await _show(caller, Draft())

    @router.post("")
    async def post(caller: Caller) -> Response:
        return await _post(caller, Draft.read(await read_form(caller.request)))

    @router.post("/join")
    async def join(caller: Caller) -> Response:
        password = (await read_form(caller.request)).get("password", "")
        return await _lead(caller, _come_in(caller, password), to=room_path(caller.room.slug))

    @router.post("/leave")
    async def leave(caller: Caller) -> Response:
        return await _lead(caller, _leave(caller), to=LOBBY)

    return router


async def _show(
    caller: _Caller, draft: Draft, *, error: ChatError | None = None, told: str = ""
) -> Response:
    return await show_room(
        caller.context, caller.request, caller.visitor, caller.room, draft, error=error, told=told
    )


async def _post(caller: _Caller, draft: Draft) -> Response:
    """Post the text, or run it as a command; lead to the room, or show the form again."""
    try:
        await caller.spend(cost_of_post(draft.text))
        told = await _say(caller, draft)
    except MessageExpired as error:  # it was posted before: sent again, it is another message
        return await _show(caller, Draft(draft.text), error=error)
    except ChatError as error:
        return await _show(caller, draft, error=error)
    return await _show(caller, Draft(), told=told) if told else lead_to(room_path(caller.room.slug))


async def _say(caller: _Caller, draft: Draft) -> str:
    """Return what the author is told alone."""
    context, room_id, visitor_id = caller.context, caller.room.id, caller.visitor.id
    if split_command(draft.text):
        result = await context.plugins.run_command(
            room_id,
            visitor_id,
            draft.text,
            language=context.language(caller.request),
            dedup_id=draft.dedup_id,
            confirmed=draft.is_confirmed,
        )
        return result.told
    await context.chat.messages.post(
        room_id,
        visitor_id=visitor_id,
        post=Post(unescape_slash(draft.text)),
        dedup_id=draft.dedup_id,
        confirmed=draft.is_confirmed,
    )
    return ""


async def _come_in(caller: _Caller, password: str) -> None:
    """Join the room, or ask to come in."""
    chat, room = caller.context.chat, caller.room
    await caller.spend(Cost.JOIN + (Cost.PASSWORD if password else 0))
    enter = chat.doors.knock if room.rules.asks else chat.memberships.join
    await enter(
        room.id,
        visitor_id=caller.visitor.id,
        password=password,
        address=client_address(caller.request),
    )


async def _leave(caller: _Caller) -> None:
    await caller.spend(Cost.JOIN)
    await caller.context.chat.memberships.leave(caller.room.id, visitor_id=caller.visitor.id)


async def _lead(caller: _Caller, change: Awaitable[object], *, to: str) -> Response:
    """Make a change and lead to a page, or show why it was refused."""
    try:
        await change
    except ChatError as error:
        return await _show(caller, Draft(), error=error)
    return lead_to(to)

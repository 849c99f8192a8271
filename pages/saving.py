"""The routes from which a browser saves messages as files."""

from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response
from nicegui import app

from anonchat import EXPORTED_MAX, Cost, NotAMember, Room, TranscriptFile, cost_of_export

from .context import PageContext
from .elements.page_budget import PageBudget
from .error_pages import make_error_page


def register(context: PageContext) -> None:
    """Add the routes."""
    router = APIRouter(prefix="/r/{slug}", include_in_schema=False)
    transcripts = context.chat.transcripts

    async def enter(request: Request, slug: str) -> tuple[str, Room]:
        """Return the id of the visitor, and the room."""
        visitor = await context.auth.require_visitor_for(request, f"/r/{slug}")
        request.scope["visitor"] = visitor.id
        return visitor.id, await context.chat.room_directory.find(slug)

    @router.get("/export")
    async def save_own(request: Request, slug: str, format: str = "") -> Response:
        visitor_id, room = await enter(request, slug)
        file = transcripts.save_own(room, visitor_id=visitor_id, format=_read_format(format))
        return await _send(context, request, room, file)

    @router.get("/transcripts/{id}")
    async def save_transcript(request: Request, slug: str, id: str, format: str = "") -> Response:
        visitor_id, room = await enter(request, slug)
        file = transcripts.save(
            room, visitor_id=visitor_id, question_id=id, format=_read_format(format)
        )
        return await _send(context, request, room, file)

    app.include_router(router)


def _read_format(format: str) -> Literal["json", "text"]:
    return "json" if format == "json" else "text"


async def _send(
    context: PageContext, request: Request, room: Room, save: Awaitable[TranscriptFile]
) -> Response:
    cost = Cost.LIST_QUERY + Cost.MESSAGE_SAVED * min(EXPORTED_MAX, room.last_seq)
    budget = PageBudget(context.chat.work_budget, request)
    try:
        async with budget.run_exclusively(cost) as charge:
            file = await save
            charge.milliseconds = cost_of_export(file)
    except NotAMember as error:
        title = context.language(request).explain(error)
        return make_error_page(context, request, title, status=403)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, media_type=file.media_type, headers=headers)

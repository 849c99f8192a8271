"""Saving what you wrote, and what everybody wrote if all who are present agree."""

from collections.abc import Awaitable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from ..entities import Room, TranscriptFile
from ..limits.costs import Cost, cost_of_export
from ..storage.message_export import EXPORTED_MAX
from . import problems
from .dependencies import ROOM_PROBLEMS, Budget, CallBudget, Caller, ChatDependency, RoomDependency
from .problem_responses import problem_responses
from .schemas import TranscriptAnswer, TranscriptQuestion

routes = APIRouter(prefix="/rooms/{slug}", tags=["transcripts"])

_Format = Annotated[Literal["json", "text"], Query(description="The format of the file.")]
_TranscriptId = Annotated[
    str, Path(description="The `id` of the question.", examples=["pS3kX0v1cN6i4yXl"])
]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"application/json": {}, "text/plain": {}},
        "description": "The file, for downloading.",
    }
}


@routes.get(
    "/export",
    summary="Save what you wrote",
    response_class=Response,
    responses={
        **_FILE,
        **problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.INVALID_REQUEST),
    },
)
async def export(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    format: _Format = "json",
) -> Response:
    """Return your own messages in a room, oldest first.

    They are the newest 5,000 at most; `complete` says whether they are all. Messages that can be
    opened once are not among them.
    """
    save = chat.transcripts.save_own(room, visitor_id=caller.id, format=format)
    return await _respond(budget, room, save)


@routes.post(
    "/transcripts",
    status_code=201,
    summary="Ask for the transcript",
    response_description="All who are present are asked.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.LIMIT_REACHED),
)
async def ask(
    chat: ChatDependency, caller: Caller, budget: Budget, room: RoomDependency
) -> TranscriptQuestion:
    """Ask all who have the room open whether you may save what was said in it until now.

    You may if all agree within 60 seconds. Whoever opens the room meanwhile is asked, too; whoever
    closes it without an answer has not agreed. One question at a time.
    """
    present = len(chat.presence.list_present(room.id))
    await budget.spend(Cost.LOOKUP + 2 * Cost.PAGE_UPDATE * present)
    question = await chat.transcripts.ask(room.id, visitor_id=caller.id)
    return TranscriptQuestion.model_validate(question)


@routes.put(
    "/transcripts/{transcript_id}/answer",
    status_code=204,
    summary="Agree to the transcript, or refuse it",
    response_description="The answer counts.",
    responses=problem_responses(
        *ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.TOO_LARGE, problems.INVALID_REQUEST
    ),
)
async def answer(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    transcript_id: _TranscriptId,
    answer: TranscriptAnswer,
) -> None:
    """Agree to a transcript that somebody has asked for, or refuse it, which ends the question."""
    present = len(chat.presence.list_present(room.id))
    await budget.spend(Cost.LOOKUP + Cost.PAGE_UPDATE * present)
    await chat.transcripts.answer(
        room.id, visitor_id=caller.id, question_id=transcript_id, agrees=answer.agrees
    )


@routes.get(
    "/transcripts/{transcript_id}",
    summary="Save the transcript",
    response_class=Response,
    responses={
        **_FILE,
        **problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.INVALID_REQUEST),
    },
)
async def save(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    transcript_id: _TranscriptId,
    format: _Format = "json",
) -> Response:
    """Return what was said in a room before you have asked, if all have agreed.

    It is there for ten minutes, for you alone, and without what has expired since. It has the same
    form and bounds as an export of your own messages.
    """
    save = chat.transcripts.save(
        room, visitor_id=caller.id, question_id=transcript_id, format=format
    )
    return await _respond(budget, room, save)


async def _respond(budget: CallBudget, room: Room, save: Awaitable[TranscriptFile]) -> Response:
    cost = Cost.LIST_QUERY + Cost.MESSAGE_SAVED * min(EXPORTED_MAX, room.last_seq)
    async with budget.run_exclusively(cost) as charge:
        file = await save
        charge.milliseconds = cost_of_export(file)
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return Response(file.content, media_type=file.media_type, headers=headers)

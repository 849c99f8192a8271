"""Reading, posting and deleting messages."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter

from ..limits.costs import Cost
from ..runtime.cooperative import iterate_cooperatively
from . import problems
from .cursors import decode_cursor, encode_cursor
from .dependencies import ROOM_PROBLEMS, Budget, Caller, ChatDependency, RoomDependency, charge
from .problem_responses import problem_responses
from .rooms import Cursor, PageLimit
from .schemas import PAGE_DEFAULT, SEQ_MAX, Message, NewMessage, Page

routes = APIRouter(prefix="/rooms/{slug}/messages", tags=["messages"])

Seq = Annotated[int, Query(ge=0, le=SEQ_MAX)]

_HISTORY_CURSOR = TypeAdapter(tuple[Seq | None, Seq | None])


@routes.get(
    "",
    summary="List messages",
    response_description="A page of messages, oldest first.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.INVALID_REQUEST),
)
async def history(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    after: Annotated[
        int | None,
        Query(ge=0, le=SEQ_MAX, description="Only messages after this `seq`; 0 is the beginning."),
    ] = None,
    before: Annotated[
        int | None, Query(ge=0, le=SEQ_MAX, description="Only messages before this `seq`.")
    ] = None,
    limit: PageLimit = PAGE_DEFAULT,
    cursor: Cursor = None,
    format: Annotated[
        Literal["text", "html"],
        Query(description="`html` adds the texts drawn as HTML."),
    ] = "text",
) -> Page[Message]:
    """Return messages, oldest first: with `after` the oldest ones after it, else the newest.

    `next` continues in the same direction; sent as `cursor`, it replaces `after` and `before`.
    """
    if cursor:
        after, before = decode_cursor(cursor, _HISTORY_CURSOR)
    member = await chat.memberships.require(room.id, visitor_id=caller.id)
    cost = Cost.LIST_QUERY + limit * (Cost.ROW + 2 * Cost.SENT_KIB)
    async with budget.run_exclusively(cost) as charge:
        found = await chat.messages.history(
            room.id, visitor_id=caller.id, after=after, before=before, limit=limit + 1
        )
        page = found[:limit] if after is not None else found[-limit:]
        items = [Message.model_validate(message) for message in page]
        if format == "html":
            charge.milliseconds += Cost.DRAWN_CHARACTER * sum(len(each.text) for each in page)
            items = [Message.drawn(message) async for message in iterate_cooperatively(page)]
    bounds: tuple[int | None, int | None] | None = None
    if len(found) > limit:
        bounds = (None, page[0].seq) if after is None else (page[-1].seq, before)
    if page and page[-1].seq > member.read_seq:
        await chat.memberships.mark_read(room.id, visitor_id=caller.id, seq=page[-1].seq)
    return Page(items=items, next=encode_cursor(bounds) if bounds else None)


@routes.post(
    "",
    status_code=201,
    summary="Post a message",
    response_description="It is stored and sent to the members.",
    responses=problem_responses(
        *ROOM_PROBLEMS,
        problems.NOT_A_MEMBER,
        problems.MESSAGE_EXPIRED,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        problems.INVALID_MESSAGE,
        problems.REFUSED,
        problems.NEEDS_CONFIRMATION,
        problems.LIMIT_REACHED,
    ),
)
async def post(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    new_message: NewMessage,
) -> Message:
    """Post a message; the response is sent once it is stored.

    Posting again with the same `dedup_id` returns the same message, so retries are always safe.
    """
    cost = Cost.POST + Cost.POST_CHARACTER * len(new_message.text)
    cost += Cost.PAGE_UPDATE * len(chat.presence.list_present(room.id))
    await budget.spend(cost)
    return Message.model_validate(
        await chat.messages.post(
            room.id,
            visitor_id=caller.id,
            text=new_message.text,
            dedup_id=new_message.dedup_id or "",
            confirmed=new_message.confirmed,
        )
    )


@routes.delete(
    "/{message_id}",
    dependencies=[charge(Cost.DELETE)],
    status_code=204,
    summary="Delete a message",
    response_description="The message is deleted everywhere.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.NOT_ALLOWED),
)
async def delete(
    chat: ChatDependency,
    caller: Caller,
    room: RoomDependency,
    message_id: Annotated[
        str, Path(description="The `id` of the message.", examples=["pS3kX0v1cN6i4yXl"])
    ],
) -> None:
    """Delete your own message, or any message in a room you own."""
    await chat.messages.delete(room.id, visitor_id=caller.id, message_id=message_id)

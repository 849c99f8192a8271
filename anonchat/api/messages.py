"""Reading, posting and deleting messages."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter

from ..costs import Cost
from ..work_budget import LONGEST_WAIT
from .caller import IN_ROOM, Address, Caller, TheChat, TheRoom, costs
from .cursors import read_cursor, write_cursor
from .problems import (
    INVALID_MESSAGE,
    INVALID_REQUEST,
    LIMIT_REACHED,
    MESSAGE_EXPIRED,
    NOT_A_MEMBER,
    NOT_ALLOWED,
    TOO_LARGE,
    documented,
)
from .rooms import Cursor, PageLimit
from .schemas import PAGE, SEQ_MAX, Message, NewMessage, Page

routes = APIRouter(prefix="/rooms/{slug}/messages", tags=["messages"])

Seq = Annotated[int, Query(ge=0, le=SEQ_MAX)]

_BOUNDS = TypeAdapter(tuple[Seq | None, Seq | None])


@routes.get(
    "",
    summary="Read what was said",
    response_description="A page of messages, oldest first.",
    responses=documented(*IN_ROOM, NOT_A_MEMBER, INVALID_REQUEST),
)
async def history(
    chat: TheChat,
    caller: Caller,
    address: Address,
    room: TheRoom,
    after: Annotated[
        int | None,
        Query(ge=0, le=SEQ_MAX, description="Go forward from this `seq`; 0 is the beginning."),
    ] = None,
    before: Annotated[
        int | None, Query(ge=0, le=SEQ_MAX, description="Only what comes before this `seq`.")
    ] = None,
    limit: PageLimit = PAGE,
    cursor: Cursor = None,
) -> Page[Message]:
    """Return messages, oldest first: with `after` those that follow it, else the newest.

    `next` goes on in the same direction, and as `cursor` takes the place of `after` and `before`.
    """
    if cursor:
        after, before = read_cursor(cursor, _BOUNDS)
    member = await chat.memberships.require(room.id, visitor_id=caller.id)
    cost = Cost.QUESTION + limit * (Cost.ROW + 2 * Cost.SENT_KIB)
    async with chat.work.exclusive(
        cost, visitor_id=caller.id, address=address, longest=LONGEST_WAIT
    ):
        found = await chat.messages.history(
            room.id, visitor_id=caller.id, after=after, before=before, limit=limit + 1
        )
    page = found[:limit] if after is not None else found[-limit:]
    bounds: tuple[int | None, int | None] | None = None
    if len(found) > limit:
        bounds = (None, page[0].seq) if after is None else (page[-1].seq, before)
    if page and page[-1].seq > member.read_seq:
        await chat.memberships.mark_read(room.id, visitor_id=caller.id, seq=page[-1].seq)
    return Page(
        items=[Message.of(message) for message in page],
        next=write_cursor(bounds) if bounds else None,
    )


@routes.post(
    "",
    status_code=201,
    summary="Say something",
    response_description="It is stored, and everybody hears of it.",
    responses=documented(
        *IN_ROOM,
        NOT_A_MEMBER,
        MESSAGE_EXPIRED,
        TOO_LARGE,
        INVALID_REQUEST,
        INVALID_MESSAGE,
        LIMIT_REACHED,
    ),
)
async def post(
    chat: TheChat, caller: Caller, address: Address, room: TheRoom, new: NewMessage
) -> Message:
    """Post a message; answered only once it is stored.

    The same `dedup_id` again gives the same message, so that trying again is always safe.
    """
    cost = Cost.POST + Cost.POST_CHARACTER * len(new.text)
    cost += Cost.SCREEN * len(chat.presence.list_present(room.id))
    await chat.work.spend(cost, visitor_id=caller.id, address=address)
    return Message.of(
        await chat.messages.post(
            room.id, visitor_id=caller.id, text=new.text, dedup_id=new.dedup_id or ""
        )
    )


@routes.delete(
    "/{message_id}",
    dependencies=[costs(Cost.DELETE)],
    status_code=204,
    summary="Delete a message",
    response_description="It is gone from every screen.",
    responses=documented(*IN_ROOM, NOT_A_MEMBER, NOT_ALLOWED),
)
async def delete(
    chat: TheChat,
    caller: Caller,
    room: TheRoom,
    message_id: Annotated[str, Path(description="Its `id`.", examples=["pS3kX0v1cN6i4yXl"])],
) -> None:
    """Delete a message of yours, or any in a room of your own."""
    await chat.messages.delete(room.id, visitor_id=caller.id, message_id=message_id)

"""Reading, posting, editing and deleting messages."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import TypeAdapter

from ..chat import Chat
from ..entities import Message as StoredMessage
from ..entities import Post, Room, Visitor
from ..limits.costs import Cost, cost_of_edit, cost_of_post, cost_of_search
from ..limits.work_budget import Charge
from ..runtime.cooperative import iterate_cooperatively
from ..storage.message_search import SEARCHED_MAX
from ..text.search import QUERY_CHARACTERS
from . import problems
from .cursors import decode_cursor, encode_cursor
from .dependencies import (
    ROOM_PROBLEMS,
    Budget,
    CallBudget,
    Caller,
    ChatDependency,
    RoomDependency,
    charge,
)
from .problem_responses import problem_responses
from .rooms import Cursor, PageLimit
from .schemas import (
    PAGE_DEFAULT,
    SEQ_MAX,
    Message,
    MessageChanges,
    NewMessage,
    Opening,
    Page,
    parse_optional_duration,
)

routes = APIRouter(prefix="/rooms/{slug}/messages", tags=["messages"])

Seq = Annotated[int, Query(ge=0, le=SEQ_MAX)]
MessageId = Annotated[
    str, Path(description="The `id` of the message.", examples=["pS3kX0v1cN6i4yXl"])
]
Emoji = Annotated[str, Path(description="One emoji, percent-encoded.", examples=["👍"])]

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
    query: Annotated[
        str,
        Query(
            max_length=QUERY_CHARACTERS,
            description="Only messages that contain all of these words; case does not matter.",
        ),
    ] = "",
    format: Annotated[
        Literal["text", "html"],
        Query(description="`html` adds the texts drawn as HTML."),
    ] = "text",
) -> Page[Message]:
    """Return messages, oldest first: with `after` the oldest ones after it, else the newest.

    `next` continues in the same direction; sent as `cursor`, it replaces `after` and `before`.

    With `query`, the newest ones that contain all its words, oldest first. A search reads up to
    5,000 messages: if there are more, `next` continues with older ones, even if it found nothing.
    Send the same `query` with it. `after` cannot be combined with it.
    """
    if cursor:
        after, before = decode_cursor(cursor, _HISTORY_CURSOR)
    member = await chat.memberships.require(room.id, visitor_id=caller.id)
    if query.strip():
        if after is not None:
            raise problems.ProblemException(
                problems.INVALID_REQUEST, "A search goes back: use `before` instead of `after`."
            )
        async with budget.run_exclusively(
            Cost.LIST_QUERY + Cost.MESSAGE_SEARCHED * min(SEARCHED_MAX, room.last_seq)
        ) as charge:
            matches = await chat.messages.search(
                room.id, visitor_id=caller.id, query=query, before=before, limit=limit
            )
            charge.milliseconds = cost_of_search(matches)
            items = await _draw(matches.messages, member.author, format, charge)
        older = None if matches.before is None else encode_cursor((None, matches.before))
        return Page(items=items, next=older)
    cost = Cost.LIST_QUERY + limit * (Cost.ROW + 2 * Cost.SENT_KIB)
    async with budget.run_exclusively(cost) as charge:
        found = await chat.messages.history(
            room.id, visitor_id=caller.id, after=after, before=before, limit=limit + 1
        )
        page = found[:limit] if after is not None else found[-limit:]
        items = await _draw(page, member.author, format, charge)
    bounds: tuple[int | None, int | None] | None = None
    if len(found) > limit:
        bounds = (None, page[0].seq) if after is None else (page[-1].seq, before)
    if page and page[-1].seq > member.read_seq:
        await chat.memberships.mark_read(room.id, visitor_id=caller.id, seq=page[-1].seq)
    return Page(items=items, next=encode_cursor(bounds) if bounds else None)


async def _draw(
    messages: Sequence[StoredMessage],
    reader: str,
    format: Literal["text", "html"],
    charge: Charge,
) -> list[Message]:
    """Return the messages as the member with the pseudonym `reader` gets them."""
    if format == "text":
        return [Message.of(message, reader) for message in messages]
    charge.milliseconds += Cost.DRAWN_CHARACTER * sum(len(each.text) for each in messages)
    return [Message.drawn(message, reader) async for message in iterate_cooperatively(messages)]


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
        problems.UNWANTED_WORD,
        problems.MUTED,
        problems.ROOM_PAUSED,
        problems.TOO_SOON,
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
    cost = cost_of_post(new_message.text)
    cost += Cost.PAGE_UPDATE * len(chat.presence.list_present(room.id))
    await budget.spend(cost)
    return Message.of_author(
        await chat.messages.post(
            room.id,
            visitor_id=caller.id,
            post=Post(
                new_message.text,
                reply_to=new_message.reply_to,
                ttl=parse_optional_duration(new_message.ttl),
                once=new_message.once,
            ),
            dedup_id=new_message.dedup_id or "",
            confirmed=new_message.confirmed,
        )
    )


@routes.patch(
    "/{message_id}",
    summary="Edit a message",
    response_description="The message as it is now, for everybody.",
    responses=problem_responses(
        *ROOM_PROBLEMS,
        problems.NOT_A_MEMBER,
        problems.NOT_ALLOWED,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        problems.INVALID_MESSAGE,
        problems.UNWANTED_WORD,
        problems.MUTED,
        problems.ROOM_PAUSED,
        problems.REFUSED,
        problems.NEEDS_CONFIRMATION,
    ),
)
async def edit(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    message_id: MessageId,
    changes: MessageChanges,
) -> Message:
    """Change the text of your own message. When it expires does not change.

    The old text is gone as that of a deleted message is.
    """
    cost = cost_of_edit(changes.text)
    cost += Cost.PAGE_UPDATE * len(chat.presence.list_present(room.id))
    await budget.spend(cost)
    return Message.of_author(
        await chat.messages.edit(
            room.id,
            visitor_id=caller.id,
            message_id=message_id,
            text=changes.text,
            confirmed=changes.confirmed,
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
    message_id: MessageId,
) -> None:
    """Delete your own message, or, as owner or helper, that of somebody you may act on."""
    await chat.messages.delete(room.id, visitor_id=caller.id, message_id=message_id)


@routes.put(
    "/{message_id}/reactions/{emoji}",
    summary="React to a message",
    response_description="The message as it is now, for everybody.",
    responses=problem_responses(
        *ROOM_PROBLEMS,
        problems.NOT_A_MEMBER,
        problems.INVALID_MESSAGE,
        problems.MUTED,
        problems.LIMIT_REACHED,
    ),
)
async def react(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    message_id: MessageId,
    emoji: Emoji,
) -> Message:
    """React with an emoji. A second time changes nothing.

    A message has 20 kinds of reactions at most, by 100 members at most.
    """
    return await _react(chat, caller, budget, room, message_id, emoji, on=True)


@routes.delete(
    "/{message_id}/reactions/{emoji}",
    summary="Take a reaction back",
    response_description="The message as it is now, for everybody.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.INVALID_MESSAGE),
)
async def unreact(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    message_id: MessageId,
    emoji: Emoji,
) -> Message:
    """Take your reaction back; if you have not reacted with this emoji, nothing changes."""
    return await _react(chat, caller, budget, room, message_id, emoji, on=False)


async def _react(
    chat: Chat,
    caller: Visitor,
    budget: CallBudget,
    room: Room,
    message_id: str,
    emoji: str,
    *,
    on: bool,
) -> Message:
    present = len(chat.presence.list_present(room.id))
    await budget.spend(Cost.REACTION + Cost.PAGE_UPDATE * present)
    member = await chat.memberships.require(room.id, visitor_id=caller.id)
    message = await chat.messages.react(
        room.id, visitor_id=caller.id, message_id=message_id, emoji=emoji, on=on
    )
    return Message.of(message, member.author)


@routes.post(
    "/{message_id}/opening",
    summary="Open a message once",
    response_description="Its text, which is answered to you only this time.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.NOT_ALLOWED),
)
async def open_once(
    chat: ChatDependency,
    caller: Caller,
    budget: Budget,
    room: RoomDependency,
    message_id: MessageId,
) -> Opening:
    """Open a message that is `once`. You can do so if you were a member when it was posted.

    When all have opened it, it is deleted.
    """
    present = len(chat.presence.list_present(room.id))
    await budget.spend(Cost.DELETE + Cost.PAGE_UPDATE * present)
    text = await chat.messages.open_once(room.id, visitor_id=caller.id, message_id=message_id)
    return Opening.of(text)

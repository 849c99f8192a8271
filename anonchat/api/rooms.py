"""Find, create, change, join and leave rooms."""

from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter

from .. import entities
from ..chat import Chat
from ..errors import NotFound, RoomNameConfusable, RoomNameTaken
from ..limits.costs import Cost
from ..services.room_directory import RoomCursor
from ..text.normalization import fold_case, normalize_room_name
from . import problems
from .cursors import CURSOR_PATTERN, decode_cursor, encode_cursor
from .dependencies import (
    CALLER_PROBLEMS,
    DOOR_PROBLEMS,
    ROOM_PROBLEMS,
    Budget,
    CallBudget,
    Caller,
    ChatDependency,
    ClientIp,
    RoomDependency,
    Slug,
    charge,
)
from .problem_responses import problem_responses
from .schemas import (
    PAGE_DEFAULT,
    PAGE_MAX,
    Key,
    Membership,
    NewRoom,
    OwnRoom,
    Page,
    Room,
    RoomChanges,
    RoomView,
    list_fields,
    parse_optional_duration,
    parse_pause,
)

routes = APIRouter(tags=["rooms"])

PageLimit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="The maximum number of items.")]
Cursor = Annotated[
    str | None, Query(pattern=CURSOR_PATTERN, description="The `next` of the previous page.")
]

_BROWSE_CURSOR = TypeAdapter(RoomCursor)
_SEARCH_CURSOR = TypeAdapter(Annotated[int, Query(ge=0, le=1_000_000)])


@routes.get(
    "/rooms",
    summary="List public rooms",
    response_description="A page of rooms.",
    responses=problem_responses(*CALLER_PROBLEMS, problems.INVALID_REQUEST),
)
async def list_rooms(
    chat: ChatDependency,
    budget: Budget,
    query: Annotated[
        str, Query(max_length=200, description="Only rooms whose name contains this, best first.")
    ] = "",
    limit: PageLimit = PAGE_DEFAULT,
    cursor: Cursor = None,
) -> Page[Room]:
    """Return public rooms, the most active first.

    The order changes between pages; a room that keeps its position is returned exactly once.
    """
    await budget.spend(limit * Cost.ROW)
    if query.strip():
        cost = Cost.SEARCH + Cost.ROOM_SEARCHED * chat.room_directory.count()[1]
        await budget.spend(cost)
        start = decode_cursor(cursor, _SEARCH_CURSOR) if cursor else 0
        found = (await chat.room_directory.search(query, limit=start + limit + 1))[start:]
        summaries, rest = found[:limit], found[limit:]
        after: RoomCursor | int | None = start + limit if rest else None
    else:
        position = decode_cursor(cursor, _BROWSE_CURSOR) if cursor else None
        summaries, after = chat.room_directory.browse(after=position, limit=limit)
    return Page(
        items=[Room.model_validate(_fields(chat, summary.room)) for summary in summaries],
        next=None if after is None else encode_cursor(after),
    )


@routes.get(
    "/rooms/mine",
    dependencies=[charge(Cost.LOOKUP)],
    summary="List your rooms",
    response_description="All your rooms.",
    responses=problem_responses(*CALLER_PROBLEMS),
)
async def list_mine(chat: ChatDependency, caller: Caller, budget: Budget) -> Page[OwnRoom]:
    """Return the rooms you are in, the most active first, with their unread counts."""
    own_rooms = await chat.memberships.list_of_visitor(caller.id)
    await budget.spend(len(own_rooms) * Cost.OWN_ROOM)
    return Page(
        items=[
            OwnRoom.model_validate(
                _fields(chat, own.room)
                | {"membership": Membership.of(own.member, own.room), "unread": own.unread}
            )
            for own in own_rooms
        ],
        next=None,
    )


@routes.post(
    "/rooms",
    dependencies=[charge(Cost.JOIN)],
    status_code=201,
    summary="Find or create a room, and join it",
    response_description="The room was created, and you are a member.",
    responses={
        200: {"model": RoomView, "description": "The room existed, and you are a member."},
        **problem_responses(
            *ROOM_PROBLEMS,
            problems.TOO_LARGE,
            problems.INVALID_REQUEST,
            problems.INVALID_ROOM,
            *DOOR_PROBLEMS,
            problems.BANNED,
            problems.LIMIT_REACHED,
        ),
    },
)
async def open_room(
    chat: ChatDependency,
    caller: Caller,
    address: ClientIp,
    budget: Budget,
    new_room: NewRoom,
    response: Response,
) -> RoomView:
    """Join the room with that name or slug; if there is none, create it as its owner.

    An existing room is not changed: `password` has to be the one that it has.
    """
    if new_room.password:
        await budget.spend(Cost.PASSWORD)
    room, created = await _find_or_create(chat, new_room, caller, budget, address)
    member = await chat.memberships.join(
        room.id, visitor_id=caller.id, password=new_room.password, address=address
    )
    response.status_code = 201 if created else 200
    return await _view(chat, await chat.rooms.find(room.slug), member)


@routes.get(
    "/rooms/{slug}",
    dependencies=[charge(Cost.LOOKUP)],
    summary="Get a room",
    response_description="The room.",
    responses=problem_responses(*ROOM_PROBLEMS),
)
async def look(chat: ChatDependency, caller: Caller, room: RoomDependency) -> RoomView:
    """Return a room. Membership is not required, and members are not notified."""
    return await _view(chat, room, await chat.memberships.get(room.id, visitor_id=caller.id))


@routes.patch(
    "/rooms/{slug}",
    dependencies=[charge(Cost.ROOM_CHANGE)],
    summary="Change a room",
    response_description="The room after the change.",
    responses=problem_responses(
        *ROOM_PROBLEMS,
        problems.NOT_A_MEMBER,
        problems.NOT_ALLOWED,
        problems.ROOM_NAME_TAKEN,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        problems.INVALID_ROOM,
    ),
)
async def change(
    chat: ChatDependency,
    caller: Caller,
    address: ClientIp,
    budget: Budget,
    room: RoomDependency,
    changes: RoomChanges,
) -> RoomView:
    """Change the name, topic, lifetimes or rules of a room you own.

    The slug stays. Messages that were posted before keep their `expires_at`, and the room does not
    end before them.
    """
    if changes.password:
        await budget.spend(Cost.PASSWORD)
    changed = await chat.room_editor.update(
        room.id,
        visitor_id=caller.id,
        name=changes.name,
        topic=changes.topic,
        message_ttl=parse_optional_duration(changes.message_ttl),
        room_ttl=parse_optional_duration(changes.room_ttl),
        listed=changes.listed,
        password=changes.password,
        address=address,
        locked=changes.locked,
        asks=changes.asks,
        members_max=changes.members_max,
        paused=changes.paused,
        slow_mode=parse_pause(changes.slow_mode),
        unwanted=changes.unwanted,
    )
    return await _view(chat, changed, await chat.memberships.get(room.id, visitor_id=caller.id))


@routes.delete(
    "/rooms/{slug}",
    dependencies=[charge(Cost.PURGE)],
    status_code=204,
    summary="Burn a room",
    response_description="The room is deleted for everyone.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.NOT_ALLOWED),
)
async def burn(chat: ChatDependency, caller: Caller, room: RoomDependency) -> None:
    """Delete a room you own at once, with all its messages."""
    await chat.room_deletion.burn(room.id, visitor_id=caller.id)


@routes.put(
    "/rooms/{slug}/membership",
    dependencies=[charge(Cost.JOIN)],
    summary="Join a room",
    response_description="You are a member.",
    responses=problem_responses(
        *ROOM_PROBLEMS,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        *DOOR_PROBLEMS,
        problems.BANNED,
        problems.LIMIT_REACHED,
    ),
)
async def join(
    chat: ChatDependency,
    caller: Caller,
    address: ClientIp,
    budget: Budget,
    slug: Slug,
    key: Key | None = None,
) -> Membership:
    """Become a member; nothing changes for an existing member.

    With a password, a room that does not exist answers like one with another password.
    """
    key = key or Key()
    if key.password:
        await budget.spend(Cost.PASSWORD)
    join_room = partial(
        chat.memberships.join,
        visitor_id=caller.id,
        password=key.password,
        invite=key.invite,
        address=address,
    )
    try:
        room = await chat.rooms.find(slug)
    except NotFound:
        if key.password:  # refused as in a room with another one
            await join_room("")
        raise
    return Membership.of(await join_room(room.id), room)


@routes.delete(
    "/rooms/{slug}/membership",
    dependencies=[charge(Cost.JOIN)],
    status_code=204,
    summary="Leave a room",
    response_description="You are not a member.",
    responses=problem_responses(*ROOM_PROBLEMS),
)
async def leave(chat: ChatDependency, caller: Caller, room: RoomDependency) -> None:
    """End your membership; your messages stay until they expire."""
    await chat.memberships.leave(room.id, visitor_id=caller.id)


@routes.put(
    "/rooms/{slug}/typing",
    status_code=204,
    summary="Say that you are typing",
    response_description="The members are told, for six seconds at most.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER),
)
async def signal_typing(
    chat: ChatDependency, caller: Caller, budget: Budget, room: RoomDependency
) -> None:
    """Let the members see that you are typing: once in three seconds while you do.

    It ends six seconds after the last call, or when you post, close the room or leave it.
    """
    present = len(chat.presence.list_present(room.id))
    await budget.spend(Cost.TYPING + Cost.PAGE_UPDATE * present)
    await chat.typing.signal(room.id, visitor_id=caller.id)


async def _find_or_create(
    chat: Chat, new_room: NewRoom, caller: entities.Visitor, budget: CallBudget, address: str
) -> tuple[entities.Room, bool]:
    """Find or create the room; return it, and whether it was created."""
    if new_room.listed:
        with suppress(NotFound):
            found = await chat.rooms.find_by_name(new_room.name)
            return found or await chat.rooms.find(
                fold_case(normalize_room_name(new_room.name))
            ), False
    await budget.spend(Cost.NEW_ROOM)
    try:
        room = await chat.rooms.create(
            new_room.name,
            visitor_id=caller.id,
            listed=new_room.listed,
            message_ttl=parse_optional_duration(new_room.message_ttl),
            room_ttl=parse_optional_duration(new_room.room_ttl),
            topic=new_room.topic,
            password=new_room.password,
            address=address,
        )
    except RoomNameConfusable:
        raise
    except RoomNameTaken:  # created concurrently: find it
        return await _find_or_create(chat, new_room, caller, budget, address)
    return room, True


async def _view(chat: Chat, room: entities.Room, member: entities.Member | None) -> RoomView:
    return RoomView.model_validate(
        _fields(chat, room)
        | {
            "members": await chat.memberships.count(room.id),
            "membership": Membership.of(member, room) if member else None,
            "unwanted": list(room.rules.unwanted) if _keeps_order(member, room) else None,
        }
    )


def _keeps_order(member: entities.Member | None, room: entities.Room) -> bool:
    return member is not None and entities.may_moderate(member, room)


def _fields(chat: Chat, room: entities.Room) -> dict[str, object]:
    """Return the fields of a room, with the number of members who have it open."""
    return list_fields(room) | {"here": len(chat.presence.list_present(room.id))}

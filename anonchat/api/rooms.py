"""Finding rooms, making them, joining and leaving."""

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter

from .. import nouns
from ..chat import Chat
from ..costs import Cost
from ..errors import NotFound, RoomNameConfusable, RoomNameTaken
from ..services.lobby import Place
from ..text import fold, tidy_room_name
from .caller import CALLER, IN_ROOM, Address, Caller, TheChat, TheRoom, costs
from .cursors import CURSOR, read_cursor, write_cursor
from .problems import (
    INVALID_REQUEST,
    INVALID_ROOM,
    LIMIT_REACHED,
    NOT_A_MEMBER,
    NOT_ALLOWED,
    NOT_SUPPORTED,
    TOO_LARGE,
    Refusal,
    documented,
)
from .schemas import (
    PAGE,
    PAGE_MAX,
    Key,
    Membership,
    NewRoom,
    OwnRoom,
    Page,
    Room,
    RoomView,
    read_duration,
    room_facts,
)

routes = APIRouter(tags=["rooms"])

PageLimit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many to return at most.")]
Cursor = Annotated[
    str | None, Query(pattern=CURSOR, description="The `next` of the page before this one.")
]

_BROWSING = TypeAdapter(Place)
_SEARCHING = TypeAdapter(Annotated[int, Query(ge=0, le=1_000_000)])


@routes.get(
    "/rooms",
    summary="See the public rooms",
    response_description="A page of them.",
    responses=documented(*CALLER, INVALID_REQUEST),
)
async def list_rooms(
    chat: TheChat,
    caller: Caller,
    address: Address,
    query: Annotated[
        str, Query(max_length=200, description="Only rooms whose name contains this, best first.")
    ] = "",
    limit: PageLimit = PAGE,
    cursor: Cursor = None,
) -> Page[Room]:
    """Return public rooms, the busiest first.

    Rooms move while one goes through the pages; one that keeps its place is met exactly once.
    """
    await chat.work.spend(limit * Cost.ROW, visitor_id=caller.id, address=address)
    if query.strip():
        cost = Cost.SEARCH + Cost.ROOM_SEARCHED * chat.lobby.count()[1]
        await chat.work.spend(cost, visitor_id=caller.id, address=address)
        start = read_cursor(cursor, _SEARCHING) if cursor else 0
        found = (await chat.lobby.search(query, limit=start + limit + 1))[start:]
        glances, rest = found[:limit], found[limit:]
        after: Place | int | None = start + limit if rest else None
    else:
        place = read_cursor(cursor, _BROWSING) if cursor else None
        glances, after = chat.lobby.browse(after=place, limit=limit)
    return Page(
        items=[_room(glance.room, here=glance.here) for glance in glances],
        next=None if after is None else write_cursor(after),
    )


@routes.get(
    "/rooms/mine",
    dependencies=[costs(Cost.LOOKUP)],
    summary="See the rooms you are in",
    response_description="All of them.",
    responses=documented(*CALLER),
)
async def list_mine(chat: TheChat, caller: Caller, address: Address) -> Page[OwnRoom]:
    """Return the rooms you are in, the liveliest first, with what is unread in each."""
    mine = await chat.memberships.list_mine(caller.id)
    await chat.work.spend(len(mine) * Cost.OWN_ROOM, visitor_id=caller.id, address=address)
    return Page(
        items=[
            OwnRoom.model_validate(
                {
                    **room_facts(own.room, here=_count_here(chat, own.room)),
                    "membership": Membership.of(own.member, own.room),
                    "unread": own.unread,
                }
            )
            for own in mine
        ],
        next=None,
    )


@routes.post(
    "/rooms",
    dependencies=[costs(Cost.JOIN)],
    status_code=201,
    summary="Find or create a room, and join it",
    response_description="It was created, and you are in it.",
    responses={
        200: {"model": RoomView, "description": "It existed, and you are in it."},
        **documented(
            *IN_ROOM, TOO_LARGE, INVALID_REQUEST, INVALID_ROOM, NOT_SUPPORTED, LIMIT_REACHED
        ),
    },
)
async def open_room(
    chat: TheChat, caller: Caller, address: Address, wanted: NewRoom, response: Response
) -> RoomView:
    """Join the room of that name or at that address; if there is none, create it and own it.

    A room that exists stays as it is, whatever else was asked for.
    """
    _refuse_password(wanted.password)
    room, created = await _open(chat, wanted, visitor_id=caller.id, address=address)
    member = await chat.memberships.join(room.id, visitor_id=caller.id)
    response.status_code = 201 if created else 200
    return await _view(chat, await chat.rooms.find(room.slug), member)


@routes.get(
    "/rooms/{slug}",
    dependencies=[costs(Cost.LOOKUP)],
    summary="Look at a room",
    response_description="What it is.",
    responses=documented(*IN_ROOM),
)
async def look(chat: TheChat, caller: Caller, room: TheRoom) -> RoomView:
    """Return what a room is; whoever knows its address may look, and nobody is told."""
    return await _view(chat, room, await chat.memberships.get(room.id, visitor_id=caller.id))


@routes.delete(
    "/rooms/{slug}",
    dependencies=[costs(Cost.END)],
    status_code=204,
    summary="Burn a room",
    response_description="It is gone, for everybody.",
    responses=documented(*IN_ROOM, NOT_A_MEMBER, NOT_ALLOWED),
)
async def burn(chat: TheChat, caller: Caller, room: TheRoom) -> None:
    """End a room of yours now, with everything that was said in it."""
    await chat.rooms.burn(room.id, visitor_id=caller.id)


@routes.put(
    "/rooms/{slug}/membership",
    dependencies=[costs(Cost.JOIN)],
    summary="Join a room",
    response_description="You are in it.",
    responses=documented(*IN_ROOM, TOO_LARGE, INVALID_REQUEST, NOT_SUPPORTED, LIMIT_REACHED),
)
async def join(chat: TheChat, caller: Caller, room: TheRoom, key: Key | None = None) -> Membership:
    """Become a member; one who is in it already stays as they are."""
    _refuse_password(key.password if key else None)
    return Membership.of(await chat.memberships.join(room.id, visitor_id=caller.id), room)


@routes.delete(
    "/rooms/{slug}/membership",
    dependencies=[costs(Cost.JOIN)],
    status_code=204,
    summary="Leave a room",
    response_description="You are not in it.",
    responses=documented(*IN_ROOM),
)
async def leave(chat: TheChat, caller: Caller, room: TheRoom) -> None:
    """Be a member no more; what you have said there stays until its end."""
    await chat.memberships.leave(room.id, visitor_id=caller.id)


async def _open(
    chat: Chat, wanted: NewRoom, *, visitor_id: str, address: str
) -> tuple[nouns.Room, bool]:
    """Return the room, and whether it was created now."""
    if wanted.listed:
        with suppress(NotFound):
            found = await chat.rooms.find_named(wanted.name)
            return found or await chat.rooms.find(fold(tidy_room_name(wanted.name))), False
    await chat.work.spend(Cost.NEW_ROOM, visitor_id=visitor_id, address=address)
    try:
        room = await chat.rooms.create(
            wanted.name,
            visitor_id=visitor_id,
            listed=wanted.listed,
            message_ttl=read_duration(wanted.message_ttl),
            room_ttl=read_duration(wanted.room_ttl),
            topic=wanted.topic,
        )
    except RoomNameConfusable:
        raise
    except RoomNameTaken:  # somebody was quicker by a moment: that is the room we want
        return await _open(chat, wanted, visitor_id=visitor_id, address=address)
    return room, True


async def _view(chat: Chat, room: nouns.Room, member: nouns.Member | None) -> RoomView:
    return RoomView.model_validate(
        {
            **room_facts(room, here=_count_here(chat, room)),
            "members": await chat.memberships.count(room.id),
            "membership": Membership.of(member, room) if member else None,
        }
    )


def _room(room: nouns.Room, *, here: int) -> Room:
    return Room.model_validate(room_facts(room, here=here))


def _count_here(chat: Chat, room: nouns.Room) -> int:
    return len(chat.presence.list_present(room.id))


def _refuse_password(password: str | None) -> None:
    """Say so rather than open a room to everybody that was meant to be locked."""
    if password is not None:
        raise Refusal(NOT_SUPPORTED, "Rooms with a password are not supported yet.")

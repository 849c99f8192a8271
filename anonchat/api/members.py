"""The members of a room, and what its owner and helpers may do to keep order."""

from typing import Annotated

from fastapi import APIRouter, Path

from ..limits.costs import Cost
from . import problems
from .dependencies import (
    ROOM_PROBLEMS,
    Budget,
    Caller,
    ChatDependency,
    RoomDependency,
    charge,
)
from .problem_responses import problem_responses
from .schemas import Ban, Member, Mute, NewRole, Page, parse_optional_duration

routes = APIRouter(prefix="/rooms/{slug}", tags=["members"])

Author = Annotated[
    str, Path(description="The `author` of the member.", examples=["9f2b4c6d8e0a1b3c5d"])
]

_ORDER_PROBLEMS = (*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.NOT_ALLOWED)


@routes.get(
    "/members",
    dependencies=[charge(Cost.LOOKUP)],
    summary="List members",
    response_description="All members, by nickname.",
    responses=problem_responses(*ROOM_PROBLEMS, problems.NOT_A_MEMBER),
)
async def list_members(
    chat: ChatDependency, caller: Caller, budget: Budget, room: RoomDependency
) -> Page[Member]:
    """Return the members of a room that you are in."""
    members = await chat.memberships.list_members(room.id, visitor_id=caller.id)
    await budget.spend(len(members) * Cost.ROW)
    return Page(items=[Member.of(member, room, chat.clock()) for member in members], next=None)


@routes.put(
    "/members/{author}/role",
    dependencies=[charge(Cost.MODERATE)],
    summary="Give a member a role",
    response_description="The member with that role.",
    responses=problem_responses(
        *_ORDER_PROBLEMS, problems.TOO_LARGE, problems.INVALID_REQUEST, problems.LIMIT_REACHED
    ),
)
async def set_role(
    chat: ChatDependency, caller: Caller, room: RoomDependency, author: Author, given: NewRole
) -> Member:
    """Make somebody a helper, an ordinary member, or the owner, if you own the room.

    The owner of a room may do everything in it. Helpers may mute, remove and ban ordinary members,
    and delete what these write. If you give the room away, you become a helper. If you leave it,
    the longest-standing helper owns it, or else the longest-standing member.
    """
    member = await chat.moderation.set_role(room.id, author, given.role, visitor_id=caller.id)
    return Member.of(member, await chat.rooms.find(room.slug), chat.clock())


@routes.put(
    "/members/{author}/mute",
    dependencies=[charge(Cost.MODERATE)],
    summary="Mute a member",
    response_description="The member, with the end of the mute.",
    responses=problem_responses(*_ORDER_PROBLEMS, problems.TOO_LARGE, problems.INVALID_REQUEST),
)
async def mute(
    chat: ChatDependency,
    caller: Caller,
    room: RoomDependency,
    author: Author,
    given: Mute | None = None,
) -> Member:
    """Let a member write nothing for a while, if you own the room or are a helper.

    They can still read. Leaving and joining again does not end the mute.
    """
    duration = parse_optional_duration(given.duration if given else None)
    member = await chat.moderation.mute(room.id, author, duration, visitor_id=caller.id)
    return Member.of(member, room, chat.clock())


@routes.delete(
    "/members/{author}/mute",
    dependencies=[charge(Cost.MODERATE)],
    summary="Unmute a member",
    response_description="The member, who may write again.",
    responses=problem_responses(*_ORDER_PROBLEMS),
)
async def unmute(
    chat: ChatDependency, caller: Caller, room: RoomDependency, author: Author
) -> Member:
    """Let a muted member write again."""
    member = await chat.moderation.unmute(room.id, author, visitor_id=caller.id)
    return Member.of(member, room, chat.clock())


@routes.delete(
    "/members/{author}",
    dependencies=[charge(Cost.MODERATE)],
    status_code=204,
    summary="Remove a member",
    response_description="They are not a member any more.",
    responses=problem_responses(*_ORDER_PROBLEMS),
)
async def remove(
    chat: ChatDependency, caller: Caller, room: RoomDependency, author: Author
) -> None:
    """End the membership of somebody else. They may join again, unless they are banned."""
    await chat.moderation.remove(room.id, author, visitor_id=caller.id)


@routes.delete(
    "/members/{author}/messages",
    dependencies=[charge(Cost.DELETE_ALL)],
    status_code=204,
    summary="Delete all messages of a member",
    response_description="They are deleted everywhere.",
    responses=problem_responses(*_ORDER_PROBLEMS),
)
async def delete_messages(
    chat: ChatDependency, caller: Caller, room: RoomDependency, author: Author
) -> None:
    """Delete all that somebody has written in the room, also if they have left."""
    await chat.moderation.delete_all_of(room.id, author, visitor_id=caller.id)


@routes.put(
    "/members/{author}/ban",
    dependencies=[charge(Cost.MODERATE)],
    status_code=204,
    summary="Ban a member",
    response_description="They are not a member, and cannot join.",
    responses=problem_responses(*_ORDER_PROBLEMS, problems.LIMIT_REACHED),
)
async def ban(chat: ChatDependency, caller: Caller, room: RoomDependency, author: Author) -> None:
    """Remove somebody who cannot join again, nor anybody whose nickname looks the same.

    The ban ends with the room. It is also for somebody who has left, as long as the room has a
    message of theirs.
    """
    await chat.moderation.ban(room.id, author, visitor_id=caller.id)


@routes.delete(
    "/members/{author}/ban",
    dependencies=[charge(Cost.MODERATE)],
    status_code=204,
    summary="Lift a ban",
    response_description="They may join again.",
    responses=problem_responses(*_ORDER_PROBLEMS),
)
async def unban(chat: ChatDependency, caller: Caller, room: RoomDependency, author: Author) -> None:
    """Lift a ban. If there is none, nothing changes."""
    await chat.moderation.unban(room.id, author, visitor_id=caller.id)


@routes.get(
    "/bans",
    dependencies=[charge(Cost.LOOKUP)],
    summary="List bans",
    response_description="All bans, the newest first.",
    responses=problem_responses(*_ORDER_PROBLEMS),
)
async def list_bans(
    chat: ChatDependency, caller: Caller, budget: Budget, room: RoomDependency
) -> Page[Ban]:
    """Return who may not join the room, if you own it or are a helper."""
    bans = await chat.moderation.list_bans(room.id, visitor_id=caller.id)
    await budget.spend(len(bans) * Cost.ROW)
    return Page(items=[Ban.model_validate(each) for each in bans], next=None)

"""Make, list and revoke invitations; ask to come in, and answer who asks."""

from typing import Annotated

from fastapi import APIRouter, Path

from ..durations import parse_duration
from ..limits.costs import Cost
from . import problems
from .dependencies import (
    DOOR_PROBLEMS,
    ROOM_PROBLEMS,
    Budget,
    Caller,
    ChatDependency,
    ClientIp,
    RoomDependency,
    charge,
)
from .problem_responses import problem_responses
from .schemas import Invite, Knock, KnockAnswer, NewInvite, NewKnock, Page

routes = APIRouter(tags=["rooms"])

_PROBLEMS = (*ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.NOT_ALLOWED)
Code = Annotated[
    str,
    Path(max_length=64, description="Its `code`.", examples=["k7mq2x9dp4hv8nb3tw6czr5yfga"]),
]

Author = Annotated[
    str, Path(max_length=64, description="Their `author`.", examples=["9f2b4c6d8e0a1b3c5d"])
]


@routes.post(
    "/rooms/{slug}/invites",
    dependencies=[charge(Cost.JOIN)],
    status_code=201,
    summary="Make an invitation",
    response_description="The invitation.",
    responses=problem_responses(
        *_PROBLEMS,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        problems.INVALID_INVITE,
        problems.LIMIT_REACHED,
    ),
)
async def invite(
    chat: ChatDependency, caller: Caller, room: RoomDependency, wanted: NewInvite | None = None
) -> Invite:
    """Make an invitation to a room that you own or help in.

    Whoever has its code comes in, past a password and a lock.
    """
    wanted = wanted or NewInvite()
    made = await chat.doors.invite(
        room.id,
        visitor_id=caller.id,
        lifetime=parse_duration(wanted.ttl),
        uses_max=wanted.uses,
    )
    return Invite.model_validate(made)


@routes.get(
    "/rooms/{slug}/invites",
    dependencies=[charge(Cost.LOOKUP)],
    summary="List the invitations",
    response_description="All invitations that can still be used.",
    responses=problem_responses(*_PROBLEMS),
)
async def list_invites(chat: ChatDependency, caller: Caller, room: RoomDependency) -> Page[Invite]:
    """Return the invitations to a room that you own or help in, the next to expire first."""
    found = await chat.doors.list_invites(room.id, visitor_id=caller.id)
    return Page(items=[Invite.model_validate(each) for each in found], next=None)


@routes.delete(
    "/rooms/{slug}/invites/{code}",
    dependencies=[charge(Cost.JOIN)],
    status_code=204,
    summary="Revoke an invitation",
    response_description="It cannot be used any more.",
    responses=problem_responses(*_PROBLEMS, problems.INVITE_GONE, problems.INVALID_REQUEST),
)
async def revoke(chat: ChatDependency, caller: Caller, room: RoomDependency, code: Code) -> None:
    """Revoke an invitation to a room that you own or help in. Who came in with it stays."""
    await chat.doors.revoke(room.id, code, visitor_id=caller.id)


@routes.post(
    "/rooms/{slug}/knocks",
    dependencies=[charge(Cost.JOIN)],
    status_code=204,
    summary="Ask to come in",
    response_description="You wait, or are a member.",
    responses=problem_responses(
        *ROOM_PROBLEMS,
        problems.NOT_ALLOWED,
        problems.TOO_LARGE,
        problems.INVALID_REQUEST,
        *DOOR_PROBLEMS,
        problems.LIMIT_REACHED,
    ),
)
async def knock(
    chat: ChatDependency,
    caller: Caller,
    address: ClientIp,
    budget: Budget,
    room: RoomDependency,
    wanted: NewKnock | None = None,
) -> None:
    """Ask to come into a room with `asks`. You become a member when you are let in."""
    password = wanted.password if wanted else ""
    if password:
        await budget.spend(Cost.PASSWORD)
    await chat.doors.knock(room.id, visitor_id=caller.id, password=password, address=address)


@routes.get(
    "/rooms/{slug}/knocks",
    dependencies=[charge(Cost.LOOKUP)],
    summary="List who asks to come in",
    response_description="All who wait.",
    responses=problem_responses(*_PROBLEMS),
)
async def list_knocks(chat: ChatDependency, caller: Caller, room: RoomDependency) -> Page[Knock]:
    """Return who waits before a room that you own or help in, the first one first."""
    found = await chat.doors.list_knocks(room.id, visitor_id=caller.id)
    return Page(items=[Knock.model_validate(each) for each in found], next=None)


@routes.put(
    "/rooms/{slug}/knocks/{author}",
    dependencies=[charge(Cost.JOIN)],
    status_code=204,
    summary="Answer who asks to come in",
    response_description="They are a member, or were turned away.",
    responses=problem_responses(
        *_PROBLEMS, problems.TOO_LARGE, problems.INVALID_REQUEST, problems.LIMIT_REACHED
    ),
)
async def answer_knock(
    chat: ChatDependency,
    caller: Caller,
    room: RoomDependency,
    author: Author,
    answer: KnockAnswer | None = None,
) -> None:
    """Let somebody into a room that you own or help in, or turn them away for an hour."""
    let_in = (answer or KnockAnswer()).let_in
    await chat.doors.answer_knock(room.id, author, let_in=let_in, visitor_id=caller.id)

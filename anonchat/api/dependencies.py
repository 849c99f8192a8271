"""FastAPI dependencies of the endpoints: chat, caller, client IP and room."""

from typing import Annotated, Any, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ..chat import Chat
from ..entities import Room, Visitor
from .problems import NOT_FOUND, UNKNOWN_VISITOR, Problem, ProblemException
from .streams import Streams

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="The `token` returned by `POST /visitors`.",
)

CALLER_PROBLEMS: tuple[Problem, ...] = (UNKNOWN_VISITOR,)
"""The problems of an endpoint that requires authentication."""
ROOM_PROBLEMS: tuple[Problem, ...] = (UNKNOWN_VISITOR, NOT_FOUND)
"""The problems of an endpoint under `/rooms/{slug}`."""


async def _chat(request: Request) -> Chat:  # async: FastAPI runs sync dependencies in threads
    return cast(Chat, request.app.state.chat)


async def _streams(request: Request) -> Streams:
    return cast(Streams, request.app.state.streams)


async def _address(request: Request) -> str:
    return request.client.host if request.client else ""


ChatDependency = Annotated[Chat, Depends(_chat)]
ClientIp = Annotated[str, Depends(_address)]
StreamsDependency = Annotated[Streams, Depends(_streams)]


async def _authenticate(
    chat: ChatDependency,
    address: ClientIp,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Visitor:
    token = credentials.credentials if credentials else ""
    visitor = await chat.identity.authenticate(token, address=address) if token else None
    if visitor is None:
        raise ProblemException(UNKNOWN_VISITOR)
    return visitor


Caller = Annotated[Visitor, Depends(_authenticate)]


def charge(milliseconds: float) -> Any:
    """Return a dependency that charges this processor time on top of the cost of every call."""

    async def spend(chat: ChatDependency, caller: Caller, address: ClientIp) -> None:
        await chat.work_budget.spend(milliseconds, visitor_id=caller.id, address=address)

    return Depends(spend)


async def _find_room(
    chat: ChatDependency,
    _caller: Caller,
    slug: Annotated[str, Path(description="The room's address.", examples=["night-train"])],
) -> Room:
    return await chat.rooms.find(slug)


RoomDependency = Annotated[Room, Depends(_find_room)]

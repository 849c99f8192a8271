"""FastAPI dependencies of the endpoints: chat, caller, client IP and room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import ClientDisconnect

from ..chat import Chat
from ..entities import Room, Visitor
from ..limits.work_budget import MAX_WAIT, Charge, WorkBudget
from ..plugins.host import PluginHost
from .problems import (
    INVITE_GONE,
    MUST_KNOCK,
    NOT_FOUND,
    PASSWORD_REQUIRED,
    ROOM_LOCKED,
    TURNED_AWAY,
    UNKNOWN_VISITOR,
    WRONG_PASSWORD,
    Problem,
    ProblemException,
)
from .streams import Streams

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="The `token` returned by `POST /visitors`.",
)

CALLER_PROBLEMS: tuple[Problem, ...] = (UNKNOWN_VISITOR,)
"""The problems of an endpoint that requires authentication."""
DOOR_PROBLEMS: tuple[Problem, ...] = (
    PASSWORD_REQUIRED,
    WRONG_PASSWORD,
    ROOM_LOCKED,
    MUST_KNOCK,
    TURNED_AWAY,
    INVITE_GONE,
)
"""The problems of joining a room."""
ROOM_PROBLEMS: tuple[Problem, ...] = (UNKNOWN_VISITOR, NOT_FOUND)
"""The problems of an endpoint under `/rooms/{slug}`."""


async def _chat(request: Request) -> Chat:  # async: FastAPI runs sync dependencies in threads
    return cast(Chat, request.app.state.chat)


async def _plugins(request: Request) -> PluginHost:
    return cast(PluginHost, request.app.state.plugins)


async def _streams(request: Request) -> Streams:
    return cast(Streams, request.app.state.streams)


async def _address(request: Request) -> str:
    return request.client.host if request.client else ""


ChatDependency = Annotated[Chat, Depends(_chat)]
ClientIp = Annotated[str, Depends(_address)]
PluginsDependency = Annotated[PluginHost, Depends(_plugins)]
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


class CallBudget:
    """The work budget of one call, on top of the cost of every call.

    A read whose client has disconnected while it waited is not begun: both methods raise
    `ClientDisconnect` then.
    """

    def __init__(self, request: Request, budget: WorkBudget, visitor_id: str, address: str) -> None:
        self._request = request
        self._budget = budget
        self._visitor_id = visitor_id
        self._address = address

    async def spend(self, milliseconds: float) -> None:
        """Wait until the call may use this processor time; raise as `WorkBudget.spend` does."""
        await self._budget.spend(milliseconds, visitor_id=self._visitor_id, address=self._address)
        await self._require_client()

    @asynccontextmanager
    async def run_exclusively(self, milliseconds: float) -> AsyncIterator[Charge]:
        """Run the blocks of the caller one at a time (see `WorkBudget.run_exclusively`)."""
        async with self._budget.run_exclusively(
            milliseconds, visitor_id=self._visitor_id, address=self._address, max_wait=MAX_WAIT
        ) as charge:
            await self._require_client()
            yield charge

    async def _require_client(self) -> None:
        if self._request.method == "GET" and await self._request.is_disconnected():
            raise ClientDisconnect


async def _budget(
    request: Request, chat: ChatDependency, caller: Caller, address: ClientIp
) -> CallBudget:
    return CallBudget(request, chat.work_budget, caller.id, address)


Budget = Annotated[CallBudget, Depends(_budget)]


def charge(milliseconds: float) -> Any:
    """Return a dependency that charges this processor time on top of the cost of every call."""

    async def spend(budget: Budget) -> None:
        await budget.spend(milliseconds)

    return Depends(spend)


Slug = Annotated[str, Path(description="The room's address.", examples=["night-train"])]


async def _find_room(chat: ChatDependency, _caller: Caller, slug: Slug) -> Room:
    return await chat.rooms.find(slug)


RoomDependency = Annotated[Room, Depends(_find_room)]

"""Who calls, and what they call upon: the parts that a call asks for by their type."""

from typing import Annotated, Any, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ..chat import Chat
from ..nouns import Room, Visitor
from .problems import NOT_FOUND, UNKNOWN_VISITOR, Problem, Refusal
from .streams import Streams

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="The `token` that `POST /visitors` has given.",
)

CALLER: tuple[Problem, ...] = (UNKNOWN_VISITOR,)
"""The problems of a call that needs to know who calls."""
IN_ROOM: tuple[Problem, ...] = (UNKNOWN_VISITOR, NOT_FOUND)
"""The problems of a call that is about a room."""


async def _chat(request: Request) -> Chat:  # async: else it would be called in a thread
    return cast(Chat, request.app.state.chat)


async def _streams(request: Request) -> Streams:
    return cast(Streams, request.app.state.streams)


async def _address(request: Request) -> str:
    return request.client.host if request.client else ""


TheChat = Annotated[Chat, Depends(_chat)]
Address = Annotated[str, Depends(_address)]
TheStreams = Annotated[Streams, Depends(_streams)]


async def _recognise(
    chat: TheChat,
    address: Address,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> Visitor:
    token = credentials.credentials if credentials else ""
    visitor = await chat.identity.recognise(token, address=address) if token else None
    if visitor is None:
        raise Refusal(UNKNOWN_VISITOR, UNKNOWN_VISITOR.meaning)
    return visitor


Caller = Annotated[Visitor, Depends(_recognise)]


def costs(milliseconds: float) -> Any:
    """Return what makes a call wait for so much processor time, beside that of every call."""

    async def spend(chat: TheChat, caller: Caller, address: Address) -> None:
        await chat.work.spend(milliseconds, visitor_id=caller.id, address=address)

    return Depends(spend)


async def _find(
    chat: TheChat,
    _caller: Caller,
    slug: Annotated[str, Path(description="The room's address.", examples=["night-train"])],
) -> Room:
    return await chat.rooms.find(slug)


TheRoom = Annotated[Room, Depends(_find)]

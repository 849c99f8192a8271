"""Who calls, and what they call upon: the parts that a call asks for by their type."""

from typing import Annotated, cast

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ..chat import Chat
from ..limits import neighbourhood
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


async def _count(chat: TheChat, address: Address) -> None:
    if address:
        chat.limits.calls.spend(neighbourhood(address))


COUNTED = [Depends(_count)]
"""What every call is subject to, whoever makes it."""


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


async def _find(
    chat: TheChat,
    _caller: Caller,
    slug: Annotated[str, Path(description="The room's address.", examples=["night-train"])],
) -> Room:
    return await chat.rooms.find(slug)


TheRoom = Annotated[Room, Depends(_find)]

"""What becomes of a request that could not be answered."""

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from pages.guard import Guard

_SOCKET: Scope = {"type": "websocket", "path": "/", "headers": []}


def _apologise(_request: Request) -> Response:
    return Response(status_code=500)


async def test_web_socket_whose_client_has_gone_before_its_answer_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_message: Message) -> None:
        raise ClientDisconnected

    await Guard(app, apologise=_apologise)(_SOCKET, receive, send)
    assert not caplog.records

"""Handling of requests that end in an error."""

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from pages.http.request_guard import RequestGuardMiddleware

_SOCKET: Scope = {"type": "websocket", "path": "/", "headers": []}


def _error_page(_request: Request) -> Response:
    return Response(status_code=500)


async def test_websocket_client_lost_before_accept_logs_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(_message: Message) -> None:
        raise ClientDisconnected

    await RequestGuardMiddleware(app, error_page=_error_page)(_SOCKET, receive, send)
    assert not caplog.records

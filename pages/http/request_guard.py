"""Body size limit and last error handler for all requests."""

import logging
from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from anonchat import Unavailable

_MAX_BODY_BYTES = 65_536
_log = logging.getLogger(__name__)


class RequestGuardMiddleware:
    """Limits request bodies, and handles unhandled exceptions.

    An error after the client has disconnected, as Starlette and engine.io raise, is logged at debug
    level only. Any other error is logged, and `error_page` makes the response.
    """

    def __init__(self, app: ASGIApp, *, error_page: Callable[[Request], Response]) -> None:
        self._app = app
        self._error_page = error_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        body, response = _Body(receive), _Response(send)
        try:
            await self._app(scope, body.receive, response.send)
        except _TooLarge:
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        except Exception as error:
            if body.is_disconnected or isinstance(error, ClientDisconnected):
                _log.debug("exception after the client disconnected", exc_info=True)
                return
            if isinstance(error, Unavailable):  # logged by the database
                _log.debug("request failed: database unavailable", exc_info=True)
            else:
                _log.exception("unhandled exception in a request")
            if response.has_started:
                return
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011})
            else:
                await self._error_page(Request(scope))(scope, receive, send)


class _TooLarge(HTTPException):
    """An error that an inner application may handle itself; else the guard does."""

    def __init__(self) -> None:
        super().__init__(413)


class _Response:
    def __init__(self, send: Send) -> None:
        self.has_started = False
        self._send = send

    async def send(self, message: Message) -> None:
        self.has_started = True
        await self._send(message)


class _Body:
    def __init__(self, receive: Receive) -> None:
        self.is_disconnected = False
        self._receive = receive
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size > _MAX_BODY_BYTES:
                raise _TooLarge
        elif message["type"] in ("http.disconnect", "websocket.disconnect"):
            self.is_disconnected = True
        return message

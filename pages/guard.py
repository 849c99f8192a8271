"""What no request may do, whatever it is for."""

import logging
from collections.abc import Callable

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from anonchat import Unavailable

_BODY_MOST = 65_536
_log = logging.getLogger(__name__)


class Guard:
    """Bounds the body of every request, and drops a header that NiceGUI would believe.

    `X-Forwarded-Prefix` goes in front of every redirect: from a stranger it could lead anywhere.
    A request whose sender has gone ends quietly, though Starlette and engine.io raise errors
    where they have nothing to answer and nobody to answer to. Any other error ends here: it goes
    into our log, and `apologise` makes the answer.
    """

    def __init__(self, app: ASGIApp, *, apologise: Callable[[Request], Response]) -> None:
        self._app = app
        self._apologise = apologise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0] != b"x-forwarded-prefix"]
        body, answer = _Body(receive), _Answer(send)
        try:
            await self._app({**scope, "headers": headers}, body.receive, answer.send)
        except _TooLarge:
            await send({"type": "http.response.start", "status": 413, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        except Exception as error:
            if body.is_sender_gone or isinstance(error, ClientDisconnected):
                _log.debug("an error after the sender had gone", exc_info=True)
                return
            if isinstance(error, Unavailable):  # the database has told
                _log.debug("a request was refused", exc_info=True)
            else:
                _log.exception("a request could not be answered")
            if answer.has_begun:
                return
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1011})
            else:
                await self._apologise(Request(scope))(scope, receive, send)


class _TooLarge(HTTPException):
    """An error that an application inside may answer in its own way; else the guard does."""

    def __init__(self) -> None:
        super().__init__(413)


class _Answer:
    def __init__(self, send: Send) -> None:
        self.has_begun = False
        self._send = send

    async def send(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)


class _Body:
    def __init__(self, receive: Receive) -> None:
        self.is_sender_gone = False
        self._receive = receive
        self._size = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size > _BODY_MOST:
                raise _TooLarge
        elif message["type"] in ("http.disconnect", "websocket.disconnect"):
            self.is_sender_gone = True
        return message

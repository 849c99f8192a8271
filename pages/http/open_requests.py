"""Requests that wait for their response while the server stops."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .refusal import refuse

_RETRY_AFTER = (b"retry-after", b"1")


class OpenRequests:
    """The HTTP requests whose responses have not begun."""

    def __init__(self) -> None:
        self.timeouts: set[asyncio.Timeout] = set()

    def refuse(self) -> None:
        """Answer all of them with status 503, whatever they wait for."""
        now = asyncio.get_running_loop().time()
        for timeout in self.timeouts:
            timeout.reschedule(now)


class OpenRequestsMiddleware:
    """Keeps track of open requests, so that a stopping server can refuse them.

    uvicorn would cancel them at the end of its grace period, without a response but with an error
    in the log.
    """

    def __init__(self, app: ASGIApp, *, open_requests: OpenRequests) -> None:
        self._app = app
        self._timeouts = open_requests.timeouts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_response(message: Message) -> None:
            self._timeouts.discard(timeout)
            await send(message)

        try:
            async with asyncio.timeout(None) as timeout:
                self._timeouts.add(timeout)
                try:
                    await self._app(scope, receive, send_response)
                finally:
                    self._timeouts.discard(timeout)
        except TimeoutError:
            if not timeout.expired():
                raise
            await refuse(scope, send, 503, headers=[_RETRY_AFTER])

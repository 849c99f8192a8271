"""Spreads the requests of each client network, whatever they ask for and however it is answered."""

import asyncio
from datetime import timedelta

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from anonchat import Limit, TooOften

from .site import address_of

_LONGEST = timedelta(seconds=10)
_LONGEST_OF_PROBE = timedelta(seconds=1)
PROBES = ("/healthz", "/readyz")
"""The paths by which a proxy sees that we live."""


class RequestPace:
    """Lets the requests of a network wait beyond their limit, also those that are refused later.

    To read a request costs time whatever comes of it. One that would have to wait for more than
    ten seconds is answered with 429, and a web socket is closed. Calls of the API and probes of
    our health are never refused here: the API has its own limit and words for it, and who is not
    told that we live would end us. A probe waits for a second at most.
    """

    def __init__(self, app: ASGIApp, *, limit: Limit) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        address = "" if scope["type"] == "lifespan" else address_of(HTTPConnection(scope))
        if address:
            path = scope["path"]
            longest = _LONGEST_OF_PROBE if path in PROBES else _LONGEST
            try:
                wait = self._limit.reserve_address(address, 1, longest=longest)
            except TooOften:
                if path not in PROBES and not path.startswith("/api/"):
                    await _refuse(scope, send)
                    return
                wait = longest
            if wait:
                await asyncio.sleep(wait.total_seconds())
        await self._app(scope, receive, send)


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1013})
        return
    headers = [(b"content-length", b"0"), (b"retry-after", b"10")]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": b""})

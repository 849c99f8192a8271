"""Rate limit for all requests of each client network."""

import asyncio
from datetime import timedelta

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from anonchat import Limit, RateLimited

from .client_address import client_address
from .refusal import refuse

_MAX_WAIT = timedelta(seconds=10)
_MAX_PROBE_WAIT = timedelta(seconds=1)
_RETRY_LATER = ((b"retry-after", b"10"),)
HEALTH_CHECK_PATHS = ("/healthz", "/readyz")
"""Paths of the health checks."""


class RequestRateLimitMiddleware:
    """Delays the requests of a client network beyond its limit, even those refused later.

    Reading a request costs time whatever its outcome. A request that would wait for more than ten
    seconds is answered with 429; a WebSocket is closed. API calls and health checks are never
    refused here: the API has its own limit and problem response, and an orchestrator restarts a
    server that fails its health check. A health check waits for one second at most.
    """

    def __init__(self, app: ASGIApp, *, limit: Limit) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        address = "" if scope["type"] == "lifespan" else client_address(HTTPConnection(scope))
        if address:
            path = scope["path"]
            max_wait = _MAX_PROBE_WAIT if path in HEALTH_CHECK_PATHS else _MAX_WAIT
            try:
                wait = self._limit.reserve(address, 1, max_wait=max_wait)
            except RateLimited:
                if path not in HEALTH_CHECK_PATHS and not path.startswith("/api/"):
                    await refuse(scope, send, 429, close_code=1013, headers=_RETRY_LATER)
                    return
                wait = max_wait
            if wait:
                await asyncio.sleep(wait.total_seconds())
        await self._app(scope, receive, send)

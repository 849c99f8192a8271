"""Liveness and readiness probes."""

import asyncio

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from ..chat import Chat

_METHODS = ["GET", "HEAD"]
_CACHE_SECONDS = 1.0


def health_routes(chat: Chat) -> APIRouter:
    """Return `/healthz` (the process is alive) and `/readyz` (it can serve and is not draining)."""
    router = APIRouter(include_in_schema=False)
    readiness = _Readiness(chat)

    @router.api_route("/healthz", methods=_METHODS)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @router.api_route("/readyz", methods=_METHODS)
    async def readyz() -> PlainTextResponse:
        if chat.health.is_draining:
            return PlainTextResponse("draining", 503)
        if problem := await readiness.find_problem():
            return PlainTextResponse(problem, 503)
        if chat.health.is_bus_unsafe:
            return PlainTextResponse("unsafe: bus writes to disk", 503)
        return PlainTextResponse("ready")

    return router


class _Readiness:
    """Checks the dependencies of a chat, and caches the result for one second."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._lock = asyncio.Lock()
        self._problem = ""
        self._valid_until = 0.0

    async def find_problem(self) -> str:
        """Return why the chat cannot serve, or an empty string; at most one second old."""
        async with self._lock:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._valid_until:
                self._problem = ""
                if silent := await self._chat.health.list_unavailable():
                    self._problem = f"no answer: {', '.join(silent)}"
                elif not await self._chat.health.is_disk_writable():
                    self._problem = "cannot write: disk"
                self._valid_until = loop.time() + _CACHE_SECONDS
            return self._problem

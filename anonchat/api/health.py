"""Is the process alive, and can it serve?"""

import asyncio

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from ..chat import Chat

_READING = ["GET", "HEAD"]
_FRESH_SECONDS = 1.0


def health_routes(chat: Chat) -> APIRouter:
    """Return `/healthz` (the process lives) and `/readyz` (it can serve, and is not leaving)."""
    router = APIRouter(include_in_schema=False)
    readiness = _Readiness(chat)

    @router.api_route("/healthz", methods=_READING)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @router.api_route("/readyz", methods=_READING)
    async def readyz() -> PlainTextResponse:
        if chat.is_draining:
            return PlainTextResponse("draining", 503)
        if trouble := await readiness.find_trouble():
            return PlainTextResponse(trouble, 503)
        if chat.is_bus_unsafe:
            return PlainTextResponse("unsafe: bus writes to disk", 503)
        return PlainTextResponse("ready")

    return router


class _Readiness:
    """Asks the parts of a chat once a second at most, however often it is asked itself."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._asking = asyncio.Lock()
        self._trouble = ""
        self._until = 0.0

    async def find_trouble(self) -> str:
        """Return why the chat could not serve in the last second, or nothing."""
        async with self._asking:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._until:
                self._trouble = await self._ask()
                self._until = loop.time() + _FRESH_SECONDS
            return self._trouble

    async def _ask(self) -> str:
        if silent := await self._chat.list_silent():
            return f"no answer: {', '.join(silent)}"
        return "" if await self._chat.is_disk_writable() else "cannot write: disk"

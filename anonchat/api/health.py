"""Is the process alive, and can it serve?"""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from ..chat import Chat

_READING = ["GET", "HEAD"]


def health_routes(chat: Chat) -> APIRouter:
    """Return `/healthz` (the process lives) and `/readyz` (it can serve, and is not leaving)."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/healthz", methods=_READING)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @router.api_route("/readyz", methods=_READING)
    async def readyz() -> PlainTextResponse:
        if chat.is_draining:
            return PlainTextResponse("draining", 503)
        if silent := await chat.list_silent():
            return PlainTextResponse(f"no answer: {', '.join(silent)}", 503)
        if chat.is_bus_unsafe:
            return PlainTextResponse("unsafe: bus writes to disk", 503)
        return PlainTextResponse("ready")

    return router

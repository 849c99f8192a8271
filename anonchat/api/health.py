"""Is the process alive, and can it serve?"""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from ..chat import Chat

_READING = ["GET", "HEAD"]


def health_routes(chat: Chat) -> APIRouter:
    """Return `/healthz` (the process lives) and `/readyz` (the database answers)."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/healthz", methods=_READING)
    async def healthz() -> PlainTextResponse:
        return PlainTextResponse("ok")

    @router.api_route("/readyz", methods=_READING)
    async def readyz() -> PlainTextResponse:
        if await chat.is_ready():
            return PlainTextResponse("ready")
        return PlainTextResponse("the database does not answer", 503)

    return router

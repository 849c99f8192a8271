"""Request body size limit."""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 65_536


class BodySizeLimitMiddleware:
    """Refuses a request as soon as its body exceeds 64 KiB."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward the request, counting the bytes read of its body."""
        remaining = BODY_BYTES

        async def receive_counted() -> Message:
            nonlocal remaining
            message = await receive()
            remaining -= len(message.get("body", b""))
            if remaining < 0:
                raise HTTPException(413)
            return message

        await self._app(scope, receive_counted, send)

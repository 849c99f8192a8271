"""Answers HEAD requests like GET, without the body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXCLUDED = ("/api/", "/_nicegui_ws/")  # endless streams, and polls that consume packets


class HeadRequestsMiddleware:
    """Passes HEAD requests for pages and assets to the application as GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        is_applicable = scope["type"] == "http" and not scope["path"].startswith(_EXCLUDED)
        if not is_applicable or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)

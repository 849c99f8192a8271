"""Answers HEAD like GET, without the body."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ELSEWHERE = ("/api/", "/_nicegui_ws/")  # an endless stream, and polls that take what they read


class HeadRequests:
    """Asks the application with GET for the pages and assets that a request with HEAD is about."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        is_ours = scope["type"] == "http" and not scope["path"].startswith(_ELSEWHERE)
        if not is_ours or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        await self._app({**scope, "method": "GET"}, receive, send_without_body)

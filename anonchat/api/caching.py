"""What happens to an answer on its way."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class NoStore:
    """Asks everybody on the way not to keep what is about to expire."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and say so in its answer."""

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", ()), (b"cache-control", b"no-store")]
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, send_on)

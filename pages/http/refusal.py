"""Responses to requests that never reach the application."""

from collections.abc import Sequence

from starlette.types import Scope, Send


async def refuse(
    scope: Scope,
    send: Send,
    status: int,
    *,
    close_code: int = 1008,
    headers: Sequence[tuple[bytes, bytes]] = (),
    body: bytes = b"",
) -> None:
    """Send an HTTP response with this status, or close the WebSocket with `close_code`."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": close_code})
        return
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})

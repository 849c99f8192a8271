"""What comes in on the sockets, looked at before anything reads it."""

import re
from collections import Counter
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..origins import SOCKETS
from .lines import end_if_late

_KINDS = frozenset("123456")  # of engine.io's packets, those that a browser sends
_SEPARATOR = "\x1e"
_AT_ONCE = 16
_SAYING = re.compile(r'[01](?:\{|$)|2\d{0,9}\["(?:event|ack|handshake|javascript_response|log)",')


class Packets:
    """Lets only what looks like packets through to engine.io, which would log the rest at length.

    A web socket that says anything else is closed; a polled request is refused.
    """

    def __init__(self, app: ASGIApp, *, refused: Counter[str]) -> None:
        self._app = app
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(SOCKETS):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, self._look_at(receive), send)
        elif scope["method"] == "POST":
            await self._pass_on(_bare(scope), receive, send)
        else:
            for engine_id in parse_qs(scope["query_string"].decode("latin-1")).get("sid", []):
                await end_if_late(engine_id)
            await self._app(_bare(scope), receive, send)

    def _look_at(self, receive: Receive) -> Receive:
        async def listen() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive" or _is_packet(message.get("text")):
                return message
            self._refused["malformed"] += 1
            return {"type": "websocket.disconnect", "code": 1002}

        return listen

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if message["type"] == "http.request" and not _are_packets(body):
            self._refused["malformed"] += 1
            await send({"type": "http.response.start", "status": 400, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        unread = [{**message, "body": body}]

        async def listen() -> Message:
            return unread.pop() if unread else await receive()

        length = (b"content-length", str(len(body)).encode())  # engine.io reads no more than that
        headers = [pair for pair in scope["headers"] if pair[0] != b"content-length"]
        await self._app({**scope, "headers": [*headers, length]}, listen, send)


def is_saying(packet: object) -> bool:
    """Tell whether that is what our pages say: beginning, ending, or an event that has a handler.

    Other names would reach the handlers that socket.io keeps for itself.
    """
    return isinstance(packet, str) and _SAYING.match(packet) is not None


def _bare(scope: Scope) -> Scope:
    """Return a request without its wish to become a socket, which uvicorn has heard or refused.

    engine.io would believe it, and answer nothing.
    """
    headers = [pair for pair in scope["headers"] if pair[0] != b"upgrade"]
    return {**scope, "headers": headers}


def _is_packet(text: str | None) -> bool:
    return text is not None and text[:1] in _KINDS


def _are_packets(body: bytes) -> bool:
    try:
        packets = body.decode().split(_SEPARATOR)
    except UnicodeDecodeError:
        return False
    return not body or (len(packets) <= _AT_ONCE and all(map(_is_packet, packets)))

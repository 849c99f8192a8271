"""The syntax of engine.io requests and packets, as far as our pages use it."""

import re
from contextlib import suppress
from urllib.parse import parse_qs

from starlette.types import Scope

from ..http.cross_origin import SOCKET_PATH

SEPARATOR = "\x1e"
"""Separates the packets of one request."""

_PATH = f"{SOCKET_PATH}socket.io/"
_MAX_QUERY_FIELDS = 20
_MAX_PACKETS = 16
_ALLOWED_PACKET = re.compile(
    r'[01](?:\{|$)|2\d{0,9}\["(?:event|ack|handshake|javascript_response|log)",'
)


def is_allowed_packet(packet: object) -> bool:
    """Return whether a packet is a connect, a disconnect, or an event that has a handler.

    Other event names would reach the internal handlers of socket.io.
    """
    return isinstance(packet, str) and _ALLOWED_PACKET.match(packet) is not None


def is_valid_post_body(body: bytes, *, pinged: bool) -> bool:
    """Return whether a body is valid: messages, one pong if `pinged`, a close packet at the end.

    >>> [is_valid_post_body(body, pinged=True) for body in (b"40", b"3", b"1", b"2", b"6", b"")]
    [True, True, True, False, False, False]
    """
    try:
        packets = body.decode().split(SEPARATOR)
    except UnicodeDecodeError:
        return False
    if packets[-1] == "1":
        packets.pop()
    pongs = packets.count("3")
    messages = [packet for packet in packets if packet != "3"]
    return (
        len(packets) <= _MAX_PACKETS
        and pongs <= pinged
        and all(packet.startswith("4") and is_allowed_packet(packet[1:]) for packet in messages)
    )


def read_engine_id(scope: Scope) -> str | None:
    """Return the socket id of a request, "" for a new socket, `None` if the request is invalid."""
    transport = "websocket" if scope["type"] == "websocket" else "polling"
    with suppress(ValueError):
        query = parse_qs(
            scope["query_string"].decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=_MAX_QUERY_FIELDS,
        )
        engine_ids = query.get("sid", [""])
        if (
            scope["path"] == _PATH
            and scope.get("method", "GET") in ("GET", "POST")
            and query.get("EIO") == ["4"]
            and query.get("transport") == [transport]
            and "j" not in query
            and len(engine_ids) == 1
        ):
            return str(engine_ids[0])
    return None

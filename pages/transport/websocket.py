"""Broadcast over WebSockets: a packet is encoded once and written to every recipient.

socket.io creates a task for each recipient of each packet, and engine.io another queue entry and
frame. Broadcasts are nearly all the work of a chat, so the encoded frame is shared.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from engineio import packet as engine
from nicegui import core
from socketio import packet
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response

from ..http.security_headers import ERROR_HEADERS
from .connections import Connections

_MAX_BUFFER_BYTES = 786_432  # unsent output, besides the send buffer of the system
_SEND_BUFFER_BYTES = 131_072
_MAX_QUEUED_PACKETS = 200
_MAX_UNPOLLED_SECONDS = 5.0
_WRITE_TIMEOUT_SECONDS = 60.0
_END_TIMEOUT_SECONDS = 1.0
_CLOSE_TIMEOUT_SECONDS = 15.0
_MAX_FRAGMENTS = 100
_WRITES_PER_BATCH = 500

_EXTENSION = "anonchat.websocket"

_unpolled_since: dict[str, float] = {}  # when the oldest unpolled packet was queued


class BroadcastWebSocket(WebSocketsSansIOProtocol):
    """The WebSocket of one page."""

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections = connections
        self._write_timer: asyncio.TimerHandle | None = None
        self._close_timer: asyncio.TimerHandle | None = None
        self._app_done = asyncio.Event()
        self.conn.reject = partial(_reject, self.conn.reject)  # type: ignore[method-assign]

    def connection_made(self, transport: Any) -> None:
        """Limit the send buffer of the system."""
        super().connection_made(transport)
        limit_send_buffer(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release the timers and counters."""
        for timer in (self._write_timer, self._close_timer):
            if timer:
                timer.cancel()
        self._connections.clear_unread(self)
        self._connections.close(self)
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        """Run the application with this object in the scope (see `websocket_of`).

        Once the application has ended, the client has 15 s to read the rest.
        """
        self.scope["extensions"][_EXTENSION] = self  # type: ignore[assignment]  # not in ASGI
        try:
            await super().run_asgi()
        finally:
            self._app_done.set()
            if not self.disconnected:
                self._close_timer = self.loop.call_later(
                    _CLOSE_TIMEOUT_SECONDS, self.transport.abort
                )

    def abort(self) -> None:
        """Close the connection at once and discard unsent output."""
        self.transport.abort()

    async def end(self) -> None:
        """Wait until the application has ended; abort the connection after 1 s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_SECONDS):
                await self._app_done.wait()
        self.abort()
        await self._app_done.wait()

    def pause_writing(self) -> None:
        """Start the write timeout, and count the unread bytes."""
        super().pause_writing()
        self._write_timer = self._write_timer or self.loop.call_later(
            _WRITE_TIMEOUT_SECONDS, self.abort
        )
        self._note_unread()

    def resume_writing(self) -> None:
        """Stop the write timeout, as the client has read enough."""
        super().resume_writing()
        if self._write_timer:
            self._write_timer.cancel()
            self._write_timer = None
        self._connections.clear_unread(self)

    async def send(self, message: Any) -> None:
        """Send a message; mark a refusal as a complete handshake, else uvicorn logs an error."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    async def receive(self) -> Any:
        """Return the next message, once the client has read earlier output."""
        await self.writable.wait()
        return await super().receive()

    def handle_ping(self) -> None:
        """Send a pong; abort if the client does not read."""
        if self.transport.get_write_buffer_size() > _MAX_BUFFER_BYTES:
            self.transport.abort()
        else:
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        """Receive a continuation frame; abort if a message has too many."""
        if len(self.frames) < _MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self.transport.abort()

    def send_receive_event_to_app(self) -> None:
        """Pass on a message; abort on invalid UTF-8, for which uvicorn would log a traceback."""
        try:
            if self.curr_msg_data_type == "text":
                b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self.transport.abort()
        else:
            super().send_receive_event_to_app()

    def write(self, frame: bytes) -> None:
        """Write a frame; a client too far behind is aborted, and catches up on reconnect."""
        if self.close_sent or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > _MAX_BUFFER_BYTES:
            self.transport.abort()
        else:
            self.transport.write(frame)
            if self._write_timer:
                self._note_unread()

    def _note_unread(self) -> None:
        address = self.scope["client"][0] if self.scope["client"] else ""
        size = self.transport.get_write_buffer_size()
        self._connections.set_unread(self, address=address, size=size)


def limit_send_buffer(transport: Any) -> None:
    """Limit the send buffer of the system, whose content cannot be discarded."""
    if system_socket := transport.get_extra_info("socket"):
        system_socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)


def _reject(reject: Callable[..., Response], status: int, _text: str) -> Response:
    """Add the security headers to the response to an invalid WebSocket handshake."""
    response = reject(status, "")
    for name, value in ERROR_HEADERS:
        response.headers[name.decode()] = value.decode()
    return response


async def broadcast(event: str, data: object, *, room: str) -> int:
    """Send an event to every socket in a socket.io room; return the number of sockets."""
    encoded, number = _EncodedPacket(event, data), 0
    for number, (_, engine_id) in enumerate(core.sio.manager.get_participants("/", room), 1):
        if websocket := find_websocket(engine_id):
            websocket.write(encoded.frame)
        else:
            await _queue(engine_id, encoded.packet)
        if number % _WRITES_PER_BATCH == 0:
            await asyncio.sleep(0)
    return number


def find_websocket(engine_id: str) -> BroadcastWebSocket | None:
    """Return the WebSocket of a socket, or `None` if it polls or is closed."""
    return websocket_of(core.sio.environ.get(engine_id, {}).get("asgi.scope", {}))


def websocket_of(scope: Mapping[str, Any]) -> BroadcastWebSocket | None:
    """Return the WebSocket of an ASGI scope, if any."""
    websocket: BroadcastWebSocket | None = scope.get("extensions", {}).get(_EXTENSION)
    return websocket


async def close_if_stale(engine_id: str) -> None:
    """Close a polling socket with packets unpolled for over 5 s: their content may be expired."""
    since = _unpolled_since.pop(engine_id, None)
    polling = core.sio.eio.sockets.get(engine_id)
    if polling and since and time.monotonic() - since > _MAX_UNPOLLED_SECONDS:
        await polling.close(wait=False, abort=True)


def drop_socket_state(engine_id: str) -> None:
    """Drop the state of a closed socket."""
    _unpolled_since.pop(engine_id, None)


async def _queue(engine_id: str, packet: engine.Packet) -> None:
    polling = core.sio.eio.sockets.get(engine_id)
    if polling and not polling.closing:
        if polling.queue.qsize() < _MAX_QUEUED_PACKETS:
            polling.queue.put_nowait(packet)
            _unpolled_since.setdefault(engine_id, time.monotonic())
        else:
            await polling.close(wait=False, abort=True)  # do not wait for an unread queue


class _EncodedPacket:
    def __init__(self, event: str, data: object) -> None:
        self._text = core.sio.packet_class(packet.EVENT, data=[event, data], namespace="/").encode()

    @cached_property
    def packet(self) -> engine.Packet:
        return engine.Packet(engine.MESSAGE, self._text)

    @cached_property
    def frame(self) -> bytes:
        text = self.packet.encode().encode()
        return Frame(Opcode.TEXT, text).serialize(mask=False)

"""The lines to the screens: a packet is framed once and written to every socket that shall have it.

socket.io makes a task for each recipient of each packet, and engine.io another queue and another
frame. Nearly all the work of a chat is this, so what is the same for all is made once.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property, partial
from typing import Any

from engineio import packet as engine
from nicegui import core
from socketio import packet
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response

from ..connections import Connections
from ..headers import BARE

_BEHIND_MOST = 786_432  # bytes that wait for a reader, besides what the system keeps
_SYSTEM_KEEPS = 131_072
_QUEUED_MOST = 200
_LEFT_SECONDS = 5.0
_READER_SECONDS = 60.0
_END_SECONDS = 1.0
_CLOSE_SECONDS = 15.0
_PARTS_MOST = 100
_WRITES_AT_ONCE = 500

_left_since: dict[str, float] = {}  # when something was first left to be polled


class Line(WebSocketsSansIOProtocol):
    """The web socket of one screen."""

    def __init__(self, *given: Any, connections: Connections, **more: Any) -> None:
        super().__init__(*given, **more)
        self._connections = connections
        self._reader: asyncio.TimerHandle | None = None
        self._closing: asyncio.TimerHandle | None = None
        self._is_answered = asyncio.Event()
        self.conn.reject = partial(_reject, self.conn.reject)  # type: ignore[method-assign]

    def connection_made(self, transport: Any) -> None:
        """Begin; the system may not keep much more for a reader than we do."""
        super().connection_made(transport)
        keep_little(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        for timer in (self._reader, self._closing):
            if timer:
                timer.cancel()
        self._connections.forget_unread(self)
        self._connections.close(self)
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        """Let the application know of the line that it will be spoken to over.

        Once the application is done, whoever does not read the rest is not waited for.
        """
        self.scope["extensions"]["line"] = self  # type: ignore[assignment]  # no ASGI message
        try:
            await super().run_asgi()
        finally:
            self._is_answered.set()
            if not self.disconnected:
                self._closing = self.loop.call_later(_CLOSE_SECONDS, self.transport.abort)

    def abort(self) -> None:
        """Hang up."""
        self.transport.abort()

    async def end(self) -> None:
        """Wait until the application is done with the line; soon hang up if it is not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await self._is_answered.wait()
        self.abort()
        await self._is_answered.wait()

    def pause_writing(self) -> None:
        """Wait for one who does not read what they were sent, but not for ever."""
        super().pause_writing()
        self._reader = self._reader or self.loop.call_later(_READER_SECONDS, self.abort)
        self._note_unread()

    def resume_writing(self) -> None:
        """Go on."""
        super().resume_writing()
        if self._reader:
            self._reader.cancel()
            self._reader = None
        self._connections.forget_unread(self)

    async def send(self, message: Any) -> None:
        """Send a message; a refusal is an answer too, though uvicorn would complain of none."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    async def receive(self) -> Any:
        """Listen; but not to one who does not read what they have asked for before."""
        await self.writable.wait()
        return await super().receive()

    def handle_ping(self) -> None:
        """Answer, unless nobody reads the answers."""
        if self.transport.get_write_buffer_size() > _BEHIND_MOST:
            self.transport.abort()
        else:
            super().handle_ping()

    def handle_cont(self, event: Frame) -> None:
        """Take a part of a message, which may come in parts, but not in countless ones."""
        if len(self.frames) < _PARTS_MOST:
            super().handle_cont(event)
        else:
            self.transport.abort()

    def send_receive_event_to_app(self) -> None:
        """Take a message; one that is no text is not worth the lines that uvicorn would log."""
        try:
            if self.curr_msg_data_type == "text":
                b"".join(self.frames).decode()
        except UnicodeDecodeError:
            self.transport.abort()
        else:
            super().send_receive_event_to_app()

    def write(self, frame: bytes) -> None:
        """Send a frame; one who is too far behind is cut off, comes back and catches up."""
        if self.close_sent or self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() > _BEHIND_MOST:
            self.transport.abort()
        else:
            self.transport.write(frame)
            if self._reader:
                self._note_unread()

    def _note_unread(self) -> None:
        address = self.scope["client"][0] if self.scope["client"] else ""
        size = self.transport.get_write_buffer_size()
        self._connections.note_unread(self, address=address, size=size)


def keep_little(transport: Any) -> None:
    """Let the system keep little for a reader: what lies there cannot be taken back."""
    if end := transport.get_extra_info("socket"):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SYSTEM_KEEPS)


def _reject(reject: Callable[..., Response], status: int, _why: str) -> Response:
    """Answer what is no beginning of a web socket, as strictly as everything else."""
    response = reject(status, "")
    for name, value in BARE:
        response.headers[name.decode()] = value.decode()
    return response


async def send(event: str, data: object, *, room: str) -> int:
    """Send an event to every socket in a socket.io room; return how many there were."""
    parcel, number = _Parcel(event, data), 0
    for number, (_, engine_id) in enumerate(core.sio.manager.get_participants("/", room), 1):
        if line := find_line(engine_id):
            line.write(parcel.frame)
        else:
            await _queue(engine_id, parcel.packet)
        if number % _WRITES_AT_ONCE == 0:
            await asyncio.sleep(0)
    return number


def find_line(engine_id: str) -> Line | None:
    """Return the line of a socket, unless it is polling or gone."""
    environ = core.sio.environ.get(engine_id, {})
    line: Line | None = environ.get("asgi.scope", {}).get("extensions", {}).get("line")
    return line


async def end_if_late(engine_id: str) -> None:
    """End a polling socket that has left what it was sent for so long that it may have ended."""
    since = _left_since.pop(engine_id, None)
    polling = core.sio.eio.sockets.get(engine_id)
    if polling and since and time.monotonic() - since > _LEFT_SECONDS:
        await polling.close(wait=False, abort=True)


def forget(engine_id: str) -> None:
    """Know nothing of a socket that is closed."""
    _left_since.pop(engine_id, None)


async def _queue(engine_id: str, packet: engine.Packet) -> None:
    polling = core.sio.eio.sockets.get(engine_id)
    if polling and not polling.closing:
        if polling.queue.qsize() < _QUEUED_MOST:
            polling.queue.put_nowait(packet)
            _left_since.setdefault(engine_id, time.monotonic())
        else:
            await polling.close(wait=False, abort=True)  # else until the reader has read all


class _Parcel:
    def __init__(self, event: str, data: object) -> None:
        self._text = core.sio.packet_class(packet.EVENT, data=[event, data], namespace="/").encode()

    @cached_property
    def packet(self) -> engine.Packet:
        return engine.Packet(engine.MESSAGE, self._text)

    @cached_property
    def frame(self) -> bytes:
        text = self.packet.encode().encode()
        return Frame(Opcode.TEXT, text).serialize(mask=False)

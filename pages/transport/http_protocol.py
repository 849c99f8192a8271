"""uvicorn's HTTP protocol with timeouts and size limits for requests and unread responses."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from anonchat import client_networks

from ..http.asset_cache import ASSET_PATHS
from ..http.security_headers import ERROR_HEADERS
from .connections import Connections
from .websocket import BroadcastWebSocket, limit_send_buffer

_HEAD_TIMEOUT_SECONDS = 10.0
_BODY_TIMEOUT_SECONDS = 20.0
_WRITE_TIMEOUT_SECONDS = 60.0
_MAX_HEAD_BYTES = 65_536
_MAX_PIPELINED_REQUESTS = 10
_APP_BUFFER_BYTES = 131_072  # of a response, held by the layers above a slow connection
_MAX_REQUEST_BYTES = 1_048_576  # read by the application or not


class PendingConnections:
    """Connections whose request is incomplete.

    Over the limit, the oldest of the network that has the most is closed.
    """

    def __init__(self, limit: int, connections: Connections) -> None:
        self.connections = connections
        self._limit = limit
        self._waiting: dict[TimeoutHttpProtocol, None] = {}
        self._by_network: dict[str, dict[TimeoutHttpProtocol, None]] = {}

    def __call__(self, **kwargs: Any) -> "TimeoutHttpProtocol":
        """Create an HTTP protocol; a uvicorn protocol factory."""
        return TimeoutHttpProtocol(self, **kwargs)

    def open_websocket(self, **kwargs: Any) -> BroadcastWebSocket:
        """Create a WebSocket protocol; a uvicorn protocol factory."""
        return BroadcastWebSocket(connections=self.connections, **kwargs)

    def __len__(self) -> int:
        return len(self._waiting)

    def open(self, protocol: "TimeoutHttpProtocol", address: str) -> None:
        """Count a new connection; over a limit, refuse the oldest without a complete request."""
        exceeded = self.connections.open(protocol, address)
        if exceeded is None:
            return
        waiting = self._by_network.get(exceeded, {}) if exceeded else self._waiting
        self.connections.refuse(next(iter(waiting), protocol))

    def add(self, protocol: "TimeoutHttpProtocol") -> None:
        """Add a connection that waits for a request."""
        self._waiting[protocol] = None
        for network in protocol.networks:
            self._by_network.setdefault(network, {})[protocol] = None
        if len(self._waiting) > self._limit:
            largest = max(self._by_network.values(), key=len, default=self._waiting)
            next(iter(largest)).close()

    def remove(self, protocol: "TimeoutHttpProtocol") -> None:
        """Remove a connection."""
        if protocol not in self._waiting:
            return
        del self._waiting[protocol]
        for network in protocol.networks:
            del self._by_network[network][protocol]
            if not self._by_network[network]:
                del self._by_network[network]


class TimeoutHttpProtocol(HttpToolsProtocol):
    """An HTTP connection with timeouts for incomplete requests and unread responses.

    uvicorn limits neither the duration nor the size of an incomplete request.
    """

    def __init__(self, pending: PendingConnections, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pending = pending
        self._deadline: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._received_bytes = 0
        self._max_bytes = _MAX_HEAD_BYTES
        self._unanswered: list[Any] = []
        self.networks: tuple[str, ...] = ()

    def connection_made(self, transport: Any) -> None:
        """Count the connection and start the deadline for the request head."""
        super().connection_made(transport)
        limit_send_buffer(transport)
        address = self.client[0] if self.client else ""
        self.networks = tuple(name for name, _ in client_networks(address))
        self._pending.open(self, address)
        if not transport.is_closing():
            self._start_deadline(_HEAD_TIMEOUT_SECONDS, max_bytes=_MAX_HEAD_BYTES)

    def connection_lost(self, exc: Exception | None) -> None:
        """Release everything; ends all unanswered requests, as uvicorn ends the last one only."""
        self._clear_deadline()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self.pipeline.clear()
        self.resume_writing()
        if self._write_timer:
            self._write_timer.cancel()
        self._pending.connections.close(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive data; limit the size of an incomplete request."""
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._start_deadline(_HEAD_TIMEOUT_SECONDS, max_bytes=_MAX_HEAD_BYTES)
        super().data_received(data)
        if self._deadline:
            self._received_bytes += len(data)
            if self._received_bytes > self._max_bytes:
                self.close()

    def on_message_begin(self) -> None:
        """Start the deadline of a request, which may be pipelined after an unanswered one."""
        super().on_message_begin()
        if self._deadline is None:
            self._start_deadline(_HEAD_TIMEOUT_SECONDS, max_bytes=_MAX_HEAD_BYTES)

    def on_headers_complete(self) -> None:
        """Start the deadline of the body; limit the number of pipelined requests."""
        super().on_headers_complete()
        self._start_deadline(_BODY_TIMEOUT_SECONDS, max_bytes=_MAX_REQUEST_BYTES)
        self._unanswered = [cycle for cycle in self._unanswered if not cycle.response_complete]
        if self.cycle and not self.cycle.response_complete and self.cycle not in self._unanswered:
            self._unanswered.append(self.cycle)
        if len(self._unanswered) > _MAX_PIPELINED_REQUESTS:
            self.abort()

    def on_message_complete(self) -> None:
        """Clear the deadline of a complete request."""
        self._clear_deadline()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand over to a `BroadcastWebSocket`; abort if earlier requests are unanswered."""
        self._clear_deadline()
        if any(not cycle.response_complete for cycle in self._unanswered):
            self.abort()
            return
        self.resume_writing()
        super().handle_websocket_upgrade()
        self._pending.connections.replace(
            self, cast(BroadcastWebSocket, self.transport.get_protocol())
        )

    def send_400_response(self, msg: str) -> None:
        """Send status 400 with the security headers, and close."""
        headers = [*ERROR_HEADERS, (b"content-length", b"0"), (b"connection", b"close")]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[400], *lines, b"\r\n"]))
        self.transport.close()

    def pause_writing(self) -> None:
        """Start the write timeout, and count the unread bytes."""
        super().pause_writing()
        self._start_write_timer()
        unanswered = (cycle for cycle in self._unanswered if not cycle.response_complete)
        cycle = next(unanswered, self.cycle)  # the first pipelined request is answered first
        scope: Any = cycle.scope if cycle else {"client": self.client, "path": ""}
        client, is_asset = scope["client"], scope["path"].startswith(ASSET_PATHS)
        buffered = 0 if is_asset else _APP_BUFFER_BYTES  # asset bodies are shared
        size = self.transport.get_write_buffer_size() + buffered
        self._pending.connections.set_unread(self, address=client[0] if client else "", size=size)

    def resume_writing(self) -> None:
        """Stop the write timeout, as the client has read enough."""
        self._pending.connections.clear_unread(self)
        if self._write_timer and not self.transport.is_closing():
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Start the write timeout if the connection closes after this response."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._start_write_timer()

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection; the write timeout limits the rest of the output."""
        super().timeout_keep_alive_handler()
        self._start_write_timer()

    def abort(self) -> None:
        """Close the connection at once and discard unsent output."""
        self._clear_deadline()
        self.transport.abort()

    def close(self) -> None:
        """Close the connection; the write timeout limits the rest of the output."""
        self._clear_deadline()
        self.transport.close()
        self._start_write_timer()

    def _start_write_timer(self) -> None:
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(_WRITE_TIMEOUT_SECONDS, self.abort)

    def _start_deadline(self, seconds: float, *, max_bytes: int) -> None:
        self._clear_deadline()
        self._received_bytes, self._max_bytes = 0, max_bytes
        self._deadline = self.loop.call_later(seconds, self.close)
        self._pending.add(self)

    def _clear_deadline(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
            self._pending.remove(self)

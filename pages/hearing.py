"""How long a connection is heard before it has said what it wants."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from anonchat import client_networks

from .asset_cache import ASSETS
from .connections import Connections
from .headers import BARE
from .live.lines import Line, keep_little

_HEAD_SECONDS = 10.0
_BODY_SECONDS = 20.0
_READER_SECONDS = 60.0
_HEAD_MOST = 65_536
_PIPELINED_MOST = 10
_LAYERS_KEEP = 131_072  # bytes of an answer that wait in the layers above a slow connection
_ABSENT = object()
_WHOLE_MOST = (
    1_048_576  # bytes of one request, read or not: beyond that, who sends is not heard out
)


class Crowd:
    """Everybody whose request is not complete yet; of too many, the one who waits longest goes."""

    def __init__(self, most: int, connections: Connections) -> None:
        self.connections = connections
        self._most = most
        self._waiting: dict[Hearing, None] = {}
        self._by_network: dict[str, dict[Hearing, None]] = {}

    def __call__(self, **given: Any) -> "Hearing":
        """Begin to hear a connection, as uvicorn makes its protocols."""
        return Hearing(self, **given)

    def open_line(self, **given: Any) -> Line:
        """Begin a web socket, as uvicorn makes its protocols."""
        return Line(connections=self.connections, **given)

    def __len__(self) -> int:
        return len(self._waiting)

    def admit(self, hearing: "Hearing", address: str) -> None:
        """Count a new connection; of too many in a network, one that asks for nothing gives way."""
        crowded = self.connections.open(hearing, address)
        if crowded is None:
            return
        waiting = self._by_network.get(crowded, {}) if crowded else self._waiting
        self.connections.refuse(next(iter(waiting), hearing))

    def enter(self, hearing: "Hearing") -> None:
        """Wait for a request."""
        self._waiting[hearing] = None
        for network in hearing.networks:
            self._by_network.setdefault(network, {})[hearing] = None
        if len(self._waiting) > self._most:
            largest = max(self._by_network.values(), key=len, default=self._waiting)
            next(iter(largest)).give_up()

    def leave(self, hearing: "Hearing") -> None:
        """Wait no more."""
        if self._waiting.pop(hearing, _ABSENT) is _ABSENT:
            return
        for network in hearing.networks:
            del self._by_network[network][hearing]
            if not self._by_network[network]:
                del self._by_network[network]


class Hearing(HttpToolsProtocol):
    """One connection; whoever does not finish a request, or read the answer, is not waited for.

    uvicorn bounds neither the time nor the size of what comes before a request is complete.
    """

    def __init__(self, crowd: Crowd, **given: Any) -> None:
        super().__init__(**given)
        self._crowd = crowd
        self._deadline: asyncio.TimerHandle | None = None
        self._reader: asyncio.TimerHandle | None = None
        self._size = 0
        self._most = _HEAD_MOST
        self._unanswered: list[Any] = []
        self.networks: tuple[str, ...] = ()

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(transport)
        keep_little(transport)
        address = self.client[0] if self.client else ""
        self.networks = tuple(name for name, _ in client_networks(address))
        self._crowd.admit(self, address)
        if not transport.is_closing():
            self._wait(_HEAD_SECONDS, most=_HEAD_MOST)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; whatever is answered still ends too, though uvicorn tells only the last request."""
        self._settle()
        for cycle in self._unanswered:
            cycle.disconnected = True
            cycle.message_event.set()
        self.pipeline.clear()
        self.resume_writing()
        if self._reader:
            self._reader.cancel()
        self._crowd.connections.close(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Hear a piece."""
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._wait(_HEAD_SECONDS, most=_HEAD_MOST)
        super().data_received(data)
        if self._deadline:
            self._size += len(data)
            if self._size > self._most:
                self.give_up()

    def on_message_begin(self) -> None:
        """Hear that a request begins; it may follow one that is not answered yet."""
        super().on_message_begin()
        if self._deadline is None:
            self._wait(_HEAD_SECONDS, most=_HEAD_MOST)

    def on_headers_complete(self) -> None:
        """Hear what is wanted; the rest may take a little longer."""
        super().on_headers_complete()
        self._wait(_BODY_SECONDS, most=_WHOLE_MOST)
        self._unanswered = [each for each in self._unanswered if not each.response_complete]
        if self.cycle and not self.cycle.response_complete and self.cycle not in self._unanswered:
            self._unanswered.append(self.cycle)
        if len(self._unanswered) > _PIPELINED_MOST:
            self.abort()

    def on_message_complete(self) -> None:
        """Hear the end."""
        self._settle()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Let a `Line` go on; no browser asks for one before it has its other answers."""
        self._settle()
        if any(not cycle.response_complete for cycle in self._unanswered):
            self.abort()
            return
        self.resume_writing()
        super().handle_websocket_upgrade()
        self._crowd.connections.hand_over(self, cast(Line, self.transport.get_protocol()))

    def send_400_response(self, msg: str) -> None:
        """Say that this is no request, with the headers of every answer."""
        headers = [*BARE, (b"content-length", b"0"), (b"connection", b"close")]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[400], *lines, b"\r\n"]))
        self.transport.close()

    def pause_writing(self) -> None:
        """Wait for one who does not read what they have asked for, but not for ever."""
        super().pause_writing()
        self._watch_reader()
        unanswered = (each for each in self._unanswered if not each.response_complete)
        cycle = next(unanswered, self.cycle)  # of several, the first is being answered
        scope: Any = cycle.scope if cycle else {"client": self.client, "path": ""}
        client, is_asset = scope["client"], scope["path"].startswith(ASSETS)
        kept = 0 if is_asset else _LAYERS_KEEP  # all who ask for an asset share it
        size = self.transport.get_write_buffer_size() + kept
        self._crowd.connections.note_unread(self, address=client[0] if client else "", size=size)

    def resume_writing(self) -> None:
        """Go on."""
        self._crowd.connections.forget_unread(self)
        if self._reader and not self.transport.is_closing():
            self._reader.cancel()
            self._reader = None
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Go on; if this was the last answer, its reader has a while to take the rest."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()

    def timeout_keep_alive_handler(self) -> None:
        """Wait for no other request; the reader has a while to take the rest."""
        super().timeout_keep_alive_handler()
        self._watch_reader()

    def abort(self) -> None:
        """Hang up."""
        self._settle()
        self.transport.abort()

    def give_up(self) -> None:
        """Hear no more; the reader has a while to take the rest."""
        self._settle()
        self.transport.close()
        self._watch_reader()

    def _watch_reader(self) -> None:
        if self._reader is None:
            self._reader = self.loop.call_later(_READER_SECONDS, self.abort)

    def _wait(self, seconds: float, *, most: int) -> None:
        self._settle()
        self._size, self._most = 0, most
        self._deadline = self.loop.call_later(seconds, self.give_up)
        self._crowd.enter(self)

    def _settle(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None
            self._crowd.leave(self)

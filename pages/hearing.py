"""How long a connection is heard before it has said what it wants."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from .headers import NOTHING, STRICT
from .live.lines import keep_little

_HEAD_SECONDS = 10.0
_BODY_SECONDS = 20.0
_READER_SECONDS = 60.0
_HEAD_MOST = 65_536
_WHOLE_MOST = (
    1_048_576  # bytes of one request, read or not: beyond that, who sends is not heard out
)


class Crowd:
    """Everybody whose request is not complete yet; of too many, the one who waits longest goes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Hearing, None] = {}

    def __call__(self, **given: Any) -> "Hearing":
        """Begin to hear a connection, as uvicorn makes its protocols."""
        return Hearing(self, **given)

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, hearing: "Hearing") -> None:
        """Wait for a request."""
        self._waiting[hearing] = None
        if len(self._waiting) > self._most:
            next(iter(self._waiting)).give_up()

    def leave(self, hearing: "Hearing") -> None:
        """Wait no more."""
        self._waiting.pop(hearing, None)


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

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(transport)
        keep_little(transport)
        self._wait(_HEAD_SECONDS, most=_HEAD_MOST)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._settle()
        self.resume_writing()
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

    def on_message_complete(self) -> None:
        """Hear the end."""
        self._settle()
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Let a `Line` go on."""
        self._settle()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no request, with the headers of every answer."""
        headers = [*STRICT, NOTHING, (b"content-length", b"0"), (b"connection", b"close")]
        lines = [name + b": " + value + b"\r\n" for name, value in headers]
        self.transport.write(b"".join([STATUS_LINE[400], *lines, b"\r\n"]))
        self.transport.close()

    def pause_writing(self) -> None:
        """Wait for one who does not read what they have asked for, but not for ever."""
        super().pause_writing()
        self._reader = self.loop.call_later(_READER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on."""
        if self._reader:
            self._reader.cancel()
            self._reader = None
        super().resume_writing()

    def give_up(self) -> None:
        """Hear no more."""
        self._settle()
        self.transport.close()

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

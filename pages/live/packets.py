"""The requests and web sockets of engine.io, checked before engine.io reads them."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..origins import SOCKETS
from .engine import EngineSockets
from .lines import Line, end_if_late

_PATH = f"{SOCKETS}socket.io/"
_FIELDS_MOST = 20
_SEPARATOR = "\x1e"
_AT_ONCE = 16
_ANSWER_SECONDS = 30.0  # engine.io pings every 16 s, so a poll never waits for longer than that
_UPGRADE_SECONDS = 10.0
_UPGRADE = ("2probe", "5")
_SAYING = re.compile(r'[01](?:\{|$)|2\d{0,9}\["(?:event|ack|handshake|javascript_response|log)",')


class Packets:
    """Lets only what engine.io's own client sends through to engine.io.

    What else is polled is answered with 400, what else comes over a web socket ends it, and the
    socket that it was for is cut. engine.io would wait for ever with the answer to some of it, log
    more of it at length, and keep the socket in memory. Every polled request is answered in
    `_ANSWER_SECONDS` at the latest; a socket whose client hangs up while it polls is cut.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        engine: EngineSockets,
        cut: Callable[[str], None],
        refused: Counter[str],
    ) -> None:
        self._app = app
        self._engine = engine
        self._cut = cut
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(SOCKETS):
            await self._app(scope, receive, send)
            return
        engine_id = read_engine_id(scope)
        if engine_id is None:
            await _refuse(scope, send)
        elif scope["type"] == "websocket":
            if engine_id:
                await self._upgrade(engine_id, scope, receive, send)
            else:
                check = _WebSocketCheck(receive, send, self._refused)
                await self._app(scope, check.receive, check.send)
        elif scope["method"] == "POST":
            await self._post(engine_id, scope, receive, send)
        elif engine_id:
            await self._poll(engine_id, scope, receive, send)
        else:
            await self._app(_bare(scope), receive, send)

    async def _poll(self, engine_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for what there is for a socket; a browser sends one at a time."""
        if self._engine.find_polling(engine_id) is None:
            await _refuse(scope, send)
        elif self._engine.is_polled(engine_id):
            await self._refuse_malformed(engine_id, scope, send)
        else:
            await end_if_late(engine_id)
            await self._serve(engine_id, scope, b"", receive, send)

    async def _post(self, engine_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what a browser says; each of its packets is checked before any is read."""
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        socket = self._engine.find_polling(engine_id)
        if not are_polled(body, pinged=bool(socket and socket.last_ping)):
            await self._refuse_malformed(engine_id, scope, send)
        elif socket is None:
            await _refuse(scope, send)
        else:
            await self._serve(engine_id, scope, body, receive, send)

    async def _serve(
        self, engine_id: str, scope: Scope, body: bytes, receive: Receive, send: Send
    ) -> None:
        """Let engine.io answer a polled request, for as long as somebody waits for it."""
        answer = _Answer(send)
        work = asyncio.ensure_future(self._app(_bare(scope, body), _repeat(body), answer.send))
        leaving = asyncio.ensure_future(_wait_until_gone(receive))
        either = {work, leaving}
        is_poll = scope["method"] == "GET"
        with self._engine.serving(engine_id, work, poll=is_poll) as answer.on_complete:
            try:
                await asyncio.wait(
                    either, timeout=_ANSWER_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if answer.has_begun:  # who does not read it is not waited for (`Hearing`)
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not answer.is_complete:
                    self._cut(engine_id)
                    work.cancel()
                await asyncio.wait([work])
            finally:
                leaving.cancel()
                work.cancel()
        if not work.cancelled():
            work.result()
        if not answer.has_begun:
            await _refuse(scope, send)

    async def _upgrade(self, engine_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a polling socket change to a web socket: one, and in time."""
        socket = self._engine.find_polling(engine_id)
        line: Line | None = scope["extensions"].get("line")
        if socket is None or line is None or self._engine.has_line(engine_id):
            await _refuse(scope, send)
            return

        def give_up() -> None:
            if not socket.upgraded:
                line.abort()

        timer = asyncio.get_running_loop().call_later(_UPGRADE_SECONDS, give_up)
        check = _WebSocketCheck(receive, send, self._refused, first=_UPGRADE)
        try:
            with self._engine.upgrading(socket, line):
                await self._app(scope, check.receive, check.send)
        finally:
            timer.cancel()

    async def _refuse_malformed(self, engine_id: str, scope: Scope, send: Send) -> None:
        self._refused["malformed"] += 1
        self._cut(engine_id)
        await _refuse(scope, send)


class _WebSocketCheck:
    """Ends a web socket unless it says `first`, then messages, and a pong for each ping."""

    def __init__(
        self, receive: Receive, send: Send, refused: Counter[str], *, first: tuple[str, ...] = ()
    ) -> None:
        self._receive = receive
        self._send = send
        self._refused = refused
        self._first = list(first)
        self._pongs_due = 1 if first else 0  # the last ping may have been polled

    async def receive(self) -> Message:
        """Return what comes in."""
        message = await self._receive()
        if message["type"] != "websocket.receive" or self._is_expected(message.get("text")):
            return message
        self._refused["malformed"] += 1
        return {"type": "websocket.disconnect", "code": 1002}

    async def send(self, message: Message) -> None:
        """Send a message, and count the pings."""
        if message.get("text") == "2":
            self._pongs_due += 1
        await self._send(message)

    def _is_expected(self, text: str | None) -> bool:
        if self._first:
            return text == self._first.pop(0)
        if text == "3":
            self._pongs_due -= 1
            return self._pongs_due >= 0
        return text is not None and (text == "1" or text.startswith("4"))


class _Answer:
    def __init__(self, send: Send) -> None:
        self.has_begun = False
        self.is_complete = False
        self.on_complete: Callable[[], None] = _do_nothing
        self._send = send

    async def send(self, message: Message) -> None:
        self.has_begun = True
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)
        if is_last:
            self.is_complete = True
            self.on_complete()


def is_saying(packet: object) -> bool:
    """Tell whether that is what our pages say: beginning, ending, or an event that has a handler.

    Other names would reach the handlers that socket.io keeps for itself.
    """
    return isinstance(packet, str) and _SAYING.match(packet) is not None


def are_polled(body: bytes, *, pinged: bool) -> bool:
    """Tell whether a browser posts these packets: messages, a pong if `pinged`, an end as the last.

    >>> [are_polled(body, pinged=True) for body in (b"40", b"3", b"1", b"2", b"6", b"")]
    [True, True, True, False, False, False]
    """
    try:
        packets = body.decode().split(_SEPARATOR)
    except UnicodeDecodeError:
        return False
    if packets[-1] == "1":
        packets.pop()
    pongs = packets.count("3")
    rest = [packet for packet in packets if packet != "3"]
    return (
        len(packets) <= _AT_ONCE
        and pongs <= pinged
        and all(packet.startswith("4") and is_saying(packet[1:]) for packet in rest)
    )


def read_engine_id(scope: Scope) -> str | None:
    """Return the socket that a request is for, "" for a new one, and `None` if it is no request."""
    transport = "websocket" if scope["type"] == "websocket" else "polling"
    with suppress(ValueError):
        query = parse_qs(
            scope["query_string"].decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=_FIELDS_MOST,
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


def _bare(scope: Scope, body: bytes = b"") -> Scope:
    """Return a request with the length of its body, and without its wish to become a web socket.

    engine.io would believe the wish, which uvicorn has granted or refused, and answer nothing.
    """
    headers = [pair for pair in scope["headers"] if pair[0] not in (b"upgrade", b"content-length")]
    length = (b"content-length", str(len(body)).encode())
    packets = body.count(_SEPARATOR.encode()) + 1 if body else 0
    return {**scope, "headers": [*headers, length], "packets": packets, "length": len(body)}


def _repeat(body: bytes) -> Receive:
    """Return what gives a body that was read before, and then nothing."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not unread:
            await asyncio.get_running_loop().create_future()
        return unread.pop()

    return receive


def _do_nothing() -> None:
    pass


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 400, "headers": headers})
    await send({"type": "http.response.body", "body": b""})

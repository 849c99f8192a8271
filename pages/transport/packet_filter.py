"""Validation of engine.io requests and WebSocket messages before engine.io reads them."""

import asyncio
from collections import Counter
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..http.cross_origin import SOCKET_PATH
from ..http.refusal import refuse
from .engine import EngineSockets
from .packets import SEPARATOR, is_valid_post_body, read_engine_id
from .websocket import close_if_stale, websocket_of

_RESPONSE_TIMEOUT_SECONDS = 30.0  # engine.io pings every 16 s, so no poll takes longer than that
_UPGRADE_TIMEOUT_SECONDS = 10.0
_UPGRADE_PACKETS = ("2probe", "5")


class PacketFilterMiddleware:
    """Passes on only the requests and messages that engine.io's own client sends.

    Other polling requests are answered with 400; other WebSocket messages close the WebSocket. The
    socket concerned is closed. engine.io would leave some of them unanswered, log others at length,
    and keep the socket in memory. Every polling request is answered within
    `_RESPONSE_TIMEOUT_SECONDS`. A socket whose client disconnects during a poll is closed.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        engine: EngineSockets,
        close_socket: Callable[[str], None],
        refused: Counter[str],
    ) -> None:
        self._app = app
        self._engine = engine
        self._close_socket = close_socket
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan" or not scope["path"].startswith(SOCKET_PATH):
            await self._app(scope, receive, send)
            return
        engine_id = read_engine_id(scope)
        if engine_id is None:
            await refuse(scope, send, 400)
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
            await self._app(_rewrite_headers(scope), receive, send)

    async def _poll(self, engine_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a poll for the packets of a socket; a browser sends one at a time."""
        if self._engine.find_polling(engine_id) is None:
            await refuse(scope, send, 400)
        elif self._engine.is_polled(engine_id):
            await self._refuse_malformed(engine_id, scope, send)
        else:
            await close_if_stale(engine_id)
            await self._serve(engine_id, scope, b"", receive, send)

    async def _post(self, engine_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve posted packets; all are checked before engine.io reads any."""
        body, more_body = b"", True
        while more_body:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more_body = message.get("more_body", False)
        socket = self._engine.find_polling(engine_id)
        if not is_valid_post_body(body, pinged=bool(socket and socket.last_ping)):
            await self._refuse_malformed(engine_id, scope, send)
        elif socket is None:
            await refuse(scope, send, 400)
        else:
            await self._serve(engine_id, scope, body, receive, send)

    async def _serve(
        self, engine_id: str, scope: Scope, body: bytes, receive: Receive, send: Send
    ) -> None:
        """Let engine.io answer a polling request until the client disconnects or it times out."""
        response = _Response(send)
        work = asyncio.ensure_future(
            self._app(_rewrite_headers(scope, body), _replay(body), response.send)
        )
        disconnect = asyncio.ensure_future(_wait_for_disconnect(receive))
        either = {work, disconnect}
        is_poll = scope["method"] == "GET"
        with self._engine.track_request(engine_id, work, poll=is_poll) as response.on_complete:
            try:
                await asyncio.wait(
                    either, timeout=_RESPONSE_TIMEOUT_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if response.has_started:  # `TimeoutHttpProtocol` limits how long sending it takes
                    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if not response.is_complete:
                    self._close_socket(engine_id)
                    work.cancel()
                await asyncio.wait([work])
            finally:
                disconnect.cancel()
                work.cancel()
        if not work.cancelled():
            work.result()
        if not response.has_started:
            await refuse(scope, send, 400)

    async def _upgrade(self, engine_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Upgrade a polling socket to one WebSocket, within `_UPGRADE_TIMEOUT_SECONDS`."""
        socket = self._engine.find_polling(engine_id)
        websocket = websocket_of(scope)
        if socket is None or websocket is None or self._engine.has_websocket(engine_id):
            await refuse(scope, send, 400)
            return

        def abort_if_late() -> None:
            if not socket.upgraded:
                websocket.abort()

        timer = asyncio.get_running_loop().call_later(_UPGRADE_TIMEOUT_SECONDS, abort_if_late)
        check = _WebSocketCheck(receive, send, self._refused, first=_UPGRADE_PACKETS)
        try:
            with self._engine.track_upgrade(socket, websocket):
                await self._app(scope, check.receive, check.send)
        finally:
            timer.cancel()

    async def _refuse_malformed(self, engine_id: str, scope: Scope, send: Send) -> None:
        self._refused["malformed"] += 1
        self._close_socket(engine_id)
        await refuse(scope, send, 400)


class _WebSocketCheck:
    """Disconnects unless it receives `first`, then messages and at most one pong per ping."""

    def __init__(
        self, receive: Receive, send: Send, refused: Counter[str], *, first: tuple[str, ...] = ()
    ) -> None:
        self._receive = receive
        self._send = send
        self._refused = refused
        self._first = list(first)
        self._expected_pongs = 1 if first else 0  # the last ping may have been sent in a poll

    async def receive(self) -> Message:
        """Return the next message; a disconnect instead of an unexpected one."""
        message = await self._receive()
        if message["type"] != "websocket.receive" or self._is_expected(message.get("text")):
            return message
        self._refused["malformed"] += 1
        return {"type": "websocket.disconnect", "code": 1002}

    async def send(self, message: Message) -> None:
        """Send a message; count the pings."""
        if message.get("text") == "2":
            self._expected_pongs += 1
        await self._send(message)

    def _is_expected(self, text: str | None) -> bool:
        if self._first:
            return text == self._first.pop(0)
        if text == "3":
            self._expected_pongs -= 1
            return self._expected_pongs >= 0
        return text is not None and (text == "1" or text.startswith("4"))


class _Response:
    def __init__(self, send: Send) -> None:
        self.has_started = False
        self.is_complete = False
        self.on_complete: Callable[[], None] = _do_nothing
        self._send = send

    async def send(self, message: Message) -> None:
        self.has_started = True
        is_last = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)
        if is_last:
            self.is_complete = True
            self.on_complete()


def _rewrite_headers(scope: Scope, body: bytes = b"") -> Scope:
    """Return the scope with the length of the body and without the `Upgrade` header.

    uvicorn has handled the upgrade already; engine.io would act on the header and not answer.
    """
    headers = [pair for pair in scope["headers"] if pair[0] not in (b"upgrade", b"content-length")]
    length = (b"content-length", str(len(body)).encode())
    packets = body.count(SEPARATOR.encode()) + 1 if body else 0
    return {**scope, "headers": [*headers, length], "packets": packets, "length": len(body)}


def _replay(body: bytes) -> Receive:
    """Return a `receive` that yields a body read before, and then blocks."""
    unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not unread:
            await asyncio.get_running_loop().create_future()
        return unread.pop()

    return receive


def _do_nothing() -> None:
    pass


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

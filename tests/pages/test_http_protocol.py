"""Timeouts and limits of HTTP connections: slow requests, slow readers, crowded networks."""

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from anonchat import Settings
from pages.http.asset_cache import AssetCacheMiddleware
from pages.transport import http_protocol
from pages.transport.connections import Connections
from pages.transport.http_protocol import PendingConnections
from tests.pages.tab import wait_until
from tests.timeouts import DEADLINE

_SHORT = 0.2
_OVERSIZED_BYTES = 3_000_000
_REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nhi"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class RunningServer:
    """A server that answers every request, and its state."""

    def __init__(self, max_pending: int, **settings: object) -> None:
        self.refused: Counter[str] = Counter()
        self.connections = Connections(Settings.model_validate(settings), refused=self.refused)
        self.pending = PendingConnections(max_pending, self.connections)
        self.pending_counts: list[int] = []
        self.port = 0
        self.disconnected = False
        self.long_body = b"x" * 400_000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        self.pending_counts.append(len(self.pending))
        cacheable = (b"cache-control", b"max-age=1")
        await send({"type": "http.response.start", "status": 200, "headers": [cacheable]})
        if scope["path"] == "/endless":
            await self._send_endless_body(receive, send)
        if scope["path"].startswith(("/long", "/assets/long")):
            # more than the socket buffer, less than the limit that delays writes
            await send({"type": "http.response.body", "body": self.long_body, "more_body": True})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _send_endless_body(self, receive: Receive, send: Send) -> None:
        disconnecting = asyncio.ensure_future(receive())
        while not disconnecting.done():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        self.disconnected = True

    async def connect(self) -> Connection:
        """Open a connection."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def running_server(
    max_pending: int = 100, **settings: object
) -> AsyncIterator[RunningServer]:
    server = RunningServer(max_pending, **settings)
    config = uvicorn.Config(
        AssetCacheMiddleware(server),
        http=server.pending,  # type: ignore[arg-type]
        lifespan="off",
        log_config=None,
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    uvicorn_server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.port = listener.getsockname()[1]
        serving = asyncio.create_task(uvicorn_server.serve([listener]))
        yield server
        uvicorn_server.should_exit = True
        await serving


@pytest.fixture
async def server() -> AsyncIterator[RunningServer]:
    async with running_server() as server:
        yield server


@pytest.fixture
def short_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "_HEAD_TIMEOUT_SECONDS", _SHORT)
    monkeypatch.setattr(http_protocol, "_BODY_TIMEOUT_SECONDS", _SHORT)


async def _read_until_closed(
    connection: Connection, send: Callable[[], Awaitable[None]] | None = None
) -> bytes:
    """Read until the server closes, calling `send` repeatedly; return the bytes received."""
    reader, writer = connection
    received: list[bytes] = []

    async def receive() -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65_536):
                received.append(piece)

    async with asyncio.timeout(DEADLINE):
        receiving = asyncio.create_task(receive())
        while send and not receiving.done():
            await send()
            await asyncio.wait([receiving], timeout=0.01)
        await receiving
    writer.close()
    return b"".join(received)


@pytest.mark.usefixtures("short_timeouts")
async def test_connection_without_request_is_closed(server: RunningServer) -> None:
    assert await _read_until_closed(await server.connect()) == b""


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"", b"\r\n"),
        (b"GET / HT", b""),
        (b"GET / HTTP/1.1\r\nX-A: ", b"a"),
        (b"GET / HTTP/1.1\r\n", b"X-A: a\r\n"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", b"a"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (_REQUEST, b"\r\n"),
        (_REQUEST + b"GET / HTTP/1.1\r\n", b"X-A: a\r\n"),
        (_REQUEST * 3 + b"GET / HTTP/1.1\r\n", b"X-A: a\r\n"),
    ],
)
@pytest.mark.usefixtures("short_timeouts")
async def test_incomplete_request_is_closed(
    server: RunningServer, begin: bytes, piece: bytes
) -> None:
    _, writer = connection = await server.connect()
    writer.write(begin)

    async def drip() -> None:
        writer.write(piece)

    received = await _read_until_closed(connection, drip)
    assert received.count(b"HTTP/1.1 200 OK") == begin.count(b"hi")
    assert not len(server.pending)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET / HTTP/1.1\r\nX-A: ", b"a" * 10_000),
        (b"GET / HTTP/1.1\r\n", b"X-A: a\r\n" * 1_000),
        (b"GET /", b"a" * 10_000),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
            b"a" * 50_000,
        ),
    ],
    ids=["one header", "many headers", "address", "trailer"],
)
async def test_oversized_headers_are_refused(
    server: RunningServer, begin: bytes, piece: bytes
) -> None:
    _, writer = connection = await server.connect()
    writer.write(begin)

    sent = 0

    async def flood() -> None:
        nonlocal sent
        sent += len(piece)
        assert sent < _OVERSIZED_BYTES
        writer.write(piece)

    await _read_until_closed(connection, flood)
    assert not len(server.pending)


async def test_keep_alive_connection_answers_every_request(server: RunningServer) -> None:
    reader, writer = await server.connect()
    for _ in range(3):
        writer.write(_REQUEST)
        async with asyncio.timeout(DEADLINE):
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    # a connection that awaits its response is not pending
    assert server.pending_counts == [0, 0, 0]
    writer.close()


async def test_oldest_pending_connection_is_closed_when_full() -> None:
    async with running_server(max_pending=10) as server:
        first = await server.connect()
        others = [await server.connect() for _ in range(9)]
        async with asyncio.timeout(DEADLINE):
            while len(server.pending) < 10:  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0)
        newest = await server.connect()
        assert await _read_until_closed(first) == b""
        for reader, writer in [*others, newest]:
            writer.write(_REQUEST)
            async with asyncio.timeout(DEADLINE):
                assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            writer.close()


@pytest.mark.usefixtures("short_timeouts")
async def test_client_that_does_not_read_is_closed(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_protocol, "_WRITE_TIMEOUT_SECONDS", _SHORT)
    _, writer = await server.connect()
    writer.write(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n")
    await wait_until(lambda: server.disconnected)
    writer.close()


@pytest.mark.usefixtures("short_timeouts")
async def test_invalid_request_response_has_the_security_headers(server: RunningServer) -> None:
    _, writer = connection = await server.connect()
    writer.write(b"\x16\x03\x01 what?\r\n\r\n")
    received = (await _read_until_closed(connection)).decode()
    assert received.startswith("HTTP/1.1 400")
    assert "content-security-policy: default-src 'none'" in received
    assert "server:" not in received


async def _connect_slow_reader(server: RunningServer, request: bytes) -> socket.socket:
    """Connect, send a request and read nothing."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", server.port))
    slow.send(request)
    return slow


@pytest.mark.usefixtures("short_timeouts")
async def test_connections_of_one_network_are_limited() -> None:
    async with running_server(connections_per_ip_max=10) as server:
        busy = [await server.connect() for _ in range(5)]
        for _, writer in busy:
            writer.write(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n")
        await wait_until(lambda: len(server.pending_counts) == 5)
        idle = [await server.connect() for _ in range(5)]
        await wait_until(lambda: len(server.connections) == 10)
        newest = await server.connect()
        # a connection without a request is closed first
        assert await _read_until_closed(idle[0]) == b""
        newest[1].write(_REQUEST)
        async with asyncio.timeout(DEADLINE):
            assert (await newest[0].readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert server.refused["connections"] == 1
        for _, writer in [*busy, *idle, newest]:
            writer.close()
        await wait_until(lambda: not len(server.connections))
        assert not server.connections._networks
        assert not server.pending._by_network


@pytest.mark.usefixtures("short_timeouts")
async def test_network_with_only_busy_connections_gets_no_more() -> None:
    async with running_server(connections_per_ip_max=10) as server:
        busy = [await server.connect() for _ in range(10)]
        for _, writer in busy:
            writer.write(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n")
        await wait_until(lambda: len(server.pending_counts) == 10)
        assert await _read_until_closed(await server.connect()) == b""
        assert len(server.connections) == 10
        for _, writer in busy:
            writer.close()


@pytest.mark.usefixtures("short_timeouts")
async def test_unread_bytes_of_one_network_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    async with running_server(unread_per_ip_max=1_048_576) as server:
        request = b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n"
        readers = [await _connect_slow_reader(server, request) for _ in range(20)]
        await wait_until(lambda: server.refused["unread"] > 10)
        network = server.connections._networks["127.0.0.1"]
        assert network.unread <= 1_048_576
        for reader in readers:
            reader.close()
        await wait_until(lambda: not len(server.connections))
        assert not server.connections._networks
    assert not caplog.records


@pytest.mark.usefixtures("short_timeouts")
async def test_many_clients_loading_one_asset_at_once_are_served() -> None:
    async with running_server(unread_per_ip_max=2_000_000) as server:
        request = b"GET /assets/long.js HTTP/1.1\r\nHost: here\r\n\r\n"
        reader, writer = await server.connect()
        writer.write(request)
        await reader.readuntil(server.long_body)  # it is cached from now on
        writer.close()
        readers = [await _connect_slow_reader(server, request) for _ in range(20)]
        await wait_until(lambda: len(server.connections._unread) == len(readers))
        assert not server.refused
        for slow in readers:
            slow.close()


@pytest.mark.parametrize(
    "extra_header", [b"", b"Connection: close\r\n"], ids=["keep-alive", "close"]
)
async def test_connection_with_unread_last_bytes_is_closed(
    monkeypatch: pytest.MonkeyPatch, extra_header: bytes
) -> None:
    monkeypatch.setattr(http_protocol, "_WRITE_TIMEOUT_SECONDS", _SHORT)
    async with running_server() as server:
        request = b"GET /long HTTP/1.1\r\nHost: here\r\n" + extra_header + b"\r\n"
        readers = []
        for size in range(200_000, 700_000, 25_000):  # some sizes leave a few bytes unsent
            server.long_body = b"x" * size
            readers.append(await _connect_slow_reader(server, request))
            await wait_until(lambda: len(server.pending_counts) == len(readers))
        await wait_until(lambda: not len(server.connections))
        for reader in readers:
            reader.close()


@pytest.mark.parametrize("end", ["reset", "half closed", "many requests"])
@pytest.mark.usefixtures("short_timeouts")
async def test_lost_client_ends_every_request_without_an_error(
    server: RunningServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    end: str,
) -> None:
    """uvicorn notifies only the last pipelined request, and writes to a closed connection."""
    if end == "half closed":
        monkeypatch.setattr(http_protocol, "_WRITE_TIMEOUT_SECONDS", _SHORT)
    request = b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n"
    reader = await _connect_slow_reader(server, request * (200 if end == "many requests" else 3))
    if end == "half closed":
        await wait_until(lambda: bool(server.pending_counts))
        reader.shutdown(socket.SHUT_WR)
    elif end == "reset":
        await wait_until(lambda: bool(server.pending_counts))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reader.close()
    if server.pending_counts:
        await wait_until(lambda: server.disconnected)
    await wait_until(lambda: not len(server.connections))
    reader.close()
    assert not caplog.records

"""Those who connect and do not finish asking."""

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
from pages import hearing
from pages.asset_cache import AssetCache
from pages.connections import Connections
from pages.hearing import Crowd
from tests.pages.tab import PATIENCE, until

_SHORT = 0.2
_MUCH = 3_000_000
_REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 2\r\n\r\nhi"
Call = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class House:
    """A server that answers everything, and who is not done asking it."""

    def __init__(self, most: int, **settings: object) -> None:
        self.refused: Counter[str] = Counter()
        self.connections = Connections(Settings.model_validate(settings), refused=self.refused)
        self.crowd = Crowd(most, self.connections)
        self.crowded: list[int] = []
        self.port = 0
        self.hung_up = False
        self.long = b"x" * 400_000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        self.crowded.append(len(self.crowd))
        kept = (b"cache-control", b"max-age=1")
        await send({"type": "http.response.start", "status": 200, "headers": [kept]})
        if scope["path"] == "/endless":
            await self._say_much(receive, send)
        if scope["path"].startswith(
            ("/long", "/assets/long")
        ):  # more than the system keeps, less than makes us wait
            await send({"type": "http.response.body", "body": self.long, "more_body": True})
        await send({"type": "http.response.body", "body": b"ok"})

    async def _say_much(self, receive: Receive, send: Send) -> None:
        hanging_up = asyncio.ensure_future(receive())
        while not hanging_up.done():
            await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
            await asyncio.sleep(0)
        self.hung_up = True

    async def call(self) -> Call:
        """Connect."""
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def standing(most: int = 100, **settings: object) -> AsyncIterator[House]:
    house = House(most, **settings)
    config = uvicorn.Config(
        AssetCache(house),
        http=house.crowd,  # type: ignore[arg-type]
        lifespan="off",
        log_config=None,
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as door:
        house.port = door.getsockname()[1]
        serving = asyncio.create_task(server.serve([door]))
        yield house
        server.should_exit = True
        await serving


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with standing() as house:
        yield house


@pytest.fixture(autouse=True)
def short_of_patience(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "patient" not in request.node.name:
        monkeypatch.setattr(hearing, "_HEAD_SECONDS", _SHORT)
        monkeypatch.setattr(hearing, "_BODY_SECONDS", _SHORT)


async def _is_ended(call: Call, say: Callable[[], Awaitable[None]] | None = None) -> bytes:
    """Wait until the server hangs up, saying something all the while; return what it has said."""
    reader, writer = call
    said: list[bytes] = []

    async def listen() -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65_536):
                said.append(piece)

    async with asyncio.timeout(PATIENCE):
        listening = asyncio.create_task(listen())
        while say and not listening.done():
            await say()
            await asyncio.wait([listening], timeout=0.01)
        await listening
    writer.close()
    return b"".join(said)


async def test_silence_is_not_listened_to(house: House) -> None:
    assert await _is_ended(await house.call()) == b""


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
async def test_who_never_finishes_is_not_waited_for(
    house: House, begin: bytes, piece: bytes
) -> None:
    _, writer = call = await house.call()
    writer.write(begin)

    async def drip() -> None:
        writer.write(piece)

    said = await _is_ended(call, drip)
    assert said.count(b"HTTP/1.1 200 OK") == begin.count(b"hi")
    assert not len(house.crowd)


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
async def test_the_patient_house_is_not_told_too_much(
    house: House, begin: bytes, piece: bytes
) -> None:
    _, writer = call = await house.call()
    writer.write(begin)

    poured = 0

    async def pour() -> None:
        nonlocal poured
        poured += len(piece)
        assert poured < _MUCH
        writer.write(piece)

    await _is_ended(call, pour)
    assert not len(house.crowd)


async def test_the_patient_house_answers_whoever_asks(house: House) -> None:
    reader, writer = await house.call()
    for _ in range(3):
        writer.write(_REQUEST)
        async with asyncio.timeout(PATIENCE):
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    assert house.crowded == [0, 0, 0]  # who waits for an answer is not one of those who owe words
    writer.close()


async def test_the_patient_house_lets_the_one_go_who_has_owed_words_for_longest() -> None:
    async with standing(most=10) as house:
        first = await house.call()
        others = [await house.call() for _ in range(9)]
        async with asyncio.timeout(PATIENCE):
            while len(house.crowd) < 10:  # noqa: ASYNC110 - nobody tells us
                await asyncio.sleep(0)
        late = await house.call()
        assert await _is_ended(first) == b""
        for reader, writer in [*others, late]:
            writer.write(_REQUEST)
            async with asyncio.timeout(PATIENCE):
                assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
            writer.close()


async def test_who_does_not_read_is_not_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "_READER_SECONDS", _SHORT)
    _, writer = await house.call()
    writer.write(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n")
    await until(lambda: house.hung_up)
    writer.close()


async def test_what_is_no_request_is_answered_strictly(house: House) -> None:
    _, writer = call = await house.call()
    writer.write(b"\x16\x03\x01 what?\r\n\r\n")
    said = (await _is_ended(call)).decode()
    assert said.startswith("HTTP/1.1 400")
    assert "content-security-policy: default-src 'none'" in said
    assert "server:" not in said


async def _call_slowly(house: House, request: bytes) -> socket.socket:
    """Connect, ask, and read nothing."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.setblocking(False)
    await asyncio.get_running_loop().sock_connect(slow, ("127.0.0.1", house.port))
    slow.send(request)
    return slow


async def test_connections_of_one_network_are_bounded() -> None:
    async with standing(connections_per_address_max=10) as house:
        busy = [await house.call() for _ in range(5)]
        for _, writer in busy:
            writer.write(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n")
        await until(lambda: len(house.crowded) == 5)
        silent = [await house.call() for _ in range(5)]
        await until(lambda: len(house.connections) == 10)
        late = await house.call()
        assert await _is_ended(silent[0]) == b""  # who asks for nothing gives way
        late[1].write(_REQUEST)
        async with asyncio.timeout(PATIENCE):
            assert (await late[0].readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
        assert house.refused["connections"] == 1
        for _, writer in [*busy, *silent, late]:
            writer.close()
        await until(lambda: not len(house.connections))
        assert not house.connections._networks
        assert not house.crowd._by_network


async def test_network_with_busy_connections_only_gets_no_more() -> None:
    async with standing(connections_per_address_max=10) as house:
        busy = [await house.call() for _ in range(10)]
        for _, writer in busy:
            writer.write(b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n")
        await until(lambda: len(house.crowded) == 10)
        assert await _is_ended(await house.call()) == b""
        assert len(house.connections) == 10
        for _, writer in busy:
            writer.close()


async def test_unread_bytes_of_one_network_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    async with standing(unread_per_address_max=1_048_576) as house:
        request = b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n"
        readers = [await _call_slowly(house, request) for _ in range(20)]
        await until(lambda: house.refused["unread"] > 10)
        network = house.connections._networks["127.0.0.1"]
        assert network.unread <= 1_048_576
        for reader in readers:
            reader.close()
        await until(lambda: not len(house.connections))
        assert not house.connections._networks
    assert not caplog.records


async def test_crowd_that_loads_one_asset_at_once_is_served() -> None:
    async with standing(unread_per_address_max=2_000_000) as house:
        request = b"GET /assets/long.js HTTP/1.1\r\nHost: here\r\n\r\n"
        reader, writer = await house.call()
        writer.write(request)
        await reader.readuntil(house.long)  # it is kept from now on
        writer.close()
        readers = [await _call_slowly(house, request) for _ in range(20)]
        await until(lambda: len(house.connections._unread) == len(readers))
        assert not house.refused
        for slow in readers:
            slow.close()


@pytest.mark.parametrize("ways", [b"", b"Connection: close\r\n"], ids=["idle", "closing"])
async def test_patient_server_closes_connection_whose_last_bytes_are_not_read(
    monkeypatch: pytest.MonkeyPatch, ways: bytes
) -> None:
    monkeypatch.setattr(hearing, "_READER_SECONDS", _SHORT)
    async with standing() as house:
        request = b"GET /long HTTP/1.1\r\nHost: here\r\n" + ways + b"\r\n"
        readers = []
        for size in range(200_000, 700_000, 25_000):  # some of them leave a little
            house.long = b"x" * size
            readers.append(await _call_slowly(house, request))
            await until(lambda: len(house.crowded) == len(readers))
        await until(lambda: not len(house.connections))
        for reader in readers:
            reader.close()


@pytest.mark.parametrize("end", ["reset", "half closed", "too many"])
async def test_lost_client_ends_every_request_without_an_error(
    house: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """uvicorn tells the last of many requests alone, and writes to a closed connection."""
    if end == "half closed":
        monkeypatch.setattr(hearing, "_READER_SECONDS", _SHORT)
    request = b"GET /endless HTTP/1.1\r\nHost: here\r\n\r\n"
    reader = await _call_slowly(house, request * (200 if end == "too many" else 3))
    if end == "half closed":
        await until(lambda: bool(house.crowded))
        reader.shutdown(socket.SHUT_WR)
    elif end == "reset":
        await until(lambda: bool(house.crowded))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reader.close()
    if house.crowded:
        await until(lambda: house.hung_up)
    await until(lambda: not len(house.connections))
    reader.close()
    assert not caplog.records

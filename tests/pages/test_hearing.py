"""Those who connect and do not finish asking."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from anonchat import Settings
from pages import hearing
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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        self.crowded.append(len(self.crowd))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/endless":
            await self._say_much(receive, send)
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
        house,
        http=house.crowd,  # type: ignore[arg-type]
        lifespan="off",
        log_level="critical",
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

"""Long polling: requests of browsers are served, malformed ones are refused without traces."""

import asyncio
import gc
import json
import socket
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from engineio.async_socket import AsyncSocket
from engineio.packet import NOOP, Packet
from nicegui import core
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from anonchat import ConnectionLimit
from pages.transport import packet_filter
from pages.transport import socket_authorizer as module
from pages.transport.packets import is_valid_post_body
from pages.transport.socket_authorizer import SocketAuthorizer
from tests.history.screen import introduce, read_client_id
from tests.pages.tab import complete_handshake, open_websocket, wait_until
from tests.timeouts import DEADLINE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

_SOCKET_PATH = "/_nicegui_ws/socket.io/"
_OPEN = {"EIO": "4", "transport": "polling"}
_ROUNDS = 2
_CONCURRENCY = 10
_EVENT = b'42["event",{}]'
_MALFORMED_POSTS = [
    b"",
    b"0",
    b"0{}",
    b"2",
    b"2probe",
    b"3",  # a pong without a ping
    b"3probe",
    b"4",
    b"4x",
    b"40/other,",
    b"43[]",
    b"44",
    b"5",
    b"5x",
    b"6",
    b"7",
    b"b4AAA",
    b"bAAA=",
    b"d=40",
    b"1x",
    b"1\x1e40",
    b"1\x1e1",
    b"40\x1e2",
    b"40\x1e",
    b"\x1e40",
    b"40\x1e6",
    _EVENT + b"\x1e5",
    b"\x1e".join([_EVENT] * 17),
    "４0".encode(),
    b"\xff",
    b'42["nothing",{}]',
]


class Poller:
    """A client that uses long polling."""

    def __init__(self, http: httpx.AsyncClient, query: dict[str, str]) -> None:
        self.http = http
        self.query = query

    @property
    def engine_id(self) -> str:
        return self.query["sid"]

    async def poll(self) -> httpx.Response:
        return await self.http.get(_SOCKET_PATH, params=self.query)

    async def post(self, body: bytes) -> httpx.Response:
        return await self.http.post(_SOCKET_PATH, params=self.query, content=body)


@asynccontextmanager
async def polling(url: str, **parameters: str | int) -> AsyncIterator[Poller]:
    async with httpx.AsyncClient(
        base_url=url, timeout=DEADLINE, headers={"origin": url}, limits=httpx.Limits()
    ) as http:
        query = {**_OPEN, **{name: str(value) for name, value in parameters.items()}}
        response = await http.get(_SOCKET_PATH, params=query)
        assert response.status_code == 200, response.text
        yield Poller(
            http, {**query, "sid": json.loads(response.text[1:].partition("\x1e")[0])["sid"]}
        )


@asynccontextmanager
async def polling_page(url: str) -> AsyncIterator[Poller]:
    """Load a page and complete its handshake by polling."""
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as http:
        client_id = read_client_id((await http.get("/login")).text)
    async with polling(url, **introduce(client_id, tab_id="polling")) as poller:
        assert (await poller.post(b"40")).status_code == 200
        received = ""
        while "40{" not in received:
            received += (await poller.poll()).text
        yield poller
        await poller.post(b"1")


def _is_waiting(poller: Poller) -> bool:
    """Return whether a poll waits for the queue of its socket."""
    return bool(core.sio.eio.sockets[poller.engine_id].queue._getters)


async def wait_closed(sockets: SocketAuthorizer, engine_id: str) -> None:
    """Wait until a socket is closed and leaves no state."""
    await wait_until(lambda: engine_id not in sockets.engine._resources)
    assert engine_id not in sockets._open
    assert engine_id not in core.sio.eio.sockets
    assert engine_id not in core.sio.environ


@pytest.mark.parametrize("body", _MALFORMED_POSTS, ids=repr)
async def test_malformed_post_is_refused_and_closes_its_socket(
    url: str, sockets: SocketAuthorizer, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    async with polling(url) as poller:
        before = sockets.refused["malformed"]
        response = await poller.post(body)
        assert (response.status_code, response.content) == (400, b"")
        assert sockets.refused["malformed"] == before + 1
        await wait_closed(sockets, poller.engine_id)
        assert (await poller.poll()).status_code == 400
        assert (await poller.post(b"40")).status_code == 400
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_polling_page_is_served(url: str, sockets: SocketAuthorizer) -> None:
    async with polling_page(url) as poller:
        for _ in range(2):
            core.sio.eio.sockets[poller.engine_id].last_ping = None
            core.sio.eio.sockets[poller.engine_id].last_ping = 1e12  # a ping was sent
            assert (await poller.post(b"3")).status_code == 200
            assert (await poller.post(_EVENT)).status_code == 200
        assert poller.engine_id in sockets._open
        assert (await poller.post(b"41\x1e1")).status_code == 200
        await wait_closed(sockets, poller.engine_id)


async def test_pong_is_accepted_once_after_a_ping() -> None:
    assert is_valid_post_body(b"40\x1e3", pinged=True)
    assert not is_valid_post_body(b"3\x1e3", pinged=True)
    assert not is_valid_post_body(b"3", pinged=False)


async def test_concurrent_polls_close_the_socket_and_are_both_answered(
    url: str, sockets: SocketAuthorizer
) -> None:
    async with polling(url) as poller:
        first = asyncio.create_task(poller.poll())
        await wait_until(lambda: _is_waiting(poller))
        second = await poller.poll()
        assert second.status_code == 400
        assert (await first).status_code in (200, 400)
        await wait_closed(sockets, poller.engine_id)


async def test_next_poll_is_accepted_before_the_last_response_is_finished(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    respond, may_finish = core.sio.eio._async["make_response"], asyncio.Event()

    async def respond_slowly(*parts: object) -> None:
        await respond(*parts)
        await may_finish.wait()

    async with polling(url) as poller:
        monkeypatch.setitem(core.sio.eio._async, "make_response", respond_slowly)
        for _ in range(2):
            core.sio.eio.sockets[poller.engine_id].queue.put_nowait(Packet(NOOP))
            assert (await poller.poll()).text == "6"
        may_finish.set()


@pytest.mark.parametrize("end", ["client", "server"])
async def test_poll_is_answered_when_its_socket_is_closed(
    url: str, sockets: SocketAuthorizer, end: str
) -> None:
    async with polling(url) as poller:
        poll = asyncio.create_task(poller.poll())
        await wait_until(lambda: _is_waiting(poller))
        if end == "client":
            assert (await poller.post(b"1")).status_code == 200
        else:
            sockets.close_socket(poller.engine_id)
        assert (await poll).text == "1"
        await wait_closed(sockets, poller.engine_id)


async def test_client_that_disconnects_during_a_poll_is_closed(
    url: str, sockets: SocketAuthorizer
) -> None:
    async with polling(url) as poller:
        poll = asyncio.create_task(poller.poll())
        await wait_until(lambda: _is_waiting(poller))
        poll.cancel()
        await wait_closed(sockets, poller.engine_id)


async def test_poll_without_packets_times_out(
    url: str, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet_filter, "_RESPONSE_TIMEOUT_SECONDS", 0.1)
    async with polling(url) as poller:
        assert (await poller.poll()).status_code in (200, 400)
        await wait_closed(sockets, poller.engine_id)


async def test_abandoned_sockets_leave_nothing_in_memory(
    url: str, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.sio.eio, "ping_timeout", 1)  # seconds for one check of all sockets
    opened: list[weakref.ref[AsyncSocket]] = []

    async def abandon(kind: str) -> None:
        async with polling(url) as poller:
            if socket := core.sio.eio.sockets.get(poller.engine_id):
                opened.append(weakref.ref(socket))
            if kind == "malformed":
                assert (await poller.post(b"2")).status_code == 400
            elif kind == "closed":
                await poller.post(b"1")
            elif kind == "disconnected":
                poll = asyncio.create_task(poller.poll())
                await wait_until(lambda: sockets.engine.is_polled(poller.engine_id))
                poll.cancel()
            elif kind == "upgrade started":
                with pytest.raises((ConnectionClosed, InvalidStatus)):
                    async with upgrade(url, poller) as connection:
                        await connection.send("2probe")
                        while True:
                            await connection.recv()

    for kind in (
        "malformed",
        "closed",
        "disconnected",
        "never polled",
        "upgrade started",
    ) * _ROUNDS:
        seconds = 0.1 if kind in ("never polled", "upgrade started") else DEADLINE
        monkeypatch.setattr(module, "_HANDSHAKE_TIMEOUT_SECONDS", seconds)
        await asyncio.gather(*(abandon(kind) for _ in range(_CONCURRENCY)))
        await wait_until(lambda: not len(sockets._connection_limit))
    assert not sockets._open
    assert not len(sockets.engine)
    assert not core.sio.eio.sockets
    assert not core.sio.environ
    await wait_until(lambda: not _tasks_of_sockets())
    assert opened
    await wait_until(lambda: _count_alive(opened) <= 1)  # engine.io's check keeps the last one


def _count_alive(sockets: list[weakref.ref[AsyncSocket]]) -> int:
    gc.collect()
    return sum(socket() is not None for socket in sockets)


def _tasks_of_sockets() -> list[str]:
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("AsyncSocket", "RequestResponseCycle"))]


@pytest.mark.parametrize(
    ("method", "query", "path"),
    [
        ("GET", {}, _SOCKET_PATH),
        ("GET", {"EIO": "3", "transport": "polling"}, _SOCKET_PATH),
        ("GET", {"EIO": "4"}, _SOCKET_PATH),
        ("GET", {"EIO": "4", "transport": "websocket"}, _SOCKET_PATH),
        ("GET", {**_OPEN, "transport": ["polling", "websocket"]}, _SOCKET_PATH),
        ("GET", {**_OPEN, "j": "1"}, _SOCKET_PATH),
        ("GET", {**_OPEN, "j": ""}, _SOCKET_PATH),
        ("GET", {**_OPEN, "sid": ["SID", "SID"]}, _SOCKET_PATH),
        ("GET", {**_OPEN, "sid": "SID", "j": "0"}, _SOCKET_PATH),
        ("GET", {"sid": "SID"}, _SOCKET_PATH),
        ("GET", {**_OPEN, "sid": "SID", "transport": "websocket"}, _SOCKET_PATH),
        ("GET", _OPEN | {f"a{number}": "1" for number in range(30)}, _SOCKET_PATH),
        ("GET", {**_OPEN, "sid": "unknown"}, _SOCKET_PATH),
        ("POST", {**_OPEN, "sid": "unknown"}, _SOCKET_PATH),
        ("POST", _OPEN, _SOCKET_PATH),
        ("HEAD", {**_OPEN, "sid": "SID"}, _SOCKET_PATH),
        ("OPTIONS", {**_OPEN, "sid": "SID"}, _SOCKET_PATH),
        ("PUT", {**_OPEN, "sid": "SID"}, _SOCKET_PATH),
        ("GET", _OPEN, "/_nicegui_ws/socket.io/other"),
        ("GET", _OPEN, "/_nicegui_ws/other"),
    ],
)
async def test_malformed_polling_request_opens_and_closes_no_socket(
    url: str, sockets: SocketAuthorizer, method: str, query: dict[str, str | list[str]], path: str
) -> None:
    async with polling(url) as poller:
        before = {*sockets._open}
        sid = poller.engine_id
        parameters = {
            name: [sid if each == "SID" else each for each in value]
            if isinstance(value, list)
            else sid
            if value == "SID"
            else value
            for name, value in query.items()
        }
        body = b"40" if method == "POST" else None
        response = await poller.http.request(method, path, params=parameters, content=body)
        assert response.status_code == 400
        assert {*sockets._open} == before


async def test_malformed_websocket_request_is_refused(
    url: str, sockets: SocketAuthorizer, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "A" * 22 + "==",
    }
    await wait_until(lambda: not len(sockets._connection_limit))
    async with httpx.AsyncClient(base_url=url, headers={"origin": url, **headers}) as http:
        for path in (
            f"{_SOCKET_PATH}?EIO=4&transport=polling",
            f"{_SOCKET_PATH}?EIO=4&transport=websocket&sid=unknown",
            f"{_SOCKET_PATH}?transport=websocket",
            f"{_SOCKET_PATH}?EIO=4&transport=websocket&j=1",
            "/_nicegui_ws/other?EIO=4&transport=websocket",
            "/_nicegui_ws/",
            "/",
            "/api/v1/rooms",
            "/assets/theme.css",
        ):
            assert (await http.get(path)).status_code == 403, path
    assert not len(sockets._connection_limit)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def upgrade(url: str, poller: Poller) -> open_websocket:  # type: ignore[valid-type]
    """Open the WebSocket to which a polling page upgrades."""
    return open_websocket(
        url, **{name: each for name, each in poller.query.items() if name != "EIO"}
    )


async def test_polling_page_upgrades_to_a_websocket(url: str, sockets: SocketAuthorizer) -> None:
    async with polling_page(url) as poller, upgrade(url, poller) as connection:
        await connection.send("2probe")
        assert await connection.recv() == "3probe"
        assert (await poller.poll()).text == "6"
        await connection.send("5")
        await wait_until(lambda: core.sio.eio.sockets[poller.engine_id].upgraded)
        assert (await poller.poll()).status_code == 400
        assert (await poller.post(_EVENT)).status_code == 400
        await connection.send('420["ack",{}]')
        packet = ""
        while not packet.startswith("430"):
            packet = str(await connection.recv())
        with pytest.raises(InvalidStatus):
            await upgrade(url, poller)
        await connection.close()
        await wait_closed(sockets, poller.engine_id)


@pytest.mark.parametrize(
    "frames", [["2"], ["5"], ["40"], ["2probe", "40"], ["2probe", "2probe"], ["2probe", b"5"]]
)
async def test_malformed_upgrade_is_closed_and_polling_continues(
    url: str, sockets: SocketAuthorizer, frames: list[str | bytes]
) -> None:
    async with polling_page(url) as poller:
        async with upgrade(url, poller) as connection:
            await _send_until_closed(connection, *frames)
        await _check_polling(sockets, poller)


async def test_unfinished_upgrade_times_out_and_polling_continues(
    url: str, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packet_filter, "_UPGRADE_TIMEOUT_SECONDS", 0.1)
    for frames in ([], ["2probe"]):
        async with polling_page(url) as poller:
            async with upgrade(url, poller) as connection:
                await _send_until_closed(connection, *frames)
            await _check_polling(sockets, poller)


async def test_second_concurrent_upgrade_is_refused(url: str, sockets: SocketAuthorizer) -> None:
    async with polling_page(url) as poller, upgrade(url, poller) as connection:
        await connection.send("2probe")
        await connection.recv()
        with pytest.raises(InvalidStatus):
            await upgrade(url, poller)


async def test_upgrade_is_closed_with_its_socket(url: str, sockets: SocketAuthorizer) -> None:
    async with polling_page(url) as poller, upgrade(url, poller) as connection:
        await connection.send("2probe")
        await connection.recv()
        sockets.close_socket(poller.engine_id)
        await _send_until_closed(connection)
        await wait_closed(sockets, poller.engine_id)


async def _send_until_closed(connection: ClientConnection, *frames: str | bytes) -> None:
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(ConnectionClosed):
            for frame in frames:
                await connection.send(frame)
            while True:
                await connection.recv()


async def _check_polling(sockets: SocketAuthorizer, poller: Poller) -> None:
    """Check that polls receive packets, not the empty responses of an upgrade."""
    await wait_until(lambda: not sockets.engine.has_websocket(poller.engine_id))
    await core.sio.emit("something", {}, room=poller.query["client_id"])
    received = ""
    while "something" not in received:
        response = await poller.poll()
        assert response.status_code == 200
        received += response.text


@pytest.mark.parametrize("frame", ["2", "5", "6", "3", "2probe", "3probe", "0", "7", "40/other,"])
async def test_websocket_with_a_malformed_packet_is_closed(
    url: str, sockets: SocketAuthorizer, frame: str
) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as http:
        client_id = read_client_id((await http.get("/login")).text)
    async with open_websocket(url, **introduce(client_id, tab_id="tab")) as connection:
        await complete_handshake(connection)
        before = sockets.refused["malformed"]
        await _send_until_closed(connection, frame)
        assert sockets.refused["malformed"] == before + 1


async def test_polling_client_that_never_reads_is_closed(
    url: str, sockets: SocketAuthorizer
) -> None:
    async with polling_page(url) as poller:
        before = sockets.refused["unread"]
        while poller.engine_id in sockets._open:
            await core.sio.emit("much", "x" * 50_000, room=poller.query["client_id"])
        assert sockets.refused["unread"] == before + 1
        await wait_closed(sockets, poller.engine_id)


async def test_sockets_are_limited_in_total(
    url: str, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wait_until(lambda: not len(sockets.engine))
    monkeypatch.setattr(sockets, "_max_sockets", 1)
    async with polling(url) as poller:
        before = sockets.refused["crowded"]
        response = await poller.http.get(_SOCKET_PATH, params=_OPEN)
        assert response.status_code == 401
        with pytest.raises(InvalidStatus):
            await open_websocket(url, **introduce("nobody", tab_id="tab"))
        assert sockets.refused["crowded"] == before + 2


async def test_closed_socket_counts_until_its_requests_are_answered(
    url: str, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wait_until(lambda: not len(sockets._connection_limit))
    limit = ConnectionLimit(per_visitor=1, per_network=1, network_total=1_000)
    monkeypatch.setattr(sockets, "_connection_limit", limit)
    async with polling_page(url) as poller:
        query = httpx.QueryParams(poller.query)
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(slow, address)
        host = url.removeprefix("http://")
        for _ in range(15):  # more than the socket buffers hold
            await core.sio.emit("much", "x" * 60_000, room=poller.query["client_id"])
        slow.send(f"GET {_SOCKET_PATH}?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await wait_until(lambda: core.sio.eio.sockets[poller.engine_id].queue.empty())
        assert (await poller.post(b"1")).status_code == 200
        await wait_until(lambda: poller.engine_id not in sockets._open)
        assert len(limit) == 1
        response = await poller.http.get(_SOCKET_PATH, params=_OPEN)
        assert response.status_code == 401
        slow.close()
        await wait_closed(sockets, poller.engine_id)
        await wait_until(lambda: not len(sockets._connection_limit))

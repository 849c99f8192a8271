"""Polled requests: what a browser sends passes, and nothing else waits, stays or hides."""

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
from pages.live import packets
from pages.live import sockets as module
from pages.live.packets import are_polled
from pages.live.sockets import Sockets
from tests.history.screen import introduce, read_client_id
from tests.pages.tab import PATIENCE, begin, plug_in, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PLACE = "/_nicegui_ws/socket.io/"
_OPEN = {"EIO": "4", "transport": "polling"}
_ROUNDS = 2
_AT_ONCE = 10
_EVENT = b'42["event",{}]'
_NO_BROWSER_POSTS = [
    b"",
    b"0",
    b"0{}",
    b"2",
    b"2probe",
    b"3",  # nobody has pinged
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
    """A browser without web sockets."""

    def __init__(self, http: httpx.AsyncClient, query: dict[str, str]) -> None:
        self.http = http
        self.query = query

    @property
    def engine_id(self) -> str:
        return self.query["sid"]

    async def poll(self) -> httpx.Response:
        return await self.http.get(_PLACE, params=self.query)

    async def post(self, body: bytes) -> httpx.Response:
        return await self.http.post(_PLACE, params=self.query, content=body)


@asynccontextmanager
async def polling(url: str, **hello: str | int) -> AsyncIterator[Poller]:
    async with httpx.AsyncClient(
        base_url=url, timeout=PATIENCE, headers={"origin": url}, limits=httpx.Limits()
    ) as http:
        query = {**_OPEN, **{name: str(value) for name, value in hello.items()}}
        answer = await http.get(_PLACE, params=query)
        assert answer.status_code == 200, answer.text
        yield Poller(
            http, {**query, "sid": json.loads(answer.text[1:].partition("\x1e")[0])["sid"]}
        )


@asynccontextmanager
async def polling_page(url: str) -> AsyncIterator[Poller]:
    """Load a page, and let it shake hands without a web socket."""
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        client_id = read_client_id((await http.get("/login")).text)
    async with polling(url, **introduce(client_id, tab_id="polling")) as poller:
        assert (await poller.post(b"40")).status_code == 200
        heard = ""
        while "40{" not in heard:
            heard += (await poller.poll()).text
        yield poller
        await poller.post(b"1")


def _is_waiting(poller: Poller) -> bool:
    """Tell whether a poll has come as far as the queue of its socket."""
    return bool(core.sio.eio.sockets[poller.engine_id].queue._getters)


async def is_over(sockets: Sockets, engine_id: str) -> None:
    """Wait until nothing of a socket is left."""
    await until(lambda: engine_id not in sockets.engine._parts)
    assert engine_id not in sockets._open
    assert engine_id not in core.sio.eio.sockets
    assert engine_id not in core.sio.environ


@pytest.mark.parametrize("body", _NO_BROWSER_POSTS, ids=repr)
async def test_post_that_no_browser_sends_is_refused_and_ends_its_socket(
    url: str, sockets: Sockets, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    async with polling(url) as poller:
        before = sockets.refused["malformed"]
        answer = await poller.post(body)
        assert (answer.status_code, answer.content) == (400, b"")
        assert sockets.refused["malformed"] == before + 1
        await is_over(sockets, poller.engine_id)
        assert (await poller.poll()).status_code == 400
        assert (await poller.post(b"40")).status_code == 400
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_page_that_polls_is_served(url: str, sockets: Sockets) -> None:
    async with polling_page(url) as poller:
        for _ in range(2):
            core.sio.eio.sockets[poller.engine_id].last_ping = None
            core.sio.eio.sockets[poller.engine_id].last_ping = 1e12  # a ping is on its way
            assert (await poller.post(b"3")).status_code == 200
            assert (await poller.post(_EVENT)).status_code == 200
        assert poller.engine_id in sockets._open
        assert (await poller.post(b"41\x1e1")).status_code == 200
        await is_over(sockets, poller.engine_id)


async def test_pong_is_expected_once_after_a_ping() -> None:
    assert are_polled(b"40\x1e3", pinged=True)
    assert not are_polled(b"3\x1e3", pinged=True)
    assert not are_polled(b"3", pinged=False)


async def test_second_poll_at_once_ends_the_socket_and_both_are_answered(
    url: str, sockets: Sockets
) -> None:
    async with polling(url) as poller:
        first = asyncio.create_task(poller.poll())
        await until(lambda: _is_waiting(poller))
        second = await poller.poll()
        assert second.status_code == 400
        assert (await first).status_code in (200, 400)
        await is_over(sockets, poller.engine_id)


async def test_next_poll_may_come_before_the_server_is_done_with_the_last(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    respond, is_done = core.sio.eio._async["make_response"], asyncio.Event()

    async def linger(*parts: object) -> None:
        await respond(*parts)
        await is_done.wait()

    async with polling(url) as poller:
        monkeypatch.setitem(core.sio.eio._async, "make_response", linger)
        for _ in range(2):
            core.sio.eio.sockets[poller.engine_id].queue.put_nowait(Packet(NOOP))
            assert (await poller.poll()).text == "6"
        is_done.set()


@pytest.mark.parametrize("end", ["client", "server"])
async def test_poll_is_answered_when_its_socket_is_closed(
    url: str, sockets: Sockets, end: str
) -> None:
    async with polling(url) as poller:
        poll = asyncio.create_task(poller.poll())
        await until(lambda: _is_waiting(poller))
        if end == "client":
            assert (await poller.post(b"1")).status_code == 200
        else:
            sockets.cut_socket(poller.engine_id)
        assert (await poll).text == "1"
        await is_over(sockets, poller.engine_id)


async def test_client_that_hangs_up_while_it_polls_is_cut(url: str, sockets: Sockets) -> None:
    async with polling(url) as poller:
        poll = asyncio.create_task(poller.poll())
        await until(lambda: _is_waiting(poller))
        poll.cancel()
        await is_over(sockets, poller.engine_id)


async def test_poll_has_an_end_without_any_packet(
    url: str, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "_ANSWER_SECONDS", 0.1)
    async with polling(url) as poller:
        assert (await poller.poll()).status_code in (200, 400)
        await is_over(sockets, poller.engine_id)


async def test_abandoned_sockets_leave_nothing_in_memory(
    url: str, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core.sio.eio, "ping_timeout", 1)  # how long a round of all sockets takes
    opened: list[weakref.ref[AsyncSocket]] = []

    async def abandon(way: str) -> None:
        async with polling(url) as poller:
            if socket := core.sio.eio.sockets.get(poller.engine_id):
                opened.append(weakref.ref(socket))
            if way == "malformed":
                assert (await poller.post(b"2")).status_code == 400
            elif way == "ended":
                await poller.post(b"1")
            elif way == "hung up":
                poll = asyncio.create_task(poller.poll())
                await until(lambda: sockets.engine.is_polled(poller.engine_id))
                poll.cancel()
            elif way == "upgrade begun":
                with pytest.raises((ConnectionClosed, InvalidStatus)):
                    async with upgrade(url, poller) as line:
                        await line.send("2probe")
                        while True:
                            await line.recv()

    for way in ("malformed", "ended", "hung up", "never polled", "upgrade begun") * _ROUNDS:
        seconds = 0.1 if way in ("never polled", "upgrade begun") else PATIENCE
        monkeypatch.setattr(module, "_HANDSHAKE_SECONDS", seconds)
        await asyncio.gather(*(abandon(way) for _ in range(_AT_ONCE)))
        await until(lambda: not len(sockets._counted))
    assert not sockets._open
    assert not len(sockets.engine)
    assert not core.sio.eio.sockets
    assert not core.sio.environ
    await until(lambda: not _tasks_of_sockets())
    assert opened
    await until(lambda: _count_living(opened) <= 1)  # engine.io's rounds remember the last one


def _count_living(sockets: list[weakref.ref[AsyncSocket]]) -> int:
    gc.collect()
    return sum(socket() is not None for socket in sockets)


def _tasks_of_sockets() -> list[str]:
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return [name for name in names if name.startswith(("AsyncSocket", "RequestResponseCycle"))]


@pytest.mark.parametrize(
    ("method", "query", "path"),
    [
        ("GET", {}, _PLACE),
        ("GET", {"EIO": "3", "transport": "polling"}, _PLACE),
        ("GET", {"EIO": "4"}, _PLACE),
        ("GET", {"EIO": "4", "transport": "websocket"}, _PLACE),
        ("GET", {**_OPEN, "transport": ["polling", "websocket"]}, _PLACE),
        ("GET", {**_OPEN, "j": "1"}, _PLACE),
        ("GET", {**_OPEN, "j": ""}, _PLACE),
        ("GET", {**_OPEN, "sid": ["SID", "SID"]}, _PLACE),
        ("GET", {**_OPEN, "sid": "SID", "j": "0"}, _PLACE),
        ("GET", {"sid": "SID"}, _PLACE),
        ("GET", {**_OPEN, "sid": "SID", "transport": "websocket"}, _PLACE),
        ("GET", _OPEN | {f"a{number}": "1" for number in range(30)}, _PLACE),
        ("GET", {**_OPEN, "sid": "unknown"}, _PLACE),
        ("POST", {**_OPEN, "sid": "unknown"}, _PLACE),
        ("POST", _OPEN, _PLACE),
        ("HEAD", {**_OPEN, "sid": "SID"}, _PLACE),
        ("OPTIONS", {**_OPEN, "sid": "SID"}, _PLACE),
        ("PUT", {**_OPEN, "sid": "SID"}, _PLACE),
        ("GET", _OPEN, "/_nicegui_ws/socket.io/other"),
        ("GET", _OPEN, "/_nicegui_ws/other"),
    ],
)
async def test_request_that_no_browser_makes_opens_and_harms_no_socket(
    url: str, sockets: Sockets, method: str, query: dict[str, str | list[str]], path: str
) -> None:
    async with polling(url) as poller:
        before = {*sockets._open}
        sid = poller.engine_id
        told = {
            name: [sid if each == "SID" else each for each in value]
            if isinstance(value, list)
            else sid
            if value == "SID"
            else value
            for name, value in query.items()
        }
        body = b"40" if method == "POST" else None
        answer = await poller.http.request(method, path, params=told, content=body)
        assert answer.status_code == 400
        assert {*sockets._open} == before


async def test_web_socket_that_no_browser_opens_is_refused(
    url: str, sockets: Sockets, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {
        "upgrade": "websocket",
        "connection": "upgrade",
        "sec-websocket-version": "13",
        "sec-websocket-key": "A" * 22 + "==",
    }
    await until(lambda: not len(sockets._counted))
    async with httpx.AsyncClient(base_url=url, headers={"origin": url, **headers}) as http:
        for path in (
            f"{_PLACE}?EIO=4&transport=polling",
            f"{_PLACE}?EIO=4&transport=websocket&sid=unknown",
            f"{_PLACE}?transport=websocket",
            f"{_PLACE}?EIO=4&transport=websocket&j=1",
            "/_nicegui_ws/other?EIO=4&transport=websocket",
            "/_nicegui_ws/",
            "/",
            "/api/v1/rooms",
            "/assets/theme.css",
        ):
            assert (await http.get(path)).status_code == 403, path
    assert not len(sockets._counted)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def upgrade(url: str, poller: Poller) -> plug_in:  # type: ignore[valid-type]
    """Open the web socket to which a polling page changes."""
    return plug_in(url, **{name: each for name, each in poller.query.items() if name != "EIO"})


async def test_page_that_polls_changes_to_a_web_socket(url: str, sockets: Sockets) -> None:
    async with polling_page(url) as poller, upgrade(url, poller) as line:
        await line.send("2probe")
        assert await line.recv() == "3probe"
        assert (await poller.poll()).text == "6"
        await line.send("5")
        await until(lambda: core.sio.eio.sockets[poller.engine_id].upgraded)
        assert (await poller.poll()).status_code == 400
        assert (await poller.post(_EVENT)).status_code == 400
        await line.send('420["ack",{}]')
        heard = ""
        while not heard.startswith("430"):
            heard = str(await line.recv())
        with pytest.raises(InvalidStatus):
            await upgrade(url, poller)
        await line.close()
        await is_over(sockets, poller.engine_id)


@pytest.mark.parametrize(
    "frames", [["2"], ["5"], ["40"], ["2probe", "40"], ["2probe", "2probe"], ["2probe", b"5"]]
)
async def test_upgrade_that_no_browser_makes_is_ended_and_polling_goes_on(
    url: str, sockets: Sockets, frames: list[str | bytes]
) -> None:
    async with polling_page(url) as poller:
        async with upgrade(url, poller) as line:
            await _say_until_ended(line, *frames)
        await _still_polls(sockets, poller)


async def test_unfinished_upgrade_is_ended_and_polling_goes_on(
    url: str, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packets, "_UPGRADE_SECONDS", 0.1)
    for frames in ([], ["2probe"]):
        async with polling_page(url) as poller:
            async with upgrade(url, poller) as line:
                await _say_until_ended(line, *frames)
            await _still_polls(sockets, poller)


async def test_one_upgrade_at_a_time(url: str, sockets: Sockets) -> None:
    async with polling_page(url) as poller, upgrade(url, poller) as line:
        await line.send("2probe")
        await line.recv()
        with pytest.raises(InvalidStatus):
            await upgrade(url, poller)


async def test_upgrade_ends_with_its_socket(url: str, sockets: Sockets) -> None:
    async with polling_page(url) as poller, upgrade(url, poller) as line:
        await line.send("2probe")
        await line.recv()
        sockets.cut_socket(poller.engine_id)
        await _say_until_ended(line)
        await is_over(sockets, poller.engine_id)


async def _say_until_ended(line: ClientConnection, *frames: str | bytes) -> None:
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(ConnectionClosed):
            for frame in frames:
                await line.send(frame)
            while True:
                await line.recv()


async def _still_polls(sockets: Sockets, poller: Poller) -> None:
    """Look whether a socket gets what it is sent, not the empty answers of an upgrade."""
    await until(lambda: not sockets.engine.has_line(poller.engine_id))
    await core.sio.emit("something", {}, room=poller.query["client_id"])
    heard = ""
    while "something" not in heard:
        answer = await poller.poll()
        assert answer.status_code == 200
        heard += answer.text


@pytest.mark.parametrize("frame", ["2", "5", "6", "3", "2probe", "3probe", "0", "7", "40/other,"])
async def test_web_socket_that_says_what_no_browser_says_is_ended(
    url: str, sockets: Sockets, frame: str
) -> None:
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        client_id = read_client_id((await http.get("/login")).text)
    async with plug_in(url, **introduce(client_id, tab_id="tab")) as line:
        await begin(line)
        before = sockets.refused["malformed"]
        await _say_until_ended(line, frame)
        assert sockets.refused["malformed"] == before + 1


async def test_polling_client_that_never_reads_is_cut(url: str, sockets: Sockets) -> None:
    async with polling_page(url) as poller:
        before = sockets.refused["unread"]
        while poller.engine_id in sockets._open:
            await core.sio.emit("much", "x" * 50_000, room=poller.query["client_id"])
        assert sockets.refused["unread"] == before + 1
        await is_over(sockets, poller.engine_id)


async def test_sockets_are_bounded_all_together(
    url: str, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: not len(sockets.engine))
    monkeypatch.setattr(sockets, "_most", 1)
    async with polling(url) as poller:
        before = sockets.refused["crowded"]
        answer = await poller.http.get(_PLACE, params=_OPEN)
        assert answer.status_code == 401
        with pytest.raises(InvalidStatus):
            await plug_in(url, **introduce("nobody", tab_id="tab"))
        assert sockets.refused["crowded"] == before + 2


async def test_closed_socket_counts_until_its_requests_are_answered(
    url: str, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: not len(sockets._counted))
    counted = ConnectionLimit(per_visitor=1, per_network=1, network_total=1_000)
    monkeypatch.setattr(sockets, "_counted", counted)
    async with polling_page(url) as poller:
        query = httpx.QueryParams(poller.query)
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(slow, address)
        host = url.removeprefix("http://")
        for _ in range(15):  # more than the system keeps for one who does not read
            await core.sio.emit("much", "x" * 60_000, room=poller.query["client_id"])
        slow.send(f"GET {_PLACE}?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await until(lambda: core.sio.eio.sockets[poller.engine_id].queue.empty())
        assert (await poller.post(b"1")).status_code == 200
        await until(lambda: poller.engine_id not in sockets._open)
        assert len(counted) == 1
        answer = await poller.http.get(_PLACE, params=_OPEN)
        assert answer.status_code == 401
        slow.close()
        await is_over(sockets, poller.engine_id)
        await until(lambda: not len(sockets._counted))

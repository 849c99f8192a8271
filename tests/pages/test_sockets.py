"""Sockets that send events for other pages, skip the handshake or send malformed packets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from nicegui import core
from nicegui.event_listener import EventListener
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode

from anonchat import Chat, ConnectionLimit, Post
from anonchat.rates import Rate
from pages.lists.messages import MessageList
from pages.transport import socket_authorizer as module
from pages.transport import websocket
from pages.transport.connections import Connections
from pages.transport.page_handshake import read_handshake_params
from pages.transport.socket_authorizer import _IGNORED_LOG_KEYS, SocketAuthorizer
from tests.fakes import FakeClock, make_limit
from tests.history.screen import introduce, read_client_id
from tests.pages.tab import (
    Tab,
    complete_handshake,
    event_of,
    open_tab,
    open_websocket,
    wait_until,
)
from tests.timeouts import DEADLINE

pytestmark = pytest.mark.asyncio(loop_scope="session")

_MAX_SENT_BYTES = 100_000_000
_NESTED_LISTS = "[" * 3_000 + "]" * 3_000
_INVALID_ARGUMENTS = (
    None,
    0,
    -1,
    1e308,
    True,
    "",
    "x" * 50_000,
    [],
    [[]],
    {},
    {"name": {}, "fields": []},
)


class RoomSite:
    """A room, Ann who is a member and Bob who is not."""

    def __init__(self, url: str, chat: Chat) -> None:
        self.url = url
        self.chat = chat

    async def build(self, name: str) -> None:
        chat = self.chat
        self.ann, self.ann_token = await chat.identity.sign_in(f"Ann {name}")
        self.bob, self.bob_token = await chat.identity.sign_in(f"Bob {name}")
        for token in (self.ann_token, self.bob_token):
            await chat.identity.authenticate(token)
        self.room = await chat.rooms.open(f"room {name}", visitor_id=self.ann.id)
        await chat.memberships.join(self.room.id, visitor_id=self.ann.id)

    def pages(self) -> list[tuple[str, str]]:
        """Return the path of every kind of page with the token to open it."""
        room = f"/r/{self.room.slug}"
        return [
            ("/login", ""),
            ("/privacy", ""),
            ("/", self.ann_token),
            (room, self.ann_token),
            (room, self.bob_token),
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def site(url: str, chat: Chat, request: pytest.FixtureRequest) -> AsyncIterator[RoomSite]:
    site = RoomSite(url, chat)
    await site.build(str(abs(hash(request.node.nodeid)))[:8])
    yield site


async def test_socket_cannot_send_events_for_another_page(
    site: RoomSite, sockets: SocketAuthorizer
) -> None:
    count = 0
    async with AsyncExitStack() as tabs:
        others = [
            await tabs.enter_async_context(open_tab(site.url, path, token=token))
            for path, token in (
                ("/login", ""),  # anonymous
                ("/", site.bob_token),  # not a member of the room
                ("/privacy", site.ann_token),  # another tab of the same visitor
            )
        ]
        for path, token in site.pages():
            page = await tabs.enter_async_context(open_tab(site.url, path, token=token))
            events = _record_events(page)
            for listener in page.listeners():
                for other in others:
                    before = sockets.refused["foreign"]
                    await other.fire(listener, {}, page=page)
                    assert sockets.refused["foreign"] == before + 1
                assert not events
                await page.fire(listener, {})
                assert [each.type for each in events] == [listener.type]
                events.clear()
                count += 1
    assert count > 25  # otherwise the pages have too few listeners for this test


def _record_events(page: Tab) -> list[EventListener]:
    """Replace the event handlers of a page by ones that record the event."""
    events: list[EventListener] = []
    for listener in page.listeners():
        listener.handler = lambda _, listener=listener: events.append(listener)
    return events


@pytest.mark.parametrize("event", ["ack", "javascript_response", "event"])
async def test_every_event_type_is_limited_to_the_own_page(
    site: RoomSite, sockets: SocketAuthorizer, event: str
) -> None:
    async with open_tab(site.url, "/login") as own, open_tab(site.url, "/login") as other:
        for client_id in (other.client.id, "nobody", "", None, 7, [], {}):
            before = sockets.refused["foreign"]
            await own.emit(event, {"client_id": client_id, "next_message_id": 1})
            assert sockets.refused["foreign"] == before + 1


async def test_socket_without_handshake_cannot_send_events(
    site: RoomSite, sockets: SocketAuthorizer
) -> None:
    async with open_tab(site.url, "/login") as page:
        handshake = introduce(page.client.id, tab_id=str(page.client.tab_id))
        async with open_websocket(
            site.url, **{**handshake, "implicit_handshake": "false"}
        ) as connection:
            await complete_handshake(connection)
            other, before = Tab(page.client, connection), sockets.refused["foreign"]
            await other.fire(page.listeners()[0], {})
            assert sockets.refused["foreign"] == before + 1
            await other.emit("handshake", {"client_id": "ignored"})
            await other.fire(page.listeners()[0], {})  # allowed: the query named the page
            assert sockets.refused["foreign"] == before + 1
            await other.close()


async def test_former_member_can_neither_post_nor_receive(site: RoomSite) -> None:
    chat, room = site.chat, site.room
    await chat.memberships.join(room.id, visitor_id=site.bob.id)
    async with open_tab(site.url, f"/r/{room.slug}", token=site.ann_token) as page:
        await chat.memberships.leave(room.id, visitor_id=site.ann.id)
        await chat.messages.post(room.id, visitor_id=site.bob.id, text="not for her ears")
        for listener in page.listeners():
            for args in ({"text": "forged", "dedup": "x"}, {"keys": ["1"]}, {"seq": 1}, {}):
                await page.fire(listener, args)
        await wait_until(lambda: "now" in "".join(page.received))
        history = await chat.messages.history(room.id, visitor_id=site.bob.id, limit=50)
        assert [message.text for message in history] == ["not for her ears"]
        assert not [frame for frame in page.received if "not for her ears" in frame]


async def test_opened_text_reaches_only_the_page_of_its_reader(site: RoomSite) -> None:
    chat, room, path = site.chat, site.room, f"/r/{site.room.slug}"
    await chat.memberships.join(room.id, visitor_id=site.bob.id)
    late, late_token = await chat.identity.sign_in(f"Late {room.id[:8]}")
    await chat.identity.authenticate(late_token)
    await chat.messages.post(room.id, visitor_id=site.ann.id, post=Post("under the mat", once=True))
    await chat.memberships.join(room.id, visitor_id=late.id)
    tokens = (site.ann_token, site.bob_token, late_token)
    async with AsyncExitStack() as stack:
        author, reader, other = [
            await stack.enter_async_context(open_tab(site.url, path, token=token))
            for token in tokens
        ]
        for page in (author, other, reader):
            list_id = next(
                id for id, each in page.client.elements.items() if isinstance(each, MessageList)
            )
            (listener,) = [
                each
                for each in page.listeners()
                if (each.element_id, each.type) == (list_id, "open")
            ]
            for args in ({}, {"key": "x"}, {"key": 1}, {"key": "2"}, {"key": "1"}):
                await page.fire(listener, args)
            await wait_until(
                lambda page=page: (
                    "under the mat" in "".join(page.received)
                    or "failOpening" in "".join(page.received)
                )
            )
        await wait_until(lambda: "under the mat" in "".join(reader.received))
        await wait_until(lambda: '"drop"' in "".join(other.received))
        for page in (author, other):
            assert "under the mat" not in "".join(page.received)


async def test_post_sent_a_hundred_times_is_stored_once(site: RoomSite) -> None:
    async with open_tab(site.url, f"/r/{site.room.slug}", token=site.ann_token) as page:
        (post,) = (each for each in page.listeners() if each.type == "post")
        arguments = {"text": "once", "dedup": "same"}
        frame = json.dumps(["event", event_of(post, page.client, arguments)])
        for _ in range(100):
            await page.connection.send(f"42{frame}")
        await page.fire(post, {"text": "the last", "dedup": "another"})
        await wait_until(lambda: "the last" in "".join(page.received))
    history = await site.chat.messages.history(site.room.id, visitor_id=site.ann.id, limit=50)
    assert [message.text for message in history] == ["once", "the last"]


async def test_invalid_event_arguments_cause_no_error(
    site: RoomSite, caplog: pytest.LogCaptureFixture
) -> None:
    for path, token in site.pages():
        async with open_tab(site.url, path, token=token) as page:
            for listener in page.listeners():
                for args in _INVALID_ARGUMENTS:
                    await page.fire(listener, args)
                for raw in (_NESTED_LISTS, "{", "", "\x00"):
                    await page.emit("event", {**event_of(listener, page.client), "args": [raw]})
                await page.emit("event", {**event_of(listener, page.client), "listener_id": "x"})
    assert not _logged_errors(caplog)


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "x",
        "²",
        "b!",
        b"\x00\x01",
        "4",
        "4x",
        "42",
        "42{}",
        "42[]",
        "42[7]",
        '42[["event"]]',
        '42["connect",{}]',
        '42["disconnect"]',
        '42["disconnect","why"]',
        '42["nothing",{}]',
        '42["event"]',
        '42["event",null]',
        '42["event",{}',
        '42["event",' + _NESTED_LISTS,
        '42["event",[],[]]',
        '42/admin,["event",{}]',
        "40/admin,",
        "43[]",
        '451-["event",{"_placeholder":true,"num":0}]',
        '42["event",{"client_id":"OWN"}]',
    ],
)
async def test_malformed_packet_is_refused_without_log_errors(
    site: RoomSite, sockets: SocketAuthorizer, caplog: pytest.LogCaptureFixture, frame: str | bytes
) -> None:
    async with open_tab(site.url, "/login") as tab:
        before = sockets.refused["malformed"]
        if isinstance(frame, str):
            frame = frame.replace("OWN", tab.client.id)
        await tab.connection.send(frame)
        await wait_until(lambda: sockets.refused["malformed"] > before)
    assert not _logged_errors(caplog)


async def test_socket_connects_only_once(site: RoomSite, sockets: SocketAuthorizer) -> None:
    async with open_tab(site.url, "/login") as tab:
        before = sockets.refused["malformed"]
        for frame in ("41", "40"):
            await tab.connection.send(frame)
        await wait_until(lambda: sockets.refused["malformed"] > before)


async def test_browser_cannot_write_to_the_log(
    site: RoomSite, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_tab(site.url, "/login") as tab:
        for level in ("error", "no such level"):
            entry = {"client_id": tab.client.id, "level": level, "message": "\nforged"}
            await tab.emit("log", entry)
    assert "forged" not in caplog.text
    assert not _logged_errors(caplog)


@pytest.mark.parametrize("body", [b"x", b"\xff", b"4x", b'42["nothing",{}]', b"6\x1e" * 40, b"d=4"])
async def test_malformed_polling_body_is_refused_without_log_errors(
    site: RoomSite, sockets: SocketAuthorizer, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    async with httpx.AsyncClient(base_url=site.url, timeout=DEADLINE) as http:
        query = {"EIO": "4", "transport": "polling"}
        handshake_text = (await http.get("/_nicegui_ws/socket.io/", params=query)).text
        query["sid"] = json.loads(handshake_text[1:])["sid"]
        before = sockets.refused["malformed"]
        origin = {"origin": site.url}
        await http.post("/_nicegui_ws/socket.io/", params=query, content=body, headers=origin)
        assert sockets.refused["malformed"] > before
    assert not _logged_errors(caplog)


@pytest.mark.parametrize(
    "query", ["EIO=3", "EIO=4", "transport=x", "transport=websocket", "sid=x", "j=x", "j=1"]
)
async def test_malformed_socket_query_is_refused_without_log_errors(
    site: RoomSite, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    core.sio.eio.log_message_keys.intersection_update(_IGNORED_LOG_KEYS)  # so that it logs again
    async with httpx.AsyncClient(base_url=site.url, timeout=DEADLINE) as http:
        for more in ("EIO=4&transport=polling&", ""):
            url = f"/_nicegui_ws/socket.io/?{more}{query}"
            for method in ("GET", "POST", "PUT"):
                response = await http.request(method, url, headers={"origin": site.url})
                assert response.status_code in (200, 400, 405), method
    assert not _logged_errors(caplog)


async def test_oversized_polling_body_is_refused(site: RoomSite) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"4" * 1_000

    async with httpx.AsyncClient(base_url=site.url, timeout=DEADLINE) as http:
        for content in (b"4" * 70_000, chunks()):
            response = await http.post(
                "/_nicegui_ws/socket.io/",
                params={"EIO": "4", "transport": "polling", "sid": "x"},
                content=content,
                headers={"origin": site.url},
            )
            assert response.status_code == 413


async def test_oversized_frame_closes_its_socket(site: RoomSite) -> None:
    async with open_tab(site.url, "/login") as tab:
        await tab.connection.send("4" * 70_000)
        async with asyncio.timeout(DEADLINE):
            await tab.connection.wait_closed()
        assert tab.connection.close_code == 1009


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (Frame(Opcode.TEXT, b"\xff"), b""),
        (Frame(Opcode.TEXT, b"4", fin=False), Frame(Opcode.CONT, b"", fin=False)),
        (Frame(Opcode.TEXT, b"\xd0", fin=False), Frame(Opcode.CONT, b"\x20")),
    ],
    ids=["invalid text", "many fragments", "invalid fragmented text"],
)
async def test_invalid_text_frames_close_the_socket_without_log_errors(
    site: RoomSite,
    sockets: SocketAuthorizer,
    caplog: pytest.LogCaptureFixture,
    first: Frame,
    more: Frame | bytes,
) -> None:
    before = sockets.refused["malformed"]
    async with open_tab(site.url, "/login") as tab:
        tab.connection.transport.write(first.serialize(mask=True))
        for _ in range(200 if more else 0):
            assert isinstance(more, Frame)
            tab.connection.transport.write(more.serialize(mask=True))
        tab.connection.transport.write(Frame(Opcode.CONT, b"x").serialize(mask=True))
        async with asyncio.timeout(DEADLINE):
            await tab.connection.wait_closed()
    assert sockets.refused["malformed"] == before  # closed before the packet filter
    assert not _logged_errors(caplog)


@asynccontextmanager
async def _open_unread_tab(url: str) -> AsyncIterator[tuple[str, asyncio.StreamWriter]]:
    """Open a page whose WebSocket reads nothing after the handshake; yield the page id."""
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE) as http:
        client_id = read_client_id((await http.get("/login")).text)
    query = httpx.QueryParams(
        {**introduce(client_id, tab_id="unread"), "EIO": "4", "transport": "websocket"}
    )
    port = int(url.rpartition(":")[2])
    client_socket = socket.socket()
    client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    client_socket.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client_socket, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=client_socket, limit=1_024)
    writer.write(
        f"GET /_nicegui_ws/socket.io/?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Origin: {url}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.write(Frame(Opcode.TEXT, b"40").serialize(mask=True))
    await wait_until(lambda: bool(_participants(client_id)))
    yield client_id, writer
    writer.close()


def _participants(page: str) -> list[tuple[str, str]]:
    return list(core.sio.manager.get_participants("/", page))


async def test_client_that_sends_pings_and_reads_no_pongs_is_closed(site: RoomSite) -> None:
    ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1_000
    sent = 0
    async with _open_unread_tab(site.url) as (_, writer):
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(DEADLINE):
                while (sent := sent + len(ping)) < _MAX_SENT_BYTES:
                    writer.write(ping)
                    await writer.drain()


async def test_unread_bytes_of_websockets_are_limited_per_network(
    site: RoomSite, sockets: SocketAuthorizer, web: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: Connections = web.state.connections
    monkeypatch.setattr(connections, "_unread_per_network_max", 700_000)
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(_open_unread_tab(site.url)) for _ in range(3)]
        before = sockets.refused["unread"]
        while sockets.refused["unread"] == before:
            for page, _ in tabs:
                await websocket.broadcast("much", "x" * 20_000, room=page)
            await asyncio.sleep(0)
        await wait_until(lambda: len(sockets._open) < 3)
        assert sum(bool(_participants(page)) for page, _ in tabs) == 2
    await wait_until(lambda: not connections._unread)


async def test_websocket_that_is_not_read_times_out(
    site: RoomSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_WRITE_TIMEOUT_SECONDS", 0.1)
    async with _open_unread_tab(site.url) as (page, _):
        for _ in range(35):  # more than the socket buffers, less than the send queue
            await websocket.broadcast("much", "x" * 20_000, room=page)
        await wait_until(lambda: not _participants(page))


async def test_send_queue_of_an_unread_websocket_is_limited(
    site: RoomSite, sockets: SocketAuthorizer
) -> None:
    async with _open_unread_tab(site.url) as (page, _):
        before = sockets.refused["unread"]
        async with asyncio.timeout(DEADLINE):
            while _participants(page):
                await core.sio.emit("much", "x" * 50_000, room=page)
                await asyncio.sleep(0)
        assert sockets.refused["unread"] == before + 1


async def test_connections_are_counted_until_they_are_closed(site: RoomSite, web: FastAPI) -> None:
    connections: Connections = web.state.connections
    await wait_until(lambda: not len(connections))
    async with open_tab(site.url, "/login"):
        await wait_until(lambda: len(connections) == 1)
    await wait_until(lambda: not len(connections))
    assert not connections._networks


@pytest.mark.parametrize("connects", [False, True], ids=["sends nothing", "names no page"])
async def test_socket_without_handshake_is_closed(
    site: RoomSite, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch, connects: bool
) -> None:
    monkeypatch.setattr(module, "_HANDSHAKE_TIMEOUT_SECONDS", 0.1)
    before = sockets.refused["silent"]
    async with open_websocket(site.url, **introduce("nobody", tab_id="tab")) as connection:
        if connects:
            await connection.send("40")
        async with asyncio.timeout(DEADLINE):
            with pytest.raises(ConnectionClosed):
                while True:
                    await connection.recv()
    assert sockets.refused["silent"] > before  # sockets of earlier tests may time out too


async def test_handshake_timeout_is_extended_if_the_server_was_slow(
    site: RoomSite, sockets: SocketAuthorizer
) -> None:
    before = {*sockets._open}
    async with open_websocket(site.url, **introduce("nobody", tab_id="tab")) as connection:
        await connection.recv()
        (engine_id,) = {*sockets._open} - before
        first = sockets._open[engine_id].handshake_timer
        refused = sockets.refused["silent"]
        sockets._on_handshake_timeout(engine_id, asyncio.get_running_loop().time() - 10)
        assert sockets.refused["silent"] == refused
        assert sockets._open[engine_id].handshake_timer is not first
        first.cancel()


async def test_polling_socket_without_handshake_is_closed(
    site: RoomSite, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HANDSHAKE_TIMEOUT_SECONDS", 0.1)
    async with httpx.AsyncClient(base_url=site.url, timeout=DEADLINE) as http:
        query = {"EIO": "4", "transport": "polling"}
        handshake_text = (await http.get("/_nicegui_ws/socket.io/", params=query)).text
        query["sid"] = json.loads(handshake_text[1:])["sid"]
        assert (await http.get("/_nicegui_ws/socket.io/", params=query)).text == "1"
        assert query["sid"] not in sockets._open


async def test_handshake_cancels_the_handshake_timeout(
    site: RoomSite, sockets: SocketAuthorizer
) -> None:
    async with open_tab(site.url, "/login"):
        assert all(
            socket.handshake_timer.cancelled() for socket in sockets._open.values() if socket.sid
        )


async def test_anonymous_sockets_are_limited_per_network(
    site: RoomSite, sockets: SocketAuthorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await wait_until(lambda: not len(sockets._connection_limit))
    limit = ConnectionLimit(per_visitor=100, per_network=2, network_total=1_000)
    monkeypatch.setattr(sockets, "_connection_limit", limit)
    async with open_tab(site.url, "/login"):
        async with open_tab(site.url, "/login"):
            before = sockets.refused["crowded"]
            with pytest.raises(InvalidStatus):
                await open_websocket(site.url, **introduce("nobody", tab_id="tab"))
            async with httpx.AsyncClient(base_url=site.url, timeout=DEADLINE) as http:
                query = {"EIO": "4", "transport": "polling"}
                response = await http.get("/_nicegui_ws/socket.io/", params=query)
                assert response.status_code == 401
            assert sockets.refused["crowded"] == before + 2
            async with open_tab(site.url, "/", token=site.ann_token):
                pass  # visitors have a limit of their own
        await wait_until(lambda: len(sockets._open) == 1)
        async with open_tab(site.url, "/login"):
            pass
    await wait_until(lambda: not len(limit))
    assert not sockets._open
    assert not sockets._pages


async def test_handshake_query_with_two_page_ids_is_invalid(
    site: RoomSite, sockets: SocketAuthorizer
) -> None:
    async with httpx.AsyncClient(base_url=site.url, timeout=DEADLINE) as http:
        one, two = [read_client_id((await http.get("/login")).text) for _ in range(2)]
    query = httpx.QueryParams(introduce(one, tab_id="tab"))
    assert read_handshake_params({"QUERY_STRING": f"{query}&client_id={two}"}) is None
    assert read_handshake_params({"QUERY_STRING": str(query)})


async def test_nicegui_registers_only_the_wrapped_handlers(web: object) -> None:
    """A new handler of NiceGUI would accept every socket: `SocketAuthorizer` must wrap it."""
    events = {"connect", "disconnect", "handshake", "event", "javascript_response", "ack", "log"}
    assert set(core.sio.handlers) == {"/"}
    assert set(core.sio.handlers["/"]) == events
    assert not core.sio.namespace_handlers
    assert set(core.sio.eio.handlers) == {"connect", "message", "disconnect"}


def _logged_errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


async def test_only_the_socket_over_the_event_limit_is_closed(
    site: RoomSite, sockets: SocketAuthorizer, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_event_limit", make_limit(Rate(3, timedelta(seconds=10)), clock))
    async with (
        open_tab(site.url, "/login") as flooding,
        open_tab(site.url, "/login") as other,
    ):
        listener = flooding.listeners()[0]
        for _ in range(3):
            await flooding.fire(listener, {})
        before = sockets.refused["flooding"]
        await flooding.connection.send(
            f"42{json.dumps(['event', event_of(listener, flooding.client, {})])}"
        )
        async with asyncio.timeout(DEADLINE):
            await flooding.connection.wait_closed()
        assert sockets.refused["flooding"] == before + 1
        await other.fire(other.listeners()[0], {})


@pytest.mark.parametrize("event", ["page", "sync"])
async def test_deleted_message_is_not_resent_on_reconnect(
    site: RoomSite, chat: Chat, event: str
) -> None:
    message = await chat.messages.post(site.room.id, visitor_id=site.ann.id, text="xyzzy-plugh")
    async with open_tab(site.url, f"/r/{site.room.slug}", token=site.ann_token) as tab:
        listener = next(
            each
            for each in tab.listeners()
            if each.type == event and "messages" in str(tab.client.elements[each.element_id].props)
        )
        await tab.fire(listener, {"question": 1, "keys": []})
        await wait_until(lambda: any("xyzzy-plugh" in frame for frame in tab.received))
        await chat.messages.delete(site.room.id, visitor_id=site.ann.id, message_id=message.id)
        handshake = introduce(tab.client.id, tab_id=str(tab.client.tab_id), after=0)
        async with open_websocket(site.url, **handshake) as connection:
            await complete_handshake(connection)
            other = Tab(tab.client, connection)
            await other.fire(listener, {"question": 2, "keys": []})
            await wait_until(lambda: any("question" in frame for frame in other.received))
            assert not any("xyzzy-plugh" in frame for frame in other.received)
            await other.close()


async def test_stale_unpolled_packets_are_not_delivered(
    site: RoomSite, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, cookies = "/_nicegui_ws/socket.io/", {"anonchat": site.ann_token}
    async with httpx.AsyncClient(base_url=site.url, cookies=cookies, timeout=DEADLINE) as http:
        client_id = read_client_id((await http.get(f"/r/{site.room.slug}")).text)
        query = {**introduce(client_id, tab_id="late"), "transport": "polling"}
        query["sid"] = json.loads((await http.get(address, params=query)).text[1:])["sid"]
        await http.post(address, params=query, content="40", headers={"origin": site.url})
        await http.get(address, params=query)
        await chat.messages.post(site.room.id, visitor_id=site.ann.id, text="xyzzy-plugh")
        await wait_until(lambda: query["sid"] in websocket._unpolled_since)
        monkeypatch.setattr(websocket, "_MAX_UNPOLLED_SECONDS", -1)
        response = await http.get(address, params=query)
        assert response.status_code == 400
        assert "xyzzy" not in response.text


async def test_refusal_counts_are_logged_once(
    sockets: SocketAuthorizer, caplog: pytest.LogCaptureFixture
) -> None:
    sockets.log_refused()
    caplog.clear()
    sockets.refused.update({"foreign": 2, "crowded": 1})
    sockets.log_refused()
    sockets.log_refused()
    assert [record.getMessage() for record in caplog.records] == [
        "sockets, packets or connections refused: 1 crowded, 2 foreign"
    ]


async def test_repeated_room_end_event_replaces_the_room_once(site: RoomSite) -> None:
    async with open_tab(site.url, f"/r/{site.room.slug}", token=site.bob_token) as page:
        (ended,) = [each for each in page.listeners() if each.type == "ended"]
        await page.fire(ended, {"why": "burnt"})
        await page.fire(ended, {"why": "quiet"})
        await wait_until(lambda: any("This room was burnt." in frame for frame in page.received))
        await page.fire(ended, {"why": "quiet"})
        assert sum(frame.count("This room was burnt.") for frame in page.received) == 1
        assert not any("This room has ended." in frame for frame in page.received)

"""Sockets that speak for pages that are not theirs, or for none, or say what no page says."""

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

from anonchat import Chat, ConnectionLimit
from anonchat.rates import Rate
from pages.connections import Connections
from pages.live import lines
from pages.live import sockets as module
from pages.live.sockets import _NO_NEWS, Sockets
from tests.fakes import FakeClock, make_limit
from tests.history.screen import introduce, read_client_id
from tests.pages.tab import PATIENCE, Tab, begin, event_of, open_tab, plug_in, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_MUCH = 100_000_000
_DEEP = "[" * 3_000 + "]" * 3_000
_NASTY = (None, 0, -1, 1e308, True, "", "x" * 50_000, [], [[]], {}, {"name": {}, "fields": []})


class Town:
    """A room, one who is in it, and one who is not."""

    def __init__(self, url: str, chat: Chat) -> None:
        self.url = url
        self.chat = chat

    async def build(self, name: str) -> None:
        chat = self.chat
        self.ann, self.ann_token = await chat.identity.come_in(f"Ann {name}")
        self.bob, self.bob_token = await chat.identity.come_in(f"Bob {name}")
        for token in (self.ann_token, self.bob_token):
            await chat.identity.recognise(token)
        self.room = await chat.rooms.open(f"room {name}", visitor_id=self.ann.id)
        await chat.memberships.join(self.room.id, visitor_id=self.ann.id)

    def pages(self) -> list[tuple[str, str]]:
        """Return every kind of page, with the token of whoever looks at it."""
        room = f"/r/{self.room.slug}"
        return [
            ("/login", ""),
            ("/privacy", ""),
            ("/", self.ann_token),
            (room, self.ann_token),
            (room, self.bob_token),
        ]


@pytest_asyncio.fixture(loop_scope="session")
async def town(url: str, chat: Chat, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    town = Town(url, chat)
    await town.build(str(abs(hash(request.node.nodeid)))[:8])
    yield town


async def test_nobody_acts_for_a_page_that_is_not_theirs(town: Town, sockets: Sockets) -> None:
    tried = 0
    async with AsyncExitStack() as tabs:
        strangers = [
            await tabs.enter_async_context(open_tab(town.url, path, token=token))
            for path, token in (
                ("/login", ""),  # a stranger
                ("/", town.bob_token),  # one who is not in the room
                ("/privacy", town.ann_token),  # another tab of the same visitor
            )
        ]
        for path, token in town.pages():
            page = await tabs.enter_async_context(open_tab(town.url, path, token=token))
            happened = _overhear(page)
            for listener in page.listeners():
                for stranger in strangers:
                    before = sockets.refused["foreign"]
                    await stranger.fire(listener, {}, of=page)
                    assert sockets.refused["foreign"] == before + 1
                assert not happened
                await page.fire(listener, {})
                assert [each.type for each in happened] == [listener.type]
                happened.clear()
                tried += 1
    assert tried > 25  # else this looks at other things than it says


def _overhear(page: Tab) -> list[EventListener]:
    """Note what happens on a page, instead of letting it happen."""
    happened: list[EventListener] = []
    for listener in page.listeners():
        listener.handler = lambda _, listener=listener: happened.append(listener)
    return happened


@pytest.mark.parametrize("event", ["ack", "javascript_response", "event"])
async def test_every_event_is_for_the_own_page_alone(
    town: Town, sockets: Sockets, event: str
) -> None:
    async with open_tab(town.url, "/login") as mine, open_tab(town.url, "/login") as other:
        for client_id in (other.client.id, "nobody", "", None, 7, [], {}):
            before = sockets.refused["foreign"]
            await mine.say(event, {"client_id": client_id, "next_message_id": 1})
            assert sockets.refused["foreign"] == before + 1


async def test_a_socket_that_has_shaken_no_hands_speaks_for_nobody(
    town: Town, sockets: Sockets
) -> None:
    async with open_tab(town.url, "/login") as page:
        hello = introduce(page.client.id, tab_id=str(page.client.tab_id))
        async with plug_in(town.url, **{**hello, "implicit_handshake": "false"}) as line:
            await begin(line)
            other, before = Tab(page.client, line), sockets.refused["foreign"]
            await other.fire(page.listeners()[0], {})
            assert sockets.refused["foreign"] == before + 1
            await other.say("handshake", {"client_id": "whatever it says"})
            await other.fire(page.listeners()[0], {})  # its address named the page, so it may
            assert sockets.refused["foreign"] == before + 1
            await other.close()


async def test_a_former_member_can_neither_speak_nor_hear(town: Town) -> None:
    chat, room = town.chat, town.room
    await chat.memberships.join(room.id, visitor_id=town.bob.id)
    async with open_tab(town.url, f"/r/{room.slug}", token=town.ann_token) as page:
        await chat.memberships.leave(room.id, visitor_id=town.ann.id)
        await chat.messages.post(room.id, visitor_id=town.bob.id, text="not for her ears")
        for listener in page.listeners():
            for args in ({"text": "forged", "dedup": "x"}, {"keys": ["1"]}, {"seq": 1}, {}):
                await page.fire(listener, args)
        await until(lambda: "now" in "".join(page.heard))
        history = await chat.messages.history(room.id, visitor_id=town.bob.id, limit=50)
        assert [message.text for message in history] == ["not for her ears"]
        assert not [frame for frame in page.heard if "not for her ears" in frame]


async def test_a_post_that_is_said_a_hundred_times_is_posted_once(town: Town) -> None:
    async with open_tab(town.url, f"/r/{town.room.slug}", token=town.ann_token) as page:
        (post,) = (each for each in page.listeners() if each.type == "post")
        said = {"text": "once", "dedup": "same"}
        frame = json.dumps(["event", event_of(post, page.client, said)])
        for _ in range(100):
            await page.line.send(f"42{frame}")
        await page.fire(post, {"text": "the last", "dedup": "another"})
        await until(lambda: "the last" in "".join(page.heard))
    history = await town.chat.messages.history(town.room.id, visitor_id=town.ann.id, limit=50)
    assert [message.text for message in history] == ["once", "the last"]


async def test_whatever_a_page_says_happened_nothing_breaks(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    for path, token in town.pages():
        async with open_tab(town.url, path, token=token) as page:
            for listener in page.listeners():
                for args in _NASTY:
                    await page.fire(listener, args)
                for raw in (_DEEP, "{", "", "\x00"):
                    await page.say("event", {**event_of(listener, page.client), "args": [raw]})
                await page.say("event", {**event_of(listener, page.client), "listener_id": "x"})
    assert not _alarms(caplog)


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
        '42["event",' + _DEEP,
        '42["event",[],[]]',
        '42/admin,["event",{}]',
        "40/admin,",
        "43[]",
        '451-["event",{"_placeholder":true,"num":0}]',
        '42["event",{"client_id":"OWN"}]',
    ],
)
async def test_what_no_page_says_is_refused_without_a_word(
    town: Town, sockets: Sockets, caplog: pytest.LogCaptureFixture, frame: str | bytes
) -> None:
    async with open_tab(town.url, "/login") as tab:
        before = sockets.refused["malformed"]
        if isinstance(frame, str):
            frame = frame.replace("OWN", tab.client.id)
        await tab.line.send(frame)
        await until(lambda: sockets.refused["malformed"] > before)
    assert not _alarms(caplog)


async def test_a_socket_begins_once(town: Town, sockets: Sockets) -> None:
    async with open_tab(town.url, "/login") as tab:
        before = sockets.refused["malformed"]
        for frame in ("41", "40"):
            await tab.line.send(frame)
        await until(lambda: sockets.refused["malformed"] > before)


async def test_a_browser_writes_nothing_into_our_log(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_tab(town.url, "/login") as tab:
        for level in ("error", "no such level"):
            line = {"client_id": tab.client.id, "level": level, "message": "\nforged"}
            await tab.say("log", line)
    assert "forged" not in caplog.text
    assert not _alarms(caplog)


@pytest.mark.parametrize("body", [b"x", b"\xff", b"4x", b'42["nothing",{}]', b"6\x1e" * 40, b"d=4"])
async def test_a_polled_request_that_is_none_is_refused_without_a_word(
    town: Town, sockets: Sockets, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    async with httpx.AsyncClient(base_url=town.url, timeout=PATIENCE) as http:
        query = {"EIO": "4", "transport": "polling"}
        hello = (await http.get("/_nicegui_ws/socket.io/", params=query)).text
        query["sid"] = json.loads(hello[1:])["sid"]
        before = sockets.refused["malformed"]
        origin = {"origin": town.url}
        await http.post("/_nicegui_ws/socket.io/", params=query, content=body, headers=origin)
        assert sockets.refused["malformed"] > before
    assert not _alarms(caplog)


@pytest.mark.parametrize(
    "query", ["EIO=3", "EIO=4", "transport=x", "transport=websocket", "sid=x", "j=x", "j=1"]
)
async def test_what_is_asked_wrongly_of_the_sockets_is_refused_without_a_word(
    town: Town, caplog: pytest.LogCaptureFixture, query: str
) -> None:
    core.sio.eio.log_message_keys.intersection_update(_NO_NEWS)  # what was said, is said again
    async with httpx.AsyncClient(base_url=town.url, timeout=PATIENCE) as http:
        for more in ("EIO=4&transport=polling&", ""):
            place = f"/_nicegui_ws/socket.io/?{more}{query}"
            for method in ("GET", "POST", "PUT"):
                answer = await http.request(method, place, headers={"origin": town.url})
                assert answer.status_code in (200, 400, 405), method
    assert not _alarms(caplog)


async def test_a_polled_request_that_is_too_large_is_refused(town: Town) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield b"4" * 1_000

    async with httpx.AsyncClient(base_url=town.url, timeout=PATIENCE) as http:
        for content in (b"4" * 70_000, chunks()):
            answer = await http.post(
                "/_nicegui_ws/socket.io/",
                params={"EIO": "4", "transport": "polling", "sid": "x"},
                content=content,
                headers={"origin": town.url},
            )
            assert answer.status_code == 413


async def test_a_frame_that_is_too_large_ends_its_socket(town: Town) -> None:
    async with open_tab(town.url, "/login") as tab:
        await tab.line.send("4" * 70_000)
        async with asyncio.timeout(PATIENCE):
            await tab.line.wait_closed()
        assert tab.line.close_code == 1009


@pytest.mark.parametrize(
    ("first", "more"),
    [
        (Frame(Opcode.TEXT, b"\xff"), b""),
        (Frame(Opcode.TEXT, b"4", fin=False), Frame(Opcode.CONT, b"", fin=False)),
        (Frame(Opcode.TEXT, b"\xd0", fin=False), Frame(Opcode.CONT, b"\x20")),
    ],
    ids=["no text", "countless parts", "no text in parts"],
)
async def test_what_is_no_text_ends_its_socket_without_a_word(
    town: Town,
    sockets: Sockets,
    caplog: pytest.LogCaptureFixture,
    first: Frame,
    more: Frame | bytes,
) -> None:
    before = sockets.refused["malformed"]
    async with open_tab(town.url, "/login") as tab:
        tab.line.transport.write(first.serialize(mask=True))
        for _ in range(200 if more else 0):
            assert isinstance(more, Frame)
            tab.line.transport.write(more.serialize(mask=True))
        tab.line.transport.write(Frame(Opcode.CONT, b"x").serialize(mask=True))
        async with asyncio.timeout(PATIENCE):
            await tab.line.wait_closed()
    assert sockets.refused["malformed"] == before  # nobody has read it
    assert not _alarms(caplog)


@asynccontextmanager
async def _deaf_tab(url: str) -> AsyncIterator[tuple[str, asyncio.StreamWriter]]:
    """Open a page whose web socket reads nothing after the beginning; give the id of the page."""
    async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
        client_id = read_client_id((await http.get("/login")).text)
    query = httpx.QueryParams(
        {**introduce(client_id, tab_id="deaf"), "EIO": "4", "transport": "websocket"}
    )
    port = int(url.rpartition(":")[2])
    end = socket.socket()
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    end.setblocking(False)
    await asyncio.get_running_loop().sock_connect(end, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=end, limit=1_024)
    writer.write(
        f"GET /_nicegui_ws/socket.io/?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Origin: {url}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    writer.write(Frame(Opcode.TEXT, b"40").serialize(mask=True))
    await until(lambda: bool(_participants(client_id)))
    yield client_id, writer
    writer.close()


def _participants(page: str) -> list[tuple[str, str]]:
    return list(core.sio.manager.get_participants("/", page))


async def test_who_asks_without_end_and_reads_no_answer_is_cut_off(town: Town) -> None:
    ping = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 1_000
    sent = 0
    async with _deaf_tab(town.url) as (_, writer):
        with pytest.raises(ConnectionError):
            async with asyncio.timeout(PATIENCE):
                while (sent := sent + len(ping)) < _MUCH:
                    writer.write(ping)
                    await writer.drain()


async def test_web_sockets_of_one_network_leave_so_much_unread_and_no_more(
    town: Town, sockets: Sockets, web: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections: Connections = web.state.connections
    monkeypatch.setattr(connections, "_unread_per_network_max", 700_000)
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(_deaf_tab(town.url)) for _ in range(3)]
        before = sockets.refused["unread"]
        while sockets.refused["unread"] == before:
            for page, _ in tabs:
                await lines.send("much", "x" * 20_000, room=page)
            await asyncio.sleep(0)
        await until(lambda: len(sockets._open) < 3)
        assert sum(bool(_participants(page)) for page, _ in tabs) == 2
    await until(lambda: not connections._unread)


async def test_web_socket_that_is_not_read_for_long_is_cut(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_READER_SECONDS", 0.1)
    async with _deaf_tab(town.url) as (page, _):
        for _ in range(35):  # more than the system keeps for it, and less than a line keeps
            await lines.send("much", "x" * 20_000, room=page)
        await until(lambda: not _participants(page))


async def test_packets_of_the_pages_for_a_web_socket_that_is_not_read_are_bounded(
    town: Town, sockets: Sockets
) -> None:
    async with _deaf_tab(town.url) as (page, _):
        before = sockets.refused["unread"]
        async with asyncio.timeout(PATIENCE):
            while _participants(page):
                await core.sio.emit("much", "x" * 50_000, room=page)
                await asyncio.sleep(0)
        assert sockets.refused["unread"] == before + 1


async def test_connections_are_counted_until_they_are_closed(town: Town, web: FastAPI) -> None:
    connections: Connections = web.state.connections
    await until(lambda: not len(connections))
    async with open_tab(town.url, "/login"):
        await until(lambda: len(connections) == 1)
    await until(lambda: not len(connections))
    assert not connections._networks


@pytest.mark.parametrize("begins", [False, True], ids=["says nothing", "names no page"])
async def test_a_socket_without_a_handshake_is_ended(
    town: Town, sockets: Sockets, monkeypatch: pytest.MonkeyPatch, begins: bool
) -> None:
    monkeypatch.setattr(module, "_HANDSHAKE_SECONDS", 0.1)
    before = sockets.refused["silent"]
    async with plug_in(town.url, **introduce("nobody", tab_id="tab")) as line:
        if begins:
            await line.send("40")
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(ConnectionClosed):
                while True:
                    await line.recv()
    assert sockets.refused["silent"] > before  # sockets of earlier tests may end meanwhile


async def test_nobody_is_ended_for_our_own_slowness(town: Town, sockets: Sockets) -> None:
    before = {*sockets._open}
    async with plug_in(town.url, **introduce("nobody", tab_id="tab")) as line:
        await line.recv()
        (engine_id,) = {*sockets._open} - before
        first = sockets._open[engine_id].patience
        refused = sockets.refused["silent"]
        sockets._lose_patience(engine_id, asyncio.get_running_loop().time() - 10)
        assert sockets.refused["silent"] == refused
        assert sockets._open[engine_id].patience is not first
        first.cancel()


async def test_a_polling_socket_without_a_handshake_is_ended(
    town: Town, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HANDSHAKE_SECONDS", 0.1)
    async with httpx.AsyncClient(base_url=town.url, timeout=PATIENCE) as http:
        query = {"EIO": "4", "transport": "polling"}
        hello = (await http.get("/_nicegui_ws/socket.io/", params=query)).text
        query["sid"] = json.loads(hello[1:])["sid"]
        assert (await http.get("/_nicegui_ws/socket.io/", params=query)).text == "1"
        assert query["sid"] not in sockets._open


async def test_a_socket_that_has_shaken_hands_may_stay(town: Town, sockets: Sockets) -> None:
    async with open_tab(town.url, "/login"):
        assert all(socket.patience.cancelled() for socket in sockets._open.values() if socket.sid)


async def test_strangers_of_one_address_have_so_many_sockets_and_no_more(
    town: Town, sockets: Sockets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await until(lambda: not len(sockets._counted))
    counted = ConnectionLimit(per_visitor=100, per_network=2, network_total=1_000)
    monkeypatch.setattr(sockets, "_counted", counted)
    async with open_tab(town.url, "/login"):
        async with open_tab(town.url, "/login"):
            before = sockets.refused["crowded"]
            with pytest.raises(InvalidStatus):
                await plug_in(town.url, **introduce("nobody", tab_id="tab"))
            async with httpx.AsyncClient(base_url=town.url, timeout=PATIENCE) as http:
                query = {"EIO": "4", "transport": "polling"}
                answer = await http.get("/_nicegui_ws/socket.io/", params=query)
                assert answer.status_code == 401
            assert sockets.refused["crowded"] == before + 2
            async with open_tab(town.url, "/", token=town.ann_token):
                pass  # who is known has places of their own
        await until(lambda: len(sockets._open) == 1)
        async with open_tab(town.url, "/login"):
            pass
    await until(lambda: not len(counted))
    assert not sockets._open
    assert not sockets._pages


async def test_two_pages_in_one_address_are_none(town: Town, sockets: Sockets) -> None:
    async with httpx.AsyncClient(base_url=town.url, timeout=PATIENCE) as http:
        one, two = [read_client_id((await http.get("/login")).text) for _ in range(2)]
    query = httpx.QueryParams(introduce(one, tab_id="tab"))
    assert module._read_hello({"QUERY_STRING": f"{query}&client_id={two}"}) is None
    assert module._read_hello({"QUERY_STRING": str(query)})


async def test_nicegui_has_the_handlers_that_we_stand_before(web: object) -> None:
    """A new one of NiceGUI's would be open to every socket: then `Sockets` has to know of it."""
    events = {"connect", "disconnect", "handshake", "event", "javascript_response", "ack", "log"}
    assert set(core.sio.handlers) == {"/"}
    assert set(core.sio.handlers["/"]) == events
    assert not core.sio.namespace_handlers
    assert set(core.sio.eio.handlers) == {"connect", "message", "disconnect"}


def _alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


async def test_a_socket_that_says_more_than_a_page_can_is_cut_and_others_are_not(
    town: Town, sockets: Sockets, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "_limit", make_limit(Rate(3, timedelta(seconds=10)), clock))
    async with (
        open_tab(town.url, "/login") as loud,
        open_tab(town.url, "/login") as quiet,
    ):
        listener = loud.listeners()[0]
        for _ in range(3):
            await loud.fire(listener, {})
        before = sockets.refused["flooding"]
        await loud.line.send(f"42{json.dumps(['event', event_of(listener, loud.client, {})])}")
        async with asyncio.timeout(PATIENCE):
            await loud.line.wait_closed()
        assert sockets.refused["flooding"] == before + 1
        await quiet.fire(quiet.listeners()[0], {})


@pytest.mark.parametrize("event", ["page", "sync"])
async def test_what_was_deleted_does_not_come_again_with_another_socket(
    town: Town, chat: Chat, event: str
) -> None:
    said = await chat.messages.post(town.room.id, visitor_id=town.ann.id, text="xyzzy-plugh")
    async with open_tab(town.url, f"/r/{town.room.slug}", token=town.ann_token) as tab:
        listener = next(
            each
            for each in tab.listeners()
            if each.type == event and "messages" in str(tab.client.elements[each.element_id].props)
        )
        await tab.fire(listener, {"question": 1, "keys": []})
        await until(lambda: any("xyzzy-plugh" in frame for frame in tab.heard))
        await chat.messages.delete(town.room.id, visitor_id=town.ann.id, message_id=said.id)
        again = introduce(tab.client.id, tab_id=str(tab.client.tab_id), after=0)
        async with plug_in(town.url, **again) as line:
            await begin(line)
            other = Tab(tab.client, line)
            await other.fire(listener, {"question": 2, "keys": []})
            await until(lambda: any("question" in frame for frame in other.heard))
            assert not any("xyzzy-plugh" in frame for frame in other.heard)
            await other.close()


async def test_who_left_what_was_said_unpolled_is_not_given_it_late(
    town: Town, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, cookies = "/_nicegui_ws/socket.io/", {"anonchat": town.ann_token}
    async with httpx.AsyncClient(base_url=town.url, cookies=cookies, timeout=PATIENCE) as http:
        client_id = read_client_id((await http.get(f"/r/{town.room.slug}")).text)
        query = {**introduce(client_id, tab_id="late"), "transport": "polling"}
        query["sid"] = json.loads((await http.get(address, params=query)).text[1:])["sid"]
        await http.post(address, params=query, content="40", headers={"origin": town.url})
        await http.get(address, params=query)
        await chat.messages.post(town.room.id, visitor_id=town.ann.id, text="xyzzy-plugh")
        await until(lambda: query["sid"] in lines._left_since)
        monkeypatch.setattr(lines, "_LEFT_SECONDS", -1)
        answer = await http.get(address, params=query)
        assert answer.status_code == 400
        assert "xyzzy" not in answer.text


async def test_the_operator_is_told_how_much_was_refused_and_not_twice(
    sockets: Sockets, caplog: pytest.LogCaptureFixture
) -> None:
    sockets.tell_refused()
    caplog.clear()
    sockets.refused.update({"foreign": 2, "crowded": 1})
    sockets.tell_refused()
    sockets.tell_refused()
    assert [record.getMessage() for record in caplog.records] == [
        "sockets and what they said were refused: 1 crowded, 2 foreign"
    ]


async def test_who_is_told_twice_that_a_room_has_ended_is_led_away_once(town: Town) -> None:
    async with open_tab(town.url, f"/r/{town.room.slug}", token=town.bob_token) as page:
        (ended,) = [each for each in page.listeners() if each.type == "ended"]
        await page.fire(ended, {"why": "burnt"})
        await page.fire(ended, {"why": "quiet"})
        await until(lambda: any("location.assign" in frame for frame in page.heard))
        assert sum(frame.count("This room was burnt.") for frame in page.heard) == 1
        assert not any("This room has ended." in frame for frame in page.heard)

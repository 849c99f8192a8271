"""A client that behaves like a page of a room in a browser, without a browser."""

import asyncio
import contextlib
import json
import random
import re
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from tests.history.place import Place, now
from tests.history.record import Line, Post, Sight, Telling
from tests.history.rows import Rows, read_line

_ESCAPES = {"&#36;": "$", "&#96;": "`", "&gt;": ">", "&lt;": "<", "&amp;": "&"}
_ELEMENTS = re.compile(r"parseElements\(String\.raw`(.*?)`\)", re.DOTALL)
_LIST = re.compile(r'<\w+ id="c(\d+)" class="feed [^"]*" data-rows="([^"]*)">')
_TAG = re.compile(r"<(\w+)")
_QUERY = re.compile(r"'client_id': '([^']+)'")
_NODE = re.compile(r"'node': '([^']+)'")
_CALL = re.compile(r'return runMethod\((\d+), "(\w+)", (.*)\)', re.DOTALL)
_RETRY = (0.1, 0.5)  # seconds: shorter than a browser's, to test more reconnections
_ACK_SECONDS = 3
_ANSWERS = {"resend", "accept", "reject", "ask", "expire"}  # other calls show what is not recorded
_CONNECTION_ERRORS = (OSError, TimeoutError, WebSocketException, httpx.TransportError)


class Reload(Exception):
    """The page has to be reloaded."""


class NavigatedAway(Exception):
    """The page has navigated to another URL."""


@dataclass
class _Page:
    """A loaded page and the state of its socket."""

    client_id: str
    node: str
    feed: dict[str, Any]
    composer: dict[str, Any]
    rows: Rows
    requested_at: float
    expect_connected: bool = False
    next_message_id: int = 0
    unsent: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    questions: dict[int, float] = field(default_factory=dict)

    def emit(self, element: dict[str, Any], kind: str, arguments: dict[str, Any]) -> None:
        """Queue an event of an element."""
        event = {
            "id": element["id"],
            "client_id": self.client_id,
            "listener_id": next(e["listener_id"] for e in element["events"] if e["type"] == kind),
            "args": [json.dumps(arguments)],
        }
        self.unsent.put_nowait("42" + json.dumps(["event", event]))


class Screen:
    """One tab: loads its page, keeps its socket connected, and records its rows."""

    def __init__(self, name: str, *, url: str, token: str, author: str, room: Place) -> None:
        self.name = name
        self.token = token
        self.author = author
        self.loaded = 0
        self.connected = 0
        self.reads = asyncio.Event()  # while unset, the page does not read its socket
        self.reads.set()
        self._url = url
        self._room = room
        self._random = random.Random(name)
        self._page: _Page | None = None
        self._tab_id = f"{name} {self._random.random()}"
        self._pending: dict[str, tuple[Post, asyncio.Future[None]]] = {}
        self._last: tuple[object, ...] = ()

    async def live(self) -> None:
        """Run until cancelled; reload the page after any failure, as a person would."""
        cookies = {"anonchat": self.token}
        async with httpx.AsyncClient(base_url=self._url, cookies=cookies, timeout=10) as http:
            while True:
                with contextlib.suppress(Reload, NavigatedAway, *_CONNECTION_ERRORS):
                    await self._keep_connected(await self._load(http))
                await self._pause()

    async def say(self, text: str, *, dedup_id: str) -> Post:
        """Post a message; return when it is accepted, rejected or given up."""
        post = self._room.post(text, dedup_id=dedup_id, author=self.author)
        settled = asyncio.get_running_loop().create_future()
        self._pending[dedup_id] = (post, settled)
        self._send(post)
        await settled
        return post

    def look(self) -> Sight | None:
        """Return the current list, or `None` while the page is loading."""
        if self._page is None:
            return None
        rows, at = self._page.rows, now()
        return Sight(
            self.name,
            at,
            self._page.requested_at,
            rows.show(at),
            rows.is_synced,
            rows.more,
            screen=self.loaded,
        )

    def describe(self) -> str:
        """Return the node and the connection state of the page for a report."""
        if (page := self._page) is None:
            return f"{self.name} is loading its page"
        state = "is connected" if page.expect_connected else "is not connected"
        return (
            f"{self.name} {state} to {page.node}: loaded {self.loaded} times,"
            f" connected {self.connected} times, synced {page.requested_at:.3f}, {page.questions}"
        )

    async def _load(self, http: httpx.AsyncClient) -> _Page:
        requested_at = now()
        answer = await http.get(f"/r/{self._room.slug}")
        if answer.status_code != 200:
            raise Reload
        elements = read_elements(answer.text)
        feeds = [e for e in elements if e["props"].get("channel") == "messages"]
        composers = [e for e in elements if e["tag"] == "nicegui-composer"]
        if not feeds or not composers:  # a non-member gets the join panel
            raise NavigatedAway
        initial_rows = read_first_rows(answer.text)[feeds[0]["id"]]
        self.loaded += 1
        self._record_response(requested_at, tuple(map(read_line, initial_rows)))
        rows = Rows(initial_rows, more=feeds[0]["props"]["more"])
        client_id, node = read_client_id(answer.text), read_node(answer.text)
        return _Page(client_id, node, feeds[0], composers[0], rows, requested_at)

    async def _keep_connected(self, page: _Page) -> None:
        """Reconnect the socket of a page, as long as the server knows the page."""
        self._page = page
        try:
            while True:
                with contextlib.suppress(*_CONNECTION_ERRORS):
                    async with self._connect(page) as socket:
                        await self._exchange(page, socket)
                page.rows.mark_disconnected()
                await self._pause()
        finally:
            self._page = None

    def _connect(self, page: _Page) -> connect:
        handshake = introduce(page.client_id, tab_id=self._tab_id, after=page.next_message_id)
        query = httpx.QueryParams({**handshake, "node": page.node, "transport": "websocket"})
        address = f"{self._url.replace('http', 'ws', 1)}/_nicegui_ws/socket.io/?{query}"
        return connect(
            address,
            origin=Origin(self._url),
            compression=None,
            ping_interval=None,
            max_size=None,
            proxy=None,
        )

    async def _exchange(self, page: _Page, socket: ClientConnection) -> None:
        async with asyncio.timeout(30):
            handshake = json.loads(str(await socket.recv())[1:])
            await socket.send("40")
            early = []  # packets may arrive before the connect response
            while not (answer := str(await socket.recv())).startswith("40"):
                if answer.startswith("44"):
                    raise Reload
                early.append(answer)
        self.connected += 1
        timeout = (handshake["pingInterval"] + handshake["pingTimeout"]) / 1000
        page.unsent = asyncio.Queue()  # unsent events of the old connection are lost
        page.expect_connected = True
        page.emit(page.feed, "page", {})  # the response confirms that the loaded rows are complete
        sender = asyncio.create_task(_send_events(page, socket))
        try:
            for frame in early:
                self._receive_event(page, *json.loads(frame[2:]))
            while True:
                await self.reads.wait()
                async with asyncio.timeout(timeout):
                    frame = str(await socket.recv())
                if frame == "2":
                    await socket.send("3")
                elif frame.startswith("42"):
                    self._receive_event(page, *json.loads(frame[2:]))
                elif frame.startswith("41"):
                    return
        finally:
            page.expect_connected = False
            sender.cancel()

    def _receive_event(self, page: _Page, event: str, content: dict[str, Any]) -> None:
        if "_id" in content:
            if content["_id"] < page.next_message_id:
                return
            page.next_message_id = content["_id"] + 1
        match event:
            case "feed":
                self._receive(page, content)
            case "run_javascript":
                self._run(page, content["code"])
            case "update" if content.get(str(page.feed["id"]), page.feed) is None:
                raise NavigatedAway  # another sub page is shown
            case "open":
                raise NavigatedAway
            case "move":
                raise Reload

    def _receive(self, page: _Page, packet: dict[str, Any]) -> None:
        room_id = page.composer["props"]["storage_key"].partition(":")[0]
        if any(news.get("gone") or news.get("left") == room_id for news in packet.get("news", [])):
            raise NavigatedAway
        if packet["channel"] == "messages":
            page.rows.receive(packet)
            self._record_sight()

    def _run(self, page: _Page, code: str) -> None:
        call = _CALL.fullmatch(code)
        if "reload()" in code or "history.go" in code:
            raise Reload
        if call is None:
            return
        element, method, arguments = int(call[1]), call[2], json.loads(call[3])
        if element == page.feed["id"] and method == "sync":
            question = page.rows.request_sync()
            page.questions = {question["question"]: now()}
            page.emit(page.feed, "sync", question)
        elif element == page.feed["id"] and method == "catchUp":
            self._catch_up(page, *arguments)
        elif element == page.feed["id"] and method == "showPage":
            page.rows.confirm_initial()
            self._record_sight()
        elif element == page.composer["id"] and method in _ANSWERS:
            getattr(self, f"_{method}")(*arguments)

    def _catch_up(self, page: _Page, answer: dict[str, Any]) -> None:
        lines = page.rows.catch_up(answer)
        if lines is not None:
            page.requested_at = page.questions[answer["question"]]
            self._record_response(page.requested_at, lines)
            self._record_sight()

    def _resend(self) -> None:
        for post, _ in list(self._pending.values()):
            if now() < post.expires_at - self._room.ttl / 2:
                self._send(post)
            else:  # it may have been stored and have expired already
                self._settle(post.dedup_id)

    def _accept(self, dedup_id: str) -> None:
        if post := self._settle(dedup_id):
            post.accepted.append(now())

    def _reject(self, dedup_id: str, reason: str, _seconds: int = 0) -> None:
        post = self._settle(dedup_id)
        if post and "could not be kept" not in reason:  # else it may be stored
            post.refused.append(reason)

    def _ask(self, dedup_id: str, question: str, _warnings: list[str]) -> None:
        self._reject(dedup_id, question)

    def _expire(self, dedup_id: str, _reason: str) -> None:
        self._settle(dedup_id)  # it was stored

    def _settle(self, dedup_id: str) -> Post | None:
        post, settled = self._pending.pop(dedup_id, (None, None))
        if settled and not settled.done():
            settled.set_result(None)
        return post

    def _send(self, post: Post) -> None:
        if self._page and self._page.expect_connected:
            post.tries += 1
            message = {"text": post.text, "dedup": post.dedup_id}
            self._page.emit(self._page.composer, "post", message)

    def _record_response(self, requested_at: float, lines: tuple[Line, ...]) -> None:
        self._room.record.responses.append(Telling(self.name, requested_at, lines))

    def _record_sight(self) -> None:
        sight = self.look()
        assert sight
        states = tuple((line.revision, line.state) for line in sight.lines)
        state = (sight.requested_at, sight.is_synced, sight.lines, states)
        if state != self._last:
            self._last = state
            self._room.record.sights.append(sight)

    async def _pause(self) -> None:
        await asyncio.sleep(self._random.uniform(*_RETRY))


async def _send_events(page: _Page, socket: ClientConnection) -> None:
    """Send queued events, and acknowledge received messages at intervals."""
    with contextlib.suppress(*_CONNECTION_ERRORS):
        while True:
            try:
                async with asyncio.timeout(_ACK_SECONDS):
                    await socket.send(await page.unsent.get())
            except TimeoutError:
                ack = {"client_id": page.client_id, "next_message_id": page.next_message_id}
                await socket.send("42" + json.dumps(["ack", ack]))


def read_client_id(html: str) -> str:
    """Return the client id of a page."""
    found = _QUERY.search(html)
    assert found, html
    return found[1]


def read_node(html: str) -> str:
    """Return the name of the node that rendered a page."""
    found = _NODE.search(html)
    assert found, html
    return found[1]


def introduce(client_id: str, *, tab_id: str, after: int = 0) -> dict[str, str | int]:
    """Return the query parameters with which a page connects its socket."""
    return {
        "EIO": "4",
        "client_id": client_id,
        "next_message_id": after,
        "implicit_handshake": "true",
        "document_id": client_id,
        "tab_id": tab_id,
    }


def read_first_rows(html: str) -> dict[int, list[list[Any]]]:
    """Return the rows in the first paint of a page, by the id of their list."""
    rows = {}
    for found in _LIST.finditer(html):
        end, packed = found.end(), []
        for key, order in json.loads(unescape(found[2])):
            start, end = end, _find_end(html, end)
            packed.append([key, order, html[start:end]])
        rows[int(found[1])] = packed
    return rows


def _find_end(html: str, start: int) -> int:
    """Return the index after the element that begins at `start`."""
    tag = _TAG.match(html, start)
    assert tag, html[start:]
    depth, tags = 0, re.compile(rf"<(/?){tag[1]}\b[^>]*>")
    for found in tags.finditer(html, start):
        depth += -1 if found[1] else 1
        if not depth:
            return found.end()
    raise AssertionError(html[start:])


def read_elements(html: str) -> list[dict[str, Any]]:
    """Return the elements of a page with their event listeners."""
    found = _ELEMENTS.search(html)
    assert found, html
    raw = found[1]
    for escaped, plain in _ESCAPES.items():
        raw = raw.replace(escaped, plain)
    return read_update(json.loads(raw))


def read_update(elements: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the elements of an update with their event listeners, but the deleted ones."""
    return [
        {"props": {}, "events": [], **each, "id": int(id)}
        for id, each in elements.items()
        if each and id != "_id"
    ]

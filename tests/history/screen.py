"""A tab that is open on a room, without a browser: it says and hears what our scripts would."""

import asyncio
import contextlib
import json
import random
import re
from dataclasses import dataclass, field
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
_DRAWN = re.compile(r'data-part="c(\d+)">(.*?)</script>', re.DOTALL)
_QUERY = re.compile(r"'client_id': '([^']+)'")
_NODE = re.compile(r"'node': '([^']+)'")
_CALL = re.compile(r'return runMethod\((\d+), "(\w+)", (.*)\)', re.DOTALL)
_RETRY = (0.1, 0.5)  # seconds: sooner than a browser, for the same order of things
_ACK_SECONDS = 3
_BROKEN = (OSError, TimeoutError, WebSocketException, httpx.TransportError)


class Reload(Exception):
    """The page has to be loaded anew."""


class Elsewhere(Exception):
    """The page has gone to another address."""


@dataclass
class _Page:
    """What one loading of the page has brought, and its line."""

    client_id: str
    node: str
    feed: dict[str, Any]
    composer: dict[str, Any]
    rows: Rows
    asked: float
    is_connected: bool = False
    next_message_id: int = 0
    unsent: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    questions: dict[int, float] = field(default_factory=dict)

    def emit(self, element: dict[str, Any], kind: str, arguments: dict[str, Any]) -> None:
        """Let an element say something."""
        event = {
            "id": element["id"],
            "client_id": self.client_id,
            "listener_id": next(e["listener_id"] for e in element["events"] if e["type"] == kind),
            "args": [json.dumps(arguments)],
        }
        self.unsent.put_nowait("42" + json.dumps(["event", event]))


class Screen:
    """One tab. It loads its page, keeps its line, shows its rows, and notes down what it sees."""

    def __init__(self, name: str, *, url: str, token: str, author: str, place: Place) -> None:
        self.name = name
        self.token = token
        self.author = author
        self.loaded = 0
        self.connected = 0
        self.reads = asyncio.Event()  # as long as this is not set, the screen leaves all unread
        self.reads.set()
        self._url = url
        self._place = place
        self._chance = random.Random(name)
        self._page: _Page | None = None
        self._tab_id = f"{name} {self._chance.random()}"
        self._waiting: dict[str, tuple[Post, asyncio.Future[None]]] = {}
        self._last: tuple[object, ...] = ()

    async def live(self) -> None:
        """Be open. Whatever goes wrong, the page is loaded again, as a person would."""
        cookies = {"anonchat": self.token}
        async with httpx.AsyncClient(base_url=self._url, cookies=cookies, timeout=10) as http:
            while True:
                with contextlib.suppress(Reload, Elsewhere, *_BROKEN):
                    await self._stay(await self._load(http))
                await self._pause()

    async def say(self, text: str, *, dedup_id: str) -> Post:
        """Write and press Enter; return when the message is settled."""
        post = self._place.post(text, dedup_id=dedup_id, author=self.author)
        settled = asyncio.get_running_loop().create_future()
        self._waiting[dedup_id] = (post, settled)
        self._send(post)
        await settled
        return post

    def look(self) -> Sight | None:
        """Return what is on the screen now, unless the page is just being loaded."""
        if self._page is None:
            return None
        rows, at = self._page.rows, now()
        return Sight(self.name, at, self._page.asked, rows.show(at), rows.sure, rows.more)

    def describe(self) -> str:
        """Return where its page comes from, and whether anything new can reach it."""
        if (page := self._page) is None:
            return f"{self.name} is loading its page"
        state = "has a line" if page.is_connected else "has no line"
        return (
            f"{self.name} {state} to {page.node}: loaded {self.loaded} times,"
            f" connected {self.connected} times, asked {page.asked:.3f}, {page.questions}"
        )

    async def _load(self, http: httpx.AsyncClient) -> _Page:
        asked = now()
        answer = await http.get(f"/r/{self._place.slug}")
        if answer.status_code != 200:
            raise Reload
        elements = read_elements(answer.text)
        feeds = [e for e in elements if e["props"].get("channel") == "messages"]
        composers = [e for e in elements if e["tag"] == "nicegui-composer"]
        if not feeds or not composers:  # one who is not in sees the way in
            raise Elsewhere
        drawn = dict(_DRAWN.findall(answer.text))
        first = json.loads(drawn[str(feeds[0]["id"])])
        self.loaded += 1
        self._tell(asked, tuple(map(read_line, first)))
        rows = Rows(first, more=feeds[0]["props"]["more"])
        client_id, node = read_client_id(answer.text), read_node(answer.text)
        return _Page(client_id, node, feeds[0], composers[0], rows, asked)

    async def _stay(self, page: _Page) -> None:
        """Keep the line of a page, for as long as the server knows the page."""
        self._page = page
        try:
            while True:
                with contextlib.suppress(*_BROKEN):
                    async with self._connect(page) as line:
                        await self._converse(page, line)
                page.rows.doubt()
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

    async def _converse(self, page: _Page, line: ClientConnection) -> None:
        async with asyncio.timeout(30):
            hello = json.loads(str(await line.recv())[1:])
            await line.send("40")
            told = []  # what is told already may come before the answer
            while not (answer := str(await line.recv())).startswith("40"):
                if answer.startswith("44"):
                    raise Reload
                told.append(answer)
        self.connected += 1
        patience = (hello["pingInterval"] + hello["pingTimeout"]) / 1000
        page.unsent = asyncio.Queue()  # what was given to a broken line is lost
        page.is_connected = True
        page.emit(page.feed, "page", {})  # once this is answered, nothing else has to be asked
        saying = asyncio.create_task(_keep_saying(page, line))
        try:
            for frame in told:
                self._hear(page, *json.loads(frame[2:]))
            while True:
                await self.reads.wait()
                async with asyncio.timeout(patience):
                    frame = str(await line.recv())
                if frame == "2":
                    await line.send("3")
                elif frame.startswith("42"):
                    self._hear(page, *json.loads(frame[2:]))
                elif frame.startswith("41"):
                    return
        finally:
            page.is_connected = False
            saying.cancel()

    def _hear(self, page: _Page, event: str, content: dict[str, Any]) -> None:
        if "_id" in content:
            if content["_id"] < page.next_message_id:
                return
            page.next_message_id = content["_id"] + 1
        match event:
            case "feed":
                self._receive(page, content)
            case "run_javascript":
                self._run(page, content["code"])
            case "open":
                raise Elsewhere
            case "move":
                raise Reload

    def _receive(self, page: _Page, packet: dict[str, Any]) -> None:
        room_id = page.composer["props"]["draft_key"]
        if any(news.get("gone") or news.get("left") == room_id for news in packet.get("news", [])):
            raise Elsewhere
        if packet["channel"] == "messages":
            page.rows.receive(packet)
            self._note()

    def _run(self, page: _Page, code: str) -> None:
        call = _CALL.fullmatch(code)
        if "reload()" in code or "history.go" in code:
            raise Reload
        if call is None:
            return
        element, method, arguments = int(call[1]), call[2], json.loads(call[3])
        if element == page.feed["id"] and method == "sync":
            question = page.rows.ask()
            page.questions = {question["question"]: now()}
            page.emit(page.feed, "sync", question)
        elif element == page.feed["id"] and method == "catchUp":
            self._catch_up(page, *arguments)
        elif element == page.feed["id"] and method == "showPage":
            page.rows.confirm()
            self._note()
        elif element == page.composer["id"]:
            getattr(self, f"_{method}")(*arguments)

    def _catch_up(self, page: _Page, answer: dict[str, Any]) -> None:
        told = page.rows.catch_up(answer)
        if told is not None:
            page.asked = page.questions[answer["question"]]
            self._tell(page.asked, told)
            self._note()

    def _resend(self) -> None:
        for post, _ in list(self._waiting.values()):
            if now() < post.until - self._place.ttl / 2:
                self._send(post)
            else:  # it may have been said and be gone by the time this arrives
                self._settle(post.dedup_id)

    def _accept(self, dedup_id: str) -> None:
        if waited := self._settle(dedup_id):
            waited.accepted.append(now())

    def _refuse(self, dedup_id: str, reason: str) -> None:
        waited = self._settle(dedup_id)
        if waited and "could not be kept" not in reason:  # then it may have been kept after all
            waited.refused.append(reason)

    def _settle(self, dedup_id: str) -> Post | None:
        post, settled = self._waiting.pop(dedup_id, (None, None))
        if settled and not settled.done():
            settled.set_result(None)
        return post

    def _send(self, post: Post) -> None:
        if self._page and self._page.is_connected:
            post.tries += 1
            message = {"text": post.text, "dedup": post.dedup_id}
            self._page.emit(self._page.composer, "post", message)

    def _tell(self, asked: float, lines: tuple[Line, ...]) -> None:
        self._place.record.tellings.append(Telling(self.name, asked, lines))

    def _note(self) -> None:
        sight = self.look()
        assert sight
        what = (sight.asked, sight.sure, sight.lines)
        if what != self._last:
            self._last = what
            self._place.record.sights.append(sight)

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(*_RETRY))


async def _keep_saying(page: _Page, line: ClientConnection) -> None:
    """Send what waits, and acknowledge now and then what has come."""
    with contextlib.suppress(*_BROKEN):
        while True:
            try:
                async with asyncio.timeout(_ACK_SECONDS):
                    await line.send(await page.unsent.get())
            except TimeoutError:
                ack = {"client_id": page.client_id, "next_message_id": page.next_message_id}
                await line.send("42" + json.dumps(["ack", ack]))


def read_client_id(html: str) -> str:
    """Return the id that a page goes by."""
    found = _QUERY.search(html)
    assert found, html
    return found[1]


def read_node(html: str) -> str:
    """Return the name of the node that drew a page."""
    found = _NODE.search(html)
    assert found, html
    return found[1]


def introduce(client_id: str, *, tab_id: str, after: int = 0) -> dict[str, str | int]:
    """Return what a page says of itself when it connects."""
    return {
        "EIO": "4",
        "client_id": client_id,
        "next_message_id": after,
        "implicit_handshake": "true",
        "document_id": client_id,
        "tab_id": tab_id,
    }


def read_elements(html: str) -> list[dict[str, Any]]:
    """Return the elements of a page, with what they listen to."""
    found = _ELEMENTS.search(html)
    assert found, html
    raw = found[1]
    for escaped, plain in _ESCAPES.items():
        raw = raw.replace(escaped, plain)
    elements = json.loads(raw)
    return [{"props": {}, "events": [], **each, "id": int(id)} for id, each in elements.items()]

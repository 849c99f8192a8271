"""A page without a browser: its HTML, its socket, what it emits and what it is told."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import aiohttp

from tests.benchmarks.attacks.client import Client, Refused
from tests.history.screen import introduce, read_client_id, read_elements, read_node

_CALL = re.compile(r'return runMethod\((\d+), "(\w+)", (.*)\)', re.DOTALL)
_DRAWN = re.compile(r'data-part="c(\d+)">(.*?)</script>', re.DOTALL)
_CALLED = re.compile(r'data-calls="(\w+)"')

Event = tuple[str, str]
"""What can be emitted: a part of the page (its channel, else its tag), and the event's name."""


class Page:
    """One page of one visitor; `Refused` wherever the server does not take it.

    `parts` are its elements by channel or tag, `rows` the HTML of the rows of its lists by their
    keys. `on_feed` is given every packet of rows, `on_call` every method called on a part.
    """

    def __init__(self, client: Client, path: str, token: str = "") -> None:
        self.path = path
        self.client_id = ""
        self.parts: dict[str, dict[str, Any]] = {}
        self.buttons: set[str] = set()
        self.rows: dict[str, dict[str, str]] = {}
        self.refusals = 0
        self.on_feed: Callable[[dict[str, Any]], None] = _ignore
        self.on_call: Callable[[str, str, list[Any]], Awaitable[None]] = _ignore_call
        self.client = client
        self.token = token
        self._names: dict[int, str] = {}
        self._tab_id = str(uuid4())
        self._node = ""
        self._next = 0
        self._numbers = 0
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._listening: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether its socket is open."""
        return self._socket is not None and not self._socket.closed

    @property
    def events(self) -> set[Event]:
        """Everything that the page listens to; a button is the event `call:` and its name."""
        named = {
            (name, event["type"])
            for name, part in self.parts.items()
            for event in part["events"]
            if event["type"] != "call"
        }
        return named | {("nicegui-screen", f"call:{button}") for button in self.buttons}

    async def open(self) -> None:
        """Load the page and connect its socket."""
        await self.load()
        await self.connect()

    async def load(self) -> None:
        """Load the page."""
        html = (await self.client.ask("GET", self.path, cookie=self.token)).decode()
        try:
            elements = read_elements(html)
        except AssertionError as error:
            raise Refused(f"{self.path} is no page") from error
        self.client_id, self._node, self._next = read_client_id(html), read_node(html), 0
        self.parts = {_name(each): each for each in elements}
        self._names = {each["id"]: _name(each) for each in elements}
        self.buttons = set(_CALLED.findall(html))
        drawn = {self._names[int(id)]: json.loads(rows) for id, rows in _DRAWN.findall(html)}
        self.rows = {name: {row[0]: row[2] for row in rows or []} for name, rows in drawn.items()}

    async def connect(self) -> None:
        """Connect, and shake hands as NiceGUI's pages do."""
        query = introduce(self.client_id, tab_id=self._tab_id, after=self._next)
        try:
            socket = await self.client.sockets.ws_connect(
                f"{self.client.url}/_nicegui_ws/socket.io/",
                params={**query, "node": self._node, "transport": "websocket"},
                origin=self.client.url,
                autoping=False,
                max_msg_size=0,
                timeout=aiohttp.ClientWSTimeout(ws_close=0.1),
            )
        except aiohttp.ClientError as error:
            raise Refused(str(error)) from error
        early = await self._shake_hands(socket)
        self._socket = socket
        self._listening = asyncio.create_task(self._listen(socket, early))

    async def close(self) -> None:
        """Close the socket at once, as a tab does that is closed."""
        if self._listening:
            self._listening.cancel()
        if self._socket:
            await self._socket.close()
        self._socket = None

    def stall(self) -> None:
        """Read nothing any more, while the socket stays open."""
        assert self._socket
        self._socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]

    async def emit(self, part: str, event: str, args: object, *, wait: bool = True) -> None:
        """Emit an event, and wait until the server has taken it."""
        element = self.parts.get(part)
        found = element and next((e for e in element["events"] if e["type"] == event), None)
        if not (element and found):
            raise RuntimeError(f"{self.path} has no {part} that emits {event}")
        message = {
            "id": element["id"],
            "client_id": self.client_id,
            "listener_id": found["listener_id"],
            "args": [json.dumps(args)],
        }
        if wait:
            await self.say("event", message)
        else:
            await self.send(f"42{json.dumps(['event', message])}")

    async def acknowledge(self) -> None:
        """Say what has come, so that the server need not keep it."""
        said = {"client_id": self.client_id, "next_message_id": self._next}
        await self.send(f"42{json.dumps(['ack', said])}")

    async def press(self, button: str, **fields: str) -> None:
        """Press a button, or send a form."""
        await self.emit("nicegui-screen", "call", {"name": button, "fields": fields})

    async def say(self, event: str, message: dict[str, Any]) -> None:
        """Say anything over the socket, and wait until the server has taken it."""
        self._numbers += 1
        number = self._numbers
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self.send(f"42{number}{json.dumps([event, message])}")
            async with asyncio.timeout(self.client.patience):
                await answer
        finally:
            self._answers.pop(number, None)

    async def send(self, packet: str) -> None:
        """Send a packet as it is."""
        if self._socket is None or self._socket.closed:
            raise Refused(f"the socket of {self.path} is closed")
        try:
            await self._socket.send_str(packet)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Refused(str(error)) from error

    async def _shake_hands(self, socket: aiohttp.ClientWebSocketResponse) -> list[str]:
        """Return what was told before the handshake was answered."""
        early: list[str] = []
        try:
            async with asyncio.timeout(self.client.patience):
                await socket.receive_str()
                await socket.send_str("40")
                while not (packet := await socket.receive_str()).startswith("40"):
                    if packet.startswith("44"):
                        raise Refused(packet)
                    early.append(packet)
        except (TypeError, ConnectionError, aiohttp.ClientError) as error:  # closed in between
            raise Refused("no handshake") from error
        return early

    async def _listen(self, socket: aiohttp.ClientWebSocketResponse, early: list[str]) -> None:
        try:
            for packet in early:
                await self._hear(socket, packet)
            async for message in socket:
                await self._hear(socket, str(message.data))
        finally:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Refused(f"the socket of {self.path} was closed"))
            self._answers.clear()

    async def _hear(self, socket: aiohttp.ClientWebSocketResponse, packet: str) -> None:
        if packet == "2":
            with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                await socket.send_str("3")
        elif packet.startswith("43"):
            answer = self._answers.get(int(packet[2 : packet.index("[")]))
            if answer and not answer.done():
                answer.set_result(None)
        elif packet.startswith("42"):
            await self._on_event(*json.loads(packet[2:]))

    async def _on_event(self, event: str, content: Any) -> None:
        if isinstance(content, dict) and "_id" in content:
            self._next = content["_id"] + 1
        if event == "feed":
            self.on_feed(content)
        elif event == "run_javascript" and (call := _CALL.fullmatch(content["code"])):
            method, arguments = call[2], json.loads(call[3])
            self.refusals += method == "refuse" or (method == "say" and arguments[1] != "")
            part = self._names.get(int(call[1]), "")
            self.client.told[f"{part} {method}"] += 1
            await self.on_call(part, method, arguments)


def _name(element: dict[str, Any]) -> str:
    return element["props"].get("channel") or str(element["tag"])


def _ignore(_packet: dict[str, Any]) -> None:
    pass


async def _ignore_call(_part: str, _method: str, _arguments: list[Any]) -> None:
    pass

"""A page without a browser: its HTML, its socket, its events and the calls it receives."""

import asyncio
import contextlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import uuid4

import aiohttp

from benchmarks.attacks.client import Client, Refused
from tests.history.screen import (
    introduce,
    read_client_id,
    read_elements,
    read_first_rows,
    read_node,
    read_update,
)

_CALL = re.compile(r'return runMethod\((\d+), "(\w+)", (.*)\)', re.DOTALL)

Event = tuple[str, str]
"""A part of the page (its channel, label or tag), and the name of an event it emits."""


class Page:
    """A page of a visitor; raises `Refused` if the server refuses or disconnects.

    `parts` are its elements by channel, label or tag, `rows` the HTML of the rows of its lists by
    key. `on_feed` receives every packet of rows, `on_call` every method call on a part.
    """

    def __init__(self, client: Client, path: str, token: str = "") -> None:
        self.path = path
        self.client_id = ""
        self.parts: dict[str, dict[str, Any]] = {}
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
        self._responses: dict[int, asyncio.Future[None]] = {}
        self._has_new_parts = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._receiver: asyncio.Task[None] | None = None

    @property
    def expect_connected(self) -> bool:
        """Whether its socket is open."""
        return self._socket is not None and not self._socket.closed

    @property
    def events(self) -> set[Event]:
        """All events that the page listens to."""
        return {
            (name, event["type"])
            for name, part in self.parts.items()
            for event in part["events"]
            if not event.get("js_handler")  # those are not sent
        }

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
            raise Refused(f"{self.path} is not a page") from error
        self.client_id, self._node, self._next = read_client_id(html), read_node(html), 0
        self.parts, self._names = {}, {}
        self._add_parts(elements)
        self.rows = {
            self._names[id]: {key: row for key, _, row in rows}
            for id, rows in read_first_rows(html).items()
        }

    async def connect(self) -> None:
        """Connect the socket with the handshake of NiceGUI's pages."""
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
        early = await self._perform_handshake(socket)
        self._socket = socket
        self._receiver = asyncio.create_task(self._receive(socket, early))

    async def close(self) -> None:
        """Close the socket, as a closed tab does."""
        if self._receiver:
            self._receiver.cancel()
        if self._socket:
            await self._socket.close()
        self._socket = None

    def stall(self) -> None:
        """Stop reading the socket, which stays open."""
        assert self._socket
        self._socket._response.connection.transport.pause_reading()  # type: ignore[union-attr]

    async def emit(self, part: str, event: str, args: object, *, wait: bool = True) -> None:
        """Emit an event of a part, and wait until the server acknowledges it."""
        if part not in self.parts:
            raise RuntimeError(f"{self.path} has no {part}, only {sorted(self.parts)}")
        await self.emit_event(self.parts[part], event, args, wait=wait)

    async def emit_event(
        self, element: dict[str, Any], event: str, args: object, *, wait: bool = True
    ) -> None:
        """Emit an event of an element, and wait until the server acknowledges it."""
        found = next((e for e in element["events"] if e["type"] == event), None)
        if not found:
            raise RuntimeError(f"{self.path} has no {_name(element)} that emits {event}")
        message = {
            "id": element["id"],
            "client_id": self.client_id,
            "listener_id": found["listener_id"],
            "args": [json.dumps(args)],
        }
        if wait:
            await self.call("event", message)
        else:
            await self.send(f"42{json.dumps(['event', message])}")

    async def acknowledge(self) -> None:
        """Acknowledge the received packets, so that the server can discard them."""
        content = {"client_id": self.client_id, "next_message_id": self._next}
        await self.send(f"42{json.dumps(['ack', content])}")

    async def press(self, button: str) -> None:
        """Click a button."""
        await self.emit(button, "click", {})

    async def press_for(self, button: str, part: str) -> None:
        """Click a button, and wait until the page has the part that it creates."""
        if part not in self.parts:
            await self.press(button)
            await self.wait_for(part)

    async def wait_for(self, part: str) -> None:
        """Wait until the page has a part."""
        async with asyncio.timeout(self.client.timeout_seconds):
            while part not in self.parts:
                self._has_new_parts.clear()
                await self._has_new_parts.wait()

    def _add_parts(self, elements: Iterable[dict[str, Any]]) -> None:
        for element in elements:
            self._names[element["id"]] = name = _name(element)
            if element["events"] or name not in self.parts:
                self.parts[name] = element

    async def call(self, event: str, message: dict[str, Any]) -> None:
        """Emit any event over the socket, and wait until the server acknowledges it."""
        self._numbers += 1
        number = self._numbers
        response = self._responses[number] = asyncio.get_running_loop().create_future()
        try:
            await self.send(f"42{number}{json.dumps([event, message])}")
            async with asyncio.timeout(self.client.timeout_seconds):
                await response
        finally:
            self._responses.pop(number, None)

    async def send(self, packet: str) -> None:
        """Send a raw packet."""
        if self._socket is None or self._socket.closed:
            raise Refused(f"the socket of {self.path} is closed")
        try:
            await self._socket.send_str(packet)
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Refused(str(error)) from error

    async def _perform_handshake(self, socket: aiohttp.ClientWebSocketResponse) -> list[str]:
        """Return the packets received before the end of the handshake."""
        early: list[str] = []
        try:
            async with asyncio.timeout(self.client.timeout_seconds):
                await socket.receive_str()
                await socket.send_str("40")
                while not (packet := await socket.receive_str()).startswith("40"):
                    if packet.startswith("44"):
                        raise Refused(packet)
                    early.append(packet)
        except (TypeError, ConnectionError, aiohttp.ClientError) as error:  # closed meanwhile
            raise Refused("no handshake") from error
        return early

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse, early: list[str]) -> None:
        try:
            for packet in early:
                await self._handle(socket, packet)
            async for message in socket:
                await self._handle(socket, str(message.data))
        finally:
            for response in self._responses.values():
                if not response.done():
                    response.set_exception(Refused(f"the socket of {self.path} was closed"))
            self._responses.clear()

    async def _handle(self, socket: aiohttp.ClientWebSocketResponse, packet: str) -> None:
        if packet == "2":
            with contextlib.suppress(aiohttp.ClientError, ConnectionError):
                await socket.send_str("3")
        elif packet.startswith("43"):
            response = self._responses.get(int(packet[2 : packet.index("[")]))
            if response and not response.done():
                response.set_result(None)
        elif packet.startswith("42"):
            await self._on_event(*json.loads(packet[2:]))

    async def _on_event(self, event: str, content: Any) -> None:
        if isinstance(content, dict) and "_id" in content:
            self._next = content["_id"] + 1
        if event == "feed":
            self.on_feed(content)
        elif event == "update":
            elements = read_update(content)
            self._add_parts(elements)
            self.client.method_calls.update(f"{_name(each)} created" for each in elements)
            self._has_new_parts.set()
            self.refusals += any(map(_is_filled_alert, elements))
        elif event == "run_javascript" and (call := _CALL.fullmatch(content["code"])):
            method, arguments = call[2], json.loads(call[3])
            self.refusals += method == "reject"
            part = self._names.get(int(call[1]), "")
            self.client.method_calls[f"{part} {method}"] += 1
            await self.on_call(part, method, arguments)


def _is_filled_alert(element: dict[str, Any]) -> bool:
    text, _ = element["props"].get("reason", ("", 0))
    return bool(text)


def _name(element: dict[str, Any]) -> str:
    props = element["props"]
    return str(
        props.get("channel") or props.get("aria-label") or element.get("text") or element["tag"]
    )


def _ignore(_packet: dict[str, Any]) -> None:
    pass


async def _ignore_call(_part: str, _method: str, _arguments: list[Any]) -> None:
    pass

"""A client without a browser that can send any packet over the socket of a page."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx
from nicegui import Client
from nicegui.event_listener import EventListener
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.history.screen import introduce, read_client_id
from tests.timeouts import DEADLINE

_numbers = count(1)


class Tab:
    """A loaded page and its socket."""

    def __init__(
        self, client: Client, connection: ClientConnection, received: Iterable[str] = ()
    ) -> None:
        self.client = client
        self.connection = connection
        self.received = list(received)
        self._acks: dict[int, asyncio.Future[None]] = {}
        self._receiver = asyncio.create_task(self._receive())

    async def emit(self, event: str, message: object) -> None:
        """Emit an event and wait for its acknowledgement."""
        number = next(_numbers)
        ack = self._acks[number] = asyncio.get_running_loop().create_future()
        await self.connection.send(f"42{number}{json.dumps([event, message])}")
        async with asyncio.timeout(DEADLINE):
            await ack

    async def fire(self, listener: EventListener, *args: object, page: "Tab | None" = None) -> None:
        """Emit an event of an element of this page, or of another one."""
        await self.emit("event", event_of(listener, (page or self).client, *args))

    async def close(self) -> None:
        """Close the tab."""
        self._receiver.cancel()
        await self.connection.close()

    def listeners(self) -> list[EventListener]:
        """Return the event listeners of all elements of the page."""
        elements = self.client.elements.values()
        return [each for element in elements for each in element._event_listeners.values()]

    async def _receive(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in self.connection:
                self.received.append(str(frame))
                if frame == "2":
                    await self.connection.send("3")
                elif str(frame).startswith("43"):
                    self._acks.pop(int(str(frame)[2:].partition("[")[0])).set_result(None)


def event_of(listener: EventListener, client: Client, *args: object) -> dict[str, Any]:
    """Return the data that a page sends for an event of one of its elements."""
    return {
        "id": listener.element_id,
        "client_id": client.id,
        "listener_id": listener.id,
        "args": [json.dumps(arg) for arg in args],
    }


@asynccontextmanager
async def open_tab(
    url: str, path: str, *, token: str = "", cookies: dict[str, str] | None = None
) -> AsyncIterator[Tab]:
    """Load a page and connect its socket."""
    cookies = {**(cookies or {}), **({"anonchat": token} if token else {})}
    async with httpx.AsyncClient(base_url=url, cookies=cookies, timeout=DEADLINE) as http:
        response = await http.get(path)
    assert response.status_code == 200, response
    async with connect_page(url, response.text) as tab:
        yield tab


@asynccontextmanager
async def connect_page(url: str, page: str) -> AsyncIterator[Tab]:
    """Connect the socket of a loaded page."""
    client_id = read_client_id(page)
    async with open_websocket(
        url, **introduce(client_id, tab_id=f"tab {next(_numbers)}")
    ) as connection:
        tab = Tab(
            Client.instances[client_id], connection, received=await complete_handshake(connection)
        )
        yield tab
        await tab.close()


async def complete_handshake(connection: ClientConnection) -> list[str]:
    """Complete the socket.io handshake; return the packets received before its response."""
    await connection.recv()
    await connection.send("40")
    early = []
    while not (packet := str(await connection.recv())).startswith("40"):
        assert not packet.startswith("44")
        early.append(packet)
    return early


def open_websocket(
    url: str,
    *,
    origin: str | None = "",
    headers: dict[str, str] | None = None,
    **query: str | int,
) -> connect:
    """Open a WebSocket; `""` as origin stands for this site, `None` for no Origin header."""
    parameters = httpx.QueryParams({"EIO": "4", **query, "transport": "websocket"})
    return connect(
        f"{url.replace('http', 'ws', 1)}/_nicegui_ws/socket.io/?{parameters}",
        origin=Origin(url if origin == "" else origin) if origin is not None else None,
        additional_headers=headers,
        compression=None,
        ping_interval=None,
        proxy=None,
    )


async def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)

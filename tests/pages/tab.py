"""A tab without a browser, which may say over its socket whatever it likes."""

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

PATIENCE = 240
_numbers = count(1)


class Tab:
    """A page that was loaded, and the socket that it has opened."""

    def __init__(self, client: Client, line: ClientConnection, heard: Iterable[str] = ()) -> None:
        self.client = client
        self.line = line
        self.heard = list(heard)
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._listening = asyncio.create_task(self._listen())

    async def say(self, event: str, message: object) -> None:
        """Emit an event, and wait until the server is done with it."""
        number = next(_numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self.line.send(f"42{number}{json.dumps([event, message])}")
        async with asyncio.timeout(PATIENCE):
            await answer

    async def fire(self, listener: EventListener, *args: object, of: "Tab | None" = None) -> None:
        """Say that something happened to an element, of this page or of another one."""
        await self.say("event", event_of(listener, (of or self).client, *args))

    async def close(self) -> None:
        """Close the tab."""
        self._listening.cancel()
        await self.line.close()

    def listeners(self) -> list[EventListener]:
        """Return everything that the page listens to."""
        elements = self.client.elements.values()
        return [each for element in elements for each in element._event_listeners.values()]

    async def _listen(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for frame in self.line:
                self.heard.append(str(frame))
                if frame == "2":
                    await self.line.send("3")
                elif str(frame).startswith("43"):
                    self._answers.pop(int(str(frame)[2:].partition("[")[0])).set_result(None)


def event_of(listener: EventListener, client: Client, *args: object) -> dict[str, Any]:
    """Return what a page says when something happens to one of its elements."""
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
    """Load a page, and connect its socket."""
    cookies = {**(cookies or {}), **({"anonchat": token} if token else {})}
    async with httpx.AsyncClient(base_url=url, cookies=cookies, timeout=PATIENCE) as http:
        answer = await http.get(path)
    assert answer.status_code == 200, answer
    async with connect_page(url, answer.text) as tab:
        yield tab


@asynccontextmanager
async def connect_page(url: str, page: str) -> AsyncIterator[Tab]:
    """Connect the socket of a page that was loaded before."""
    client_id = read_client_id(page)
    async with plug_in(url, **introduce(client_id, tab_id=f"tab {next(_numbers)}")) as line:
        tab = Tab(Client.instances[client_id], line, heard=await begin(line))
        yield tab
        await tab.close()


async def begin(line: ClientConnection) -> list[str]:
    """Begin to speak the language of the pages; return what is told before the answer to that."""
    await line.recv()
    await line.send("40")
    early = []
    while not (answer := str(await line.recv())).startswith("40"):
        assert not answer.startswith("44")
        early.append(answer)
    return early


def plug_in(
    url: str,
    *,
    origin: str | None = "",
    told: dict[str, str] | None = None,
    **query: str | int,
) -> connect:
    """Open a web socket, from a page of this site unless told otherwise; `told` are headers."""
    parameters = httpx.QueryParams({"EIO": "4", **query, "transport": "websocket"})
    return connect(
        f"{url.replace('http', 'ws', 1)}/_nicegui_ws/socket.io/?{parameters}",
        origin=Origin(url if origin == "" else origin) if origin is not None else None,
        additional_headers=told,
        compression=None,
        ping_interval=None,
        proxy=None,
    )


async def until(is_so: Callable[[], bool]) -> None:
    """Let others have a turn until it is so."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.01)

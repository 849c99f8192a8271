"""Attacks on sockets and polling, without signing in."""

import asyncio
import json
from itertools import cycle
from uuid import uuid4

from aiohttp import ClientTimeout

from benchmarks.attacks.client import Client, Refused
from benchmarks.attacks.page import Page
from benchmarks.attacks.scene import Scene
from benchmarks.attacks.way import Act, Way

_SOCKETS = "/_nicegui_ws/socket.io/"
_POLLING = f"{_SOCKETS}?EIO=4&transport=polling"
_JUNK = ("2", "6", "2probe", "1", "5", "4junk")
_ANSWERED = (200, 400)  # 400 for junk packets, and for packets after an abort
_ABORT_SECONDS = 0.25
_HELD = 1_500
_ROUND = 1_000
_PAGES = 200  # fewer, because they take longer


async def _hold_half_requests(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        _, writer = await client.connect()
        writer.write(f"GET /login HTTP/1.1\r\nHost: {client.host}\r\nX-Slow: ".encode())

    return act


async def _hold_silent_sockets(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        await _open_socket(client)

    return act


async def _send_junk(client: Client, _scene: Scene) -> Act:
    packets = cycle(("2junk", "42[", '42["nothing",1]', "9", "40{", "451-x"))

    async def act(_number: int) -> None:
        _, writer = await _open_socket(client)
        for _ in range(4):
            writer.write(_frame(next(packets)))
        await writer.drain()
        await asyncio.sleep(0)
        client.drop(writer)

    return act


async def _hold_idle_pages(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        await Page(client, "/login").open()

    return act


async def _poll_junk(client: Client, _scene: Scene) -> Act:
    async def act(number: int) -> None:
        sid = await _poll_open(client)
        try:
            await client.ask(
                "POST",
                f"{_POLLING}&sid={sid}",
                data=_JUNK[number % len(_JUNK)],
                headers={"Origin": client.url},
                timeout=ClientTimeout(total=_ABORT_SECONDS),
                expect=_ANSWERED,
            )
        except TimeoutError:
            pass  # no response: aborted, as by a browser that leaves the page

    return act


async def _poll_and_abort(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        sid = await _poll_open(client)
        for _ in range(2):
            try:
                timeout = ClientTimeout(total=_ABORT_SECONDS / 5)
                path = f"{_POLLING}&sid={sid}"
                await client.ask("GET", path, timeout=timeout, expect=_ANSWERED)
            except TimeoutError:
                pass

    return act


async def _poll_open_only(client: Client, _scene: Scene) -> Act:
    async def act(_number: int) -> None:
        await _poll_open(client)

    return act


async def _open_socket(client: Client) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a web socket without a handshake of Socket.IO."""
    reader, writer = await client.connect()
    names = f"client_id={uuid4()}&tab_id=t&document_id=d"
    writer.write(
        f"GET {_SOCKETS}?EIO=4&transport=websocket&{names} HTTP/1.1\r\n"
        f"Host: {client.host}:{client.port}\r\nOrigin: {client.url}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    async with asyncio.timeout(client.timeout_seconds):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Refused("no socket") from error
    if b" 101 " not in head.split(b"\r\n", 1)[0]:
        client.drop(writer)
        raise Refused(head.decode("latin-1"))
    return reader, writer


async def _poll_open(client: Client) -> str:
    body = await client.ask("GET", _POLLING, headers={"Origin": client.url})
    return str(json.loads(body[1:])["sid"])


def _frame(text: str) -> bytes:
    """Return a client's text frame with a zero mask."""
    data = text.encode()
    return bytes([0x81, 0x80 | len(data)]) + bytes(4) + data


WAYS = (
    Way("connection: half a request, held", _hold_half_requests, held=_HELD, round=_ROUND),
    Way("socket: no handshake, held", _hold_silent_sockets, held=_HELD, round=_ROUND),
    Way("socket: page connected, idle", _hold_idle_pages, held=_HELD, round=_PAGES),
    Way("socket: junk packets", _send_junk, round=_ROUND),
    Way("polling: junk posted, aborted", _poll_junk, round=_ROUND),
    Way("polling: GETs aborted", _poll_and_abort, round=_ROUND),
    Way("polling: opened, never used", _poll_open_only, round=_ROUND),
)

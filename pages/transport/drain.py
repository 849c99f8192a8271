"""Moves the pages of a stopping node to other nodes."""

import asyncio

from nicegui import Client

from . import websocket
from .socket_authorizer import SocketAuthorizer

_TIMEOUT_SECONDS = 4.0
_POLL_SECONDS = 0.1
_PAGES_PER_BATCH = 50


async def drain_pages(sockets: SocketAuthorizer) -> None:
    """Ask every page to reload, and wait up to 4 s until all sockets are closed."""
    for number, page in enumerate(list(Client.instances), 1):
        await websocket.broadcast("move", {}, room=page)
        if number % _PAGES_PER_BATCH == 0:
            await asyncio.sleep(0)
    for _ in range(int(_TIMEOUT_SECONDS / _POLL_SECONDS)):
        if not sockets.count():
            break
        await asyncio.sleep(_POLL_SECONDS)

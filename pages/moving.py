"""Leads the screens of a node that ends to the others."""

import asyncio

from nicegui import Client

from .live import lines
from .live.sockets import Sockets

_PATIENCE_SECONDS = 4.0
_LOOK_SECONDS = 0.1
_AT_ONCE = 50


async def move_screens(sockets: Sockets) -> None:
    """Tell every screen to load its page anew, and wait for a while until they have gone."""
    for number, page in enumerate(list(Client.instances), 1):
        await lines.send("move", {}, room=page)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    for _ in range(int(_PATIENCE_SECONDS / _LOOK_SECONDS)):
        if not sockets.count():
            break
        await asyncio.sleep(_LOOK_SECONDS)

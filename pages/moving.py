"""Leads the screens of a node that ends to the others."""

import asyncio

from nicegui import Client

from .live import lines
from .live.sockets import Sockets

_PATIENCE_SECONDS = 4.0
_LOOK_SECONDS = 0.1


async def move_screens(sockets: Sockets) -> None:
    """Tell every screen to load its page anew, and wait for a while until they have gone."""
    for page in list(Client.instances):
        await lines.send("move", {}, room=page)
    for _ in range(int(_PATIENCE_SECONDS / _LOOK_SECONDS)):
        if not sockets.count():
            break
        await asyncio.sleep(_LOOK_SECONDS)

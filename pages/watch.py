"""Closes the screens of those who are known here no more."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from fastapi import Request
from nicegui import Client, background_tasks

from anonchat import (
    Chat,
    Event,
    LimitReached,
    NewsMissed,
    Pulse,
    TokenRevoked,
    Unavailable,
    VisitorForgotten,
)

from .door import Door
from .live.sockets import Sockets

_ROUND_SECONDS = 600.0
_FAREWELL_SECONDS = 5.0
_AT_ONCE = 50


class Watch:
    """Looks after every screen whose page has asked who is there.

    A forgotten visitor's screens are silenced at once. All others are asked for their cookie's
    visitor again, every ten minutes and whenever one of the visitor's browsers has had to give way.
    """

    def __init__(self, chat: Chat, door: Door, sockets: Sockets) -> None:
        self._door = door
        self._sockets = sockets
        self._pulse = Pulse(self._begin_round, seconds=_ROUND_SECONDS, name="watch")
        chat.bus.subscribe(self._on_event)
        chat.open_screens.add_source(_list_visitors)

    def start(self) -> None:
        """Begin to go round."""
        self._pulse.start()

    def stop(self) -> None:
        """Go round no more."""
        self._pulse.stop()

    async def go_round(self, visitor_id: str = "") -> None:
        """Close every screen, or those of one visitor, whose cookie is nobody's any more."""
        for number, client in enumerate(_screens(visitor_id), 1):
            request: Request = client.request
            with suppress(Unavailable, LimitReached):  # the next round asks again
                if await self._door.recognise(request) is None:
                    client.open("/login")
                    self._close(client)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _on_event(self, event: Event) -> None:
        match event:
            case VisitorForgotten(visitor_id):
                for client in _screens(visitor_id):  # they hear of it, and go by themselves
                    self._close(client)
            case NewsMissed():
                background_tasks.create(self.go_round(), name="watch all")
            case TokenRevoked(visitor_id):
                background_tasks.create(self.go_round(visitor_id), name="watch one")

    def _close(self, client: Client) -> None:
        self._sockets.silence(client.id)
        client.on_delete(lambda: self._sockets.forget(client.id))
        background_tasks.create(self._cut(client.id), name="farewell")

    async def _cut(self, page: str) -> None:
        await asyncio.sleep(_FAREWELL_SECONDS)
        self._sockets.cut(page)

    async def _begin_round(self) -> None:
        self._sockets.tell_refused()
        await self.go_round()


def _list_visitors() -> Iterator[str]:
    """Yield the ids of the visitors who have a page open."""
    for client in list(Client.instances.values()):
        if client.has_socket_connection and (whose := client.request.scope.get("visitor")):
            yield whose


def _screens(visitor_id: str) -> list[Client]:
    """Return the screens of a visitor, or all that are somebody's."""
    return [
        client
        for client in Client.instances.values()
        if (whose := client.request.scope.get("visitor")) and visitor_id in ("", whose)
    ]

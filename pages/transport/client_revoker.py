"""Closes the pages of deleted visitors and of revoked sessions."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress

from fastapi import Request
from nicegui import Client, background_tasks

from anonchat import (
    Chat,
    Event,
    EventsLost,
    LimitReached,
    PeriodicTask,
    TokenRevoked,
    Unavailable,
    VisitorForgotten,
)

from ..http.auth import SessionAuth
from .socket_authorizer import SocketAuthorizer

_CHECK_SECONDS = 600.0
_CLOSE_DELAY_SECONDS = 5.0  # so that the page receives its last updates
_CHECKS_PER_BATCH = 50


class ClientRevoker:
    """Closes pages whose visitor is deleted or whose session is revoked.

    It covers every page that required a visitor. A deleted visitor's pages are blocked at once.
    The sessions of all pages are checked every ten minutes, and those of one visitor whenever one
    of the visitor's sessions is revoked.
    """

    def __init__(self, chat: Chat, auth: SessionAuth, sockets: SocketAuthorizer) -> None:
        self._auth = auth
        self._sockets = sockets
        self._periodic_task = PeriodicTask(
            self._check_all, seconds=_CHECK_SECONDS, name="check page sessions"
        )
        chat.bus.subscribe(self._on_event)
        chat.open_pages.add_source(_list_visitors)

    def start(self) -> None:
        """Start the periodic check."""
        self._periodic_task.start()

    def stop(self) -> None:
        """Stop the periodic check."""
        self._periodic_task.stop()

    async def check_sessions(self, visitor_id: str = "") -> None:
        """Close all pages, or those of one visitor, whose session is no longer valid."""
        for number, client in enumerate(_list_pages(visitor_id), 1):
            request: Request = client.request
            with suppress(Unavailable, LimitReached):  # the next check tries again
                if await self._auth.authenticate(request) is None:
                    client.open("/login")
                    self._close(client)
            if number % _CHECKS_PER_BATCH == 0:
                await asyncio.sleep(0)

    async def _on_event(self, event: Event) -> None:
        match event:
            case VisitorForgotten(visitor_id):
                for client in _list_pages(visitor_id):  # the pages leave on this event, too
                    self._close(client)
            case EventsLost():
                background_tasks.create(self.check_sessions(), name="check all page sessions")
            case TokenRevoked(visitor_id):
                background_tasks.create(
                    self.check_sessions(visitor_id), name="check page sessions of a visitor"
                )

    def _close(self, client: Client) -> None:
        self._sockets.block_page(client.id)
        client.on_delete(lambda: self._sockets.unblock_page(client.id))
        background_tasks.create(self._close_sockets(client.id), name="close page sockets")

    async def _close_sockets(self, page: str) -> None:
        await asyncio.sleep(_CLOSE_DELAY_SECONDS)
        self._sockets.close_page_sockets(page)

    async def _check_all(self) -> None:
        self._sockets.log_refused()
        await self.check_sessions()


def _list_visitors() -> Iterator[str]:
    """Yield the ids of the visitors who have a page open."""
    for client in list(Client.instances.values()):
        if client.has_socket_connection and (owner_id := client.request.scope.get("visitor")):
            yield owner_id


def _list_pages(visitor_id: str) -> list[Client]:
    """Return the pages of a visitor, or of all visitors if the id is ""."""
    return [
        client
        for client in Client.instances.values()
        if (owner_id := client.request.scope.get("visitor")) and visitor_id in ("", owner_id)
    ]

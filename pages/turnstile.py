"""Limits how often, and for how much processor time, pages and their assets are asked for.

Pages that were handed out are kept until their browsers come for them, or a minute.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

from fastapi import Request
from nicegui import Client
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from anonchat import (
    N_,
    Chat,
    Cost,
    LimitReached,
    TooOften,
    Unavailable,
    client_networks,
)

from .asset_cache import ASSETS
from .door import Door
from .live.sockets import Sockets
from .passes import Passes
from .request_pace import PROBES
from .site import address_of

_COUNTED_ELSEWHERE = ("/api/", "/_nicegui_ws/")
_SMALL = {  # cheap, and never refused: without them nobody could come in, and no proxy see us live
    *((method, path) for method in ("GET", "HEAD") for path in PROBES),
    ("POST", "/session"),
    ("POST", "/pass"),
}

_STATIC = ("/login", "/privacy")
_STRANGERS_WAIT = timedelta(seconds=6)
_SOCKETS_FULL_SECONDS = 10
_TOO_MANY_ASSETS = Response(status_code=429, headers={"Retry-After": "1"})

Answer = Callable[[Request, LimitReached], Response]


class Turnstile:
    """Counts page requests, 404s included, and requests for scripts and styles.

    A visitor, known by the cookie, is counted as themselves. All strangers of a client network are
    counted together. Beyond their limits they wait; if that takes too long, `busy` makes the
    answer, and whoever solves the challenge in it is counted by the pass that they get. `hold_back`
    makes the answer to a visitor.

    Of too many pages that no browser has come for, the oldest go: to turn away whoever comes would
    let one flood keep everybody out. A browser that comes too late loads its page again by itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        chat: Chat,
        door: Door,
        passes: Passes,
        sockets: Sockets,
        hold_back: Answer,
        busy: Answer,
    ) -> None:
        self._app = app
        self._chat = chat
        self._door = door
        self._passes = passes
        self._sockets = sockets
        self._hold_back = hold_back
        self._busy = busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["path"].startswith(_COUNTED_ELSEWHERE):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        address = address_of(connection)
        if (scope["method"], scope["path"]) in _SMALL:
            if scope["method"] == "POST":  # a probe does not wait behind those who flood
                await self._chat.busy_networks.pace(address)
            await self._app(scope, receive, send)
            return
        visitor_id, pass_id = await self._identify(connection)
        is_asset = scope["path"].startswith(ASSETS) and scope["method"] in ("GET", "HEAD")
        try:
            if is_asset:
                await self._spend_on_asset(address, visitor_id, pass_id)
            else:
                await self._spend_on_page(connection, address, visitor_id, pass_id)
        except LimitReached as error:
            await self._chat.busy_networks.pace(address)
            answer = _TOO_MANY_ASSETS if is_asset else self._refuse(scope, visitor_id, error)
            await answer(scope, receive, send)
            return
        if not is_asset:
            _make_room(self._chat.settings.pages_waiting_max)
        await self._app(scope, receive, send)

    async def _identify(self, connection: HTTPConnection) -> tuple[str, str]:
        """Return the ids of the visitor and of the pass that a request comes with, or ""."""
        try:
            visitor = await self._door.recognise(connection)
        except (Unavailable, LimitReached):  # the page itself will say so
            visitor = None
        return (visitor.id, "") if visitor else ("", self._passes.read(connection))

    async def _spend_on_asset(self, address: str, visitor_id: str, pass_id: str) -> None:
        if visitor_id or pass_id:
            await self._chat.work.spend(
                Cost.ASSET, visitor_id=visitor_id, pass_id=pass_id, address=address
            )
        else:
            await self._chat.work.spend_on_asset(Cost.ASSET, address=address)

    async def _spend_on_page(
        self, connection: HTTPConnection, address: str, visitor_id: str, pass_id: str
    ) -> None:
        limits, work, path = self._chat.limits, self._chat.work, connection.scope["path"]
        if visitor_id:
            limits.pages.spend(visitor_id)
            await work.spend(_cost_for_visitor(path), visitor_id=visitor_id, address=address)
            return
        is_led_away = path == "/" or path.startswith("/r/")
        has_token = self._door.has_token(connection)  # a wrong one is looked up
        cost = Cost.REDIRECT if is_led_away and not has_token else Cost.STATIC_PAGE
        if pass_id:
            connection.scope["pass"] = pass_id  # what the page does is counted by it, too
            limits.pages_with_pass.spend(pass_id)
            await work.spend(cost, pass_id=pass_id, address=address)
        elif address:
            if path in _STATIC:
                self._check_sockets(address)
            limits.pages.spend_address(address)
            await work.spend(cost, address=address, longest=_STRANGERS_WAIT)

    def _check_sockets(self, address: str) -> None:
        """Raise `TooOften` if a page would be of no use, because its socket would be refused."""
        if self._sockets.is_full(address):
            raise TooOften(
                N_("That was too often. Please try again in {seconds} s."),
                seconds=_SOCKETS_FULL_SECONDS,
            )

    def _refuse(self, scope: Scope, visitor_id: str, error: LimitReached) -> Response:
        return (self._hold_back if visitor_id else self._busy)(Request(scope), error)


def _cost_for_visitor(path: str) -> float:
    if path.startswith("/r/"):
        return Cost.ROOM_PAGE
    return Cost.LOBBY_PAGE if path == "/" else Cost.STATIC_PAGE


def _make_room(most: int) -> None:
    if len(Client.instances) < most:  # so there cannot be as many that wait
        return
    waiting = [client for client in Client.instances.values() if not client.has_socket_connection]
    addresses = {client: address_of(client.request) for client in waiting}
    networks = {address: dict(client_networks(address)) for address in set(addresses.values())}
    held: dict[str, float] = defaultdict(float)
    for address in addresses.values():
        for network, weight in networks[address].items():
            held[network] += weight
    for _ in range(len(waiting) + 1 - most):
        greatest = max(held, key=held.__getitem__)
        oldest = next(client for client in waiting if greatest in networks[addresses[client]])
        waiting.remove(oldest)
        for network, weight in networks[addresses[oldest]].items():
            held[network] -= weight
        oldest.delete()

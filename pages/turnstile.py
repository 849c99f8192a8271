"""Limits how often, and for how much processor time, pages and what belongs to them are asked for.

Pages that were handed out are kept until their browsers come for them, or a minute.
"""

from collections import defaultdict
from collections.abc import Callable
from enum import Enum, auto

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
from .live.sockets import Sockets, find_holder
from .passes import Passes
from .site import address_of

_API = "/api/"  # counts its calls itself
_SOCKETS = "/_nicegui_ws/"
_SMALL = {  # cheap, and never refused: without them nobody could come in, and no proxy see us live
    *((method, path) for method in ("GET", "HEAD") for path in ("/healthz", "/readyz")),
    ("POST", "/session"),
    ("POST", "/pass"),
}

# Milliseconds of processor time, as measured by tests/benchmarks/http_flood.py.
_ASSET_MS = 1.0
_OTHER_MS = 2.0
_STATIC_PAGES_MS = {"/login": 7.0, "/privacy": 7.0}
_LIVE_PAGES_MS = {"/": 24.0, "/r/": 30.0}

_SOCKETS_FULL_SECONDS = 10

Answer = Callable[[Request, LimitReached], Response]


class _Kind(Enum):
    PAGE = auto()
    ASSET = auto()
    SOCKET = auto()


class Turnstile:
    """Counts page requests, 404s included, scripts and styles, polls and new sockets.

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
        if scope["type"] == "lifespan" or scope["path"].startswith(_API):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        address = address_of(connection)
        if _is_small(scope):
            await self._chat.strangers.pace(address)
            await self._app(scope, receive, send)
            return
        kind = _kind_of(scope)
        visitor_id, pass_id = await self._identify(connection, kind)
        try:
            await self._spend(connection, kind, visitor_id, pass_id)
        except LimitReached as error:
            await self._chat.strangers.pace(address)
            answer = self._refuse(scope, kind, error, is_known=bool(visitor_id))
            await answer(scope, receive, send)
            return
        if kind is _Kind.PAGE:
            _make_room(self._chat.settings.pages_waiting_max)
        await self._app(scope, receive, send)

    async def _identify(self, connection: HTTPConnection, kind: _Kind) -> tuple[str, str]:
        """Return the ids of the visitor and of the pass that a request comes with, or ""."""
        if kind is _Kind.SOCKET:
            holder = find_holder(connection.scope["query_string"].decode("latin-1"))
            if holder.name:
                return holder.visitor_id, holder.pass_id
        try:
            visitor = await self._door.recognise(connection)
        except (Unavailable, TooOften):  # the page itself will say so
            visitor = None
        return (visitor.id, "") if visitor else ("", self._passes.read(connection))

    async def _spend(
        self, connection: HTTPConnection, kind: _Kind, visitor_id: str, pass_id: str
    ) -> None:
        limits, address = self._chat.limits, address_of(connection)
        cost = _cost_of(connection.scope, kind, is_known=bool(visitor_id))
        if visitor_id:
            if kind is _Kind.PAGE:
                limits.pages.spend(visitor_id)
            await self._chat.work.spend(cost, visitor_id=visitor_id, address=address)
        elif pass_id:
            connection.scope["pass"] = pass_id  # the page's socket is counted by it, too
            if kind is _Kind.PAGE:
                limits.pages_with_pass.spend(pass_id)
            await self._chat.strangers.spend_after_challenge(cost, address=address)
        elif kind is _Kind.ASSET:
            await self._chat.strangers.spend_on_asset(cost, address=address)
        else:
            if kind is _Kind.PAGE:
                self._check_sockets(address)
                limits.pages.spend_address(address)
            await self._chat.strangers.spend(cost, address=address)

    def _check_sockets(self, address: str) -> None:
        """Raise `TooOften` if a page would be of no use, because its socket would be refused."""
        if self._sockets.is_full(address):
            raise TooOften(
                N_("That was too often. Please try again in {seconds} s."),
                seconds=_SOCKETS_FULL_SECONDS,
            )

    def _refuse(self, scope: Scope, kind: _Kind, error: LimitReached, *, is_known: bool) -> ASGIApp:
        if scope["type"] == "websocket":
            return _close
        if kind is not _Kind.PAGE:
            return Response(status_code=429, headers={"Retry-After": "1"})
        return (self._hold_back if is_known else self._busy)(Request(scope), error)


def _is_small(scope: Scope) -> bool:
    return scope["type"] == "http" and (scope["method"], scope["path"]) in _SMALL


def _kind_of(scope: Scope) -> _Kind:
    path = scope["path"]
    if scope["type"] == "websocket" or path.startswith(_SOCKETS):
        return _Kind.SOCKET
    return _Kind.ASSET if path.startswith(ASSETS) else _Kind.PAGE


def _cost_of(scope: Scope, kind: _Kind, *, is_known: bool) -> float:
    """Return the milliseconds that an answer takes; strangers are only led to /login from most."""
    path = scope["path"]
    if kind is _Kind.SOCKET:
        return Cost.SOCKET if scope["type"] == "websocket" else Cost.POLL
    if kind is _Kind.ASSET:
        return _ASSET_MS
    if is_known:
        return _LIVE_PAGES_MS["/r/"] if path.startswith("/r/") else _LIVE_PAGES_MS.get(path, 7.0)
    return _STATIC_PAGES_MS.get(path, _OTHER_MS)


async def _close(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": 1013})


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

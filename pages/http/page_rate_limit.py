"""Rate limits and work budgets for page and asset requests.

A served page stays in memory until its browser connects, for a minute at most.
"""

from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import timedelta

from fastapi import Request
from nicegui import Client
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from anonchat import Chat, Cost, LimitReached, RateLimited, Unavailable, client_networks

from .asset_cache import ASSET_PATHS
from .auth import SessionAuth
from .challenge_pass import ChallengePasses
from .client_address import client_address
from .request_rate_limit import HEALTH_CHECK_PATHS

_ROOM_PATHS = ("/r/", "/i/")
_EXCLUDED = ("/api/", "/_nicegui_ws/")
_UNLIMITED = {  # cheap; sign-in and health checks must keep working under load
    *((method, path) for method in ("GET", "HEAD") for path in HEALTH_CHECK_PATHS),
    ("POST", "/session"),
    ("POST", "/pass"),
}

_ANONYMOUS_MAX_WAIT = timedelta(seconds=6)
_SOCKETS_FULL_RETRY_SECONDS = 10
_ASSET_RATE_LIMITED = Response(status_code=429, headers={"Retry-After": "1"})

MakeResponse = Callable[[Request, LimitReached], Response]


class PageRateLimitMiddleware:
    """Rate-limits requests for pages, 404s included, and for assets.

    Visitors, identified by cookie, are limited individually. Unauthenticated clients of a network
    share one limit; beyond it they wait. If the wait is too long, `busy` makes the response. A
    client that solves the challenge in it is then limited by its own pass. `rate_limited_page`
    makes the response for a visitor.

    `static_paths` are the pages for everybody that have a socket.

    If too many served pages have no connected browser, the oldest are deleted: refusing new ones
    would let one flood lock out everyone. A browser that connects too late reloads its page.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        chat: Chat,
        auth: SessionAuth,
        passes: ChallengePasses,
        static_paths: Collection[str],
        sockets_full: Callable[[str], bool],
        rate_limited_page: MakeResponse,
        busy: MakeResponse,
    ) -> None:
        self._app = app
        self._chat = chat
        self._auth = auth
        self._passes = passes
        self._static_paths = static_paths
        self._sockets_full = sockets_full
        self._rate_limited_page = rate_limited_page
        self._busy = busy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or scope["path"].startswith(_EXCLUDED):
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        address = client_address(connection)
        if (scope["method"], scope["path"]) in _UNLIMITED:
            if scope["method"] == "POST":  # health probes do not wait behind a flood
                scope["pass"] = self._passes.read(connection)
                await self._chat.network_throttle.delay_response(address)
            await self._app(scope, receive, send)
            return
        visitor_id, pass_id = await self._identify(connection)
        is_asset = scope["path"].startswith(ASSET_PATHS) and scope["method"] in ("GET", "HEAD")
        try:
            if is_asset:
                await self._spend_on_asset(address, visitor_id, pass_id)
            else:
                await self._spend_on_page(connection, address, visitor_id, pass_id)
        except LimitReached as error:
            await self._chat.network_throttle.delay_response(address)
            response = _ASSET_RATE_LIMITED if is_asset else self._refuse(scope, visitor_id, error)
            await response(scope, receive, send)
            return
        if not is_asset:
            _delete_oldest_unconnected(self._chat.settings.unconnected_pages_max)
        await self._app(scope, receive, send)

    async def _identify(self, connection: HTTPConnection) -> tuple[str, str]:
        """Return the visitor id and the pass id of a request; "" for each that it lacks."""
        try:
            visitor = await self._auth.authenticate(connection)
        except (Unavailable, LimitReached):  # the page reports it
            visitor = None
        return (visitor.id, "") if visitor else ("", self._passes.read(connection))

    async def _spend_on_asset(self, address: str, visitor_id: str, pass_id: str) -> None:
        if visitor_id or pass_id:
            await self._chat.work_budget.spend(
                Cost.ASSET, visitor_id=visitor_id, pass_id=pass_id, address=address
            )
        else:
            await self._chat.work_budget.spend_on_asset(Cost.ASSET, address=address)

    async def _spend_on_page(
        self, connection: HTTPConnection, address: str, visitor_id: str, pass_id: str
    ) -> None:
        limits, work, path = self._chat.limits, self._chat.work_budget, connection.scope["path"]
        if visitor_id:
            limits.pages.hit(visitor_id)
            await work.spend(_cost_for_visitor(path), visitor_id=visitor_id, address=address)
            return
        is_redirected = path == "/" or path.startswith((*_ROOM_PATHS, "/lite"))
        has_token = self._auth.has_token(connection)  # even an invalid token costs a lookup
        cost = Cost.REDIRECT if is_redirected and not has_token else Cost.STATIC_PAGE
        if pass_id:
            connection.scope["pass"] = pass_id  # the page's socket is limited by it, too
            limits.pages_with_pass.hit(pass_id)
            await work.spend(cost, pass_id=pass_id, address=address)
        elif address:
            if path in self._static_paths:
                self._check_sockets(address)
            limits.pages.hit(address)
            await work.spend(cost, address=address, max_wait=_ANONYMOUS_MAX_WAIT)

    def _check_sockets(self, address: str) -> None:
        """Raise `RateLimited` if the page would be useless because its socket would be refused."""
        if self._sockets_full(address):
            raise RateLimited(seconds=_SOCKETS_FULL_RETRY_SECONDS)

    def _refuse(self, scope: Scope, visitor_id: str, error: LimitReached) -> Response:
        return (self._rate_limited_page if visitor_id else self._busy)(Request(scope), error)


def _cost_for_visitor(path: str) -> float:
    if path.startswith(_ROOM_PATHS):
        return Cost.ROOM_PAGE
    return Cost.LOBBY_PAGE if path == "/" else Cost.STATIC_PAGE


def _delete_oldest_unconnected(max_pages: int) -> None:
    if len(Client.instances) < max_pages:  # quick check: unconnected pages are a subset
        return
    unconnected = [
        client for client in Client.instances.values() if not client.has_socket_connection
    ]
    addresses = {client: client_address(client.request) for client in unconnected}
    networks = {address: dict(client_networks(address)) for address in set(addresses.values())}
    page_counts: dict[str, float] = defaultdict(float)
    for address in addresses.values():
        for network, weight in networks[address].items():
            page_counts[network] += weight
    for _ in range(len(unconnected) + 1 - max_pages):
        largest = max(page_counts, key=page_counts.__getitem__)
        oldest = next(client for client in unconnected if largest in networks[addresses[client]])
        unconnected.remove(oldest)
        for network, weight in networks[addresses[oldest]].items():
            page_counts[network] -= weight
        _delete(oldest)


def _delete(client: Client) -> None:
    for deletion in client._delete_tasks.values():  # it waits for a reconnection
        deletion.cancel()
    client.delete()

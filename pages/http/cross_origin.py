"""Host and origin checks of requests."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address

from fastapi import Request
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .refusal import refuse
from .refused_origins import RefusedOrigins
from .request_rate_limit import HEALTH_CHECK_PATHS

_log = logging.getLogger(__name__)

SOCKET_PATH = "/_nicegui_ws/"

_CALLED_BY_PROGRAMS = ("/api/v1/", "/plugins/")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_DEFAULT_PORTS: Mapping[str, str] = {"http": ":80", "https": ":443"}
_PROBLEM = ((b"content-type", b"application/problem+json"),)
_FORBIDDEN = json.dumps(
    {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "This did not come from a page of this site.",
    }
).encode()
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.-]+))(?::\d{1,5})?", re.IGNORECASE)
_LOCAL = re.compile(r"(?:[a-z0-9-]+\.)*localhost", re.IGNORECASE)


class CrossOriginProtectionMiddleware:
    """Refuses WebSockets and changes that another site's page requests through a browser.

    The own origin is `base_url`, else the requested host if that is localhost or an IP address.
    Other host names are refused: anyone can point a name of theirs at this server, and their pages
    would then count as same-origin (DNS rebinding). Browsers send an `Origin` header with every
    WebSocket and every unsafe method. Clients of the API and of the routes of plugins, such as
    webhooks, send none, and no cookie. `misdirected_page` makes the response for other host names.

    A refusal is logged with the setting that decides; the log writes equal lines once a minute.
    """

    def __init__(
        self, app: ASGIApp, *, base_url: str, misdirected_page: Callable[[Request], Response]
    ) -> None:
        self._app = app
        self._base_origin = normalize_origin(base_url)
        self._misdirected_page = misdirected_page
        self._refused = RefusedOrigins()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not self._serves_host(scope):
            _log.warning(
                "refused a request for %s: without ANONCHAT_BASE_URL only localhost and IP "
                "addresses are served",
                self._refused.describe(request_origin(scope)),
            )
            if scope["type"] == "websocket":
                await refuse(scope, send, 421)
            else:
                await self._misdirected_page(Request(scope))(scope, receive, send)
        elif self._is_allowed(scope):
            await self._app(scope, receive, send)
        else:
            self._log_refused_origin(scope)
            await refuse(scope, send, 403, headers=_PROBLEM, body=_FORBIDDEN)

    def _log_refused_origin(self, scope: Scope) -> None:
        if not (origin := Headers(scope=scope).get("origin", "")):
            return
        described = self._refused.describe(origin)
        if self._base_origin:
            _log.warning(
                "refused a request of a page at %s: pages work only at %s, as ANONCHAT_BASE_URL "
                "says",
                described,
                self._base_origin,
            )
        else:
            _log.warning(
                "refused a request of a page at %s, which is not the address that reached the "
                "server: behind a proxy, set ANONCHAT_BASE_URL to the address that visitors use",
                described,
            )

    def _serves_host(self, scope: Scope) -> bool:
        """Return whether the requested host may be answered; health checks reveal nothing."""
        if self._base_origin or scope["path"] in HEALTH_CHECK_PATHS:
            return True
        return is_local_host(scope)

    def _is_allowed(self, scope: Scope) -> bool:
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            return False
        path, is_socket = scope["path"], scope["type"] == "websocket"
        is_safe = not is_socket and scope["method"] in _SAFE_METHODS
        if is_safe and not path.startswith(SOCKET_PATH):
            return True
        headers = Headers(scope=scope)
        if origins := headers.getlist("origin"):
            return origins == [self._base_origin or request_origin(scope)]
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        return is_safe or path.startswith(_CALLED_BY_PROGRAMS)


def is_local_host(scope: Scope) -> bool:
    """Return whether the requested host is localhost or an IP address."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    match = _HOST.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
    if match is None:
        return False
    if match["name"] and _LOCAL.fullmatch(match["name"]):
        return True
    try:
        return ip_address(match["v6"] or match["name"]).version == (6 if match["v6"] else 4)
    except ValueError:
        return False


def request_origin(scope: Scope) -> str:
    """Return the requested origin; trusted forwarded headers are applied already."""
    scheme = scope["scheme"].replace("ws", "http", 1)
    return normalize_origin(f"{scheme}://{Headers(scope=scope).get('host', '')}")


def normalize_origin(address: str) -> str:
    """Return the origin of a URL as browsers write it.

    >>> normalize_origin("https://Chat.example:443/a"), normalize_origin("http://127.0.0.1:8080")
    ('https://chat.example', 'http://127.0.0.1:8080')
    """
    scheme, _, rest = address.partition("://")
    host = rest.partition("/")[0]
    return f"{scheme}://{host.lower().removesuffix(_DEFAULT_PORTS[scheme])}" if host else ""

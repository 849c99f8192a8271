"""Host and origin checks of requests."""

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from .refusal import refuse
from .request_rate_limit import HEALTH_CHECK_PATHS

SOCKET_PATH = "/_nicegui_ws/"

_API = "/api/v1"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_DEFAULT_PORTS: Mapping[str, str] = {"http": ":80", "https": ":443"}
_PLAIN_TEXT = ((b"content-type", b"text/plain; charset=utf-8"),)
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
_MISDIRECTED = (
    b"This server answers to localhost and to IP addresses only. To serve it under another name, "
    b"its operator sets ANONCHAT_BASE_URL to the address that visitors use, such as "
    b"https://chat.example\n"
)


class CrossOriginProtectionMiddleware:
    """Refuses WebSockets and changes that another site's page requests through a browser.

    The own origin is `base_url`, else the requested host if that is localhost or an IP address.
    Other host names are refused: anyone can point a name of theirs at this server, and their pages
    would then count as same-origin (DNS rebinding). Browsers send an `Origin` header with every
    WebSocket and every unsafe method. API clients send none, but a token that browsers do not send
    on their own.
    """

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        self._app = app
        self._base_origin = normalize_origin(base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not self._serves_host(scope):
            await refuse(scope, send, 421, headers=_PLAIN_TEXT, body=_MISDIRECTED)
        elif self._is_allowed(scope):
            await self._app(scope, receive, send)
        else:
            await refuse(scope, send, 403, headers=_PROBLEM, body=_FORBIDDEN)

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
        return is_safe or path == _API or path.startswith(f"{_API}/")


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
    """Return the origin as browsers write it.

    >>> normalize_origin("https://Chat.example:443"), normalize_origin("http://127.0.0.1:8080")
    ('https://chat.example', 'http://127.0.0.1:8080')
    """
    scheme, _, host = address.partition("://")
    return f"{scheme}://{host.lower().removesuffix(_DEFAULT_PORTS[scheme])}" if host else ""

"""Which site a request comes from."""

import json
import re
from collections.abc import Mapping
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

SOCKETS = "/_nicegui_ws/"

_PROGRAMS = "/api/v1"
_READING = ("GET", "HEAD", "OPTIONS")
_DEFAULT_PORTS: Mapping[str, str] = {"http": ":80", "https": ":443"}
_REFUSAL = json.dumps(
    {
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
        "detail": "This did not come from a page of this site.",
    }
).encode()
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9.-]+))(?::\d{1,5})?", re.IGNORECASE)
_LOCAL = re.compile(r"(?:[a-z0-9-]+\.)*localhost", re.IGNORECASE)
_PROBES = ("/healthz", "/readyz")  # which say nothing, and are asked under any name
_MISDIRECTED = (
    b"This server answers to localhost and to IP addresses only. To serve it under another name, "
    b"its operator sets ANONCHAT_BASE_URL to the address that visitors use, such as "
    b"https://chat.example\n"
)


class Origins:
    """Refuses whatever another site makes a browser open or change here.

    Our own origin is `base_url`, else the host that was asked, if that is localhost or an IP
    address: anybody can let a name of their own lead here, and then their pages would count as
    ours (DNS rebinding). A browser names the origin of every web socket and of everything that is
    no reading; programs, which bring a token that no browser sends by itself, name none.
    """

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        self._app = app
        self._base = tidy_origin(base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not (self._base or has_own_host(scope) or scope["path"] in _PROBES):
            await _refuse(scope, send, 421, b"text/plain; charset=utf-8", _MISDIRECTED)
        elif self._is_welcome(scope):
            await self._app(scope, receive, send)
        else:
            await _refuse(scope, send, 403, b"application/problem+json", _REFUSAL)

    def _is_welcome(self, scope: Scope) -> bool:
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:
            return False
        path, is_socket = scope["path"], scope["type"] == "websocket"
        is_reading = not is_socket and scope["method"] in _READING
        if is_reading and not path.startswith(SOCKETS):
            return True
        headers = Headers(scope=scope)
        if origins := headers.getlist("origin"):
            return origins == [self._base or own_origin(scope)]
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        return is_reading or path == _PROGRAMS or path.startswith(f"{_PROGRAMS}/")


async def _refuse(scope: Scope, send: Send, status: int, kind: bytes, body: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def has_own_host(scope: Scope) -> bool:
    """Tell whether the host that was asked is localhost or an IP address: nobody else's name."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    found = _HOST.fullmatch(hosts[0].decode("latin-1")) if len(hosts) == 1 else None
    if found is None:
        return False
    if found["name"] and _LOCAL.fullmatch(found["name"]):
        return True
    try:
        return ip_address(found["v6"] or found["name"]).version == (6 if found["v6"] else 4)
    except ValueError:
        return False


def own_origin(scope: Scope) -> str:
    """Return the origin that was asked; of forwarded headers, the server has read the trusted."""
    scheme = scope["scheme"].replace("ws", "http", 1)
    return tidy_origin(f"{scheme}://{Headers(scope=scope).get('host', '')}")


def tidy_origin(address: str) -> str:
    """Return the origin as browsers write it.

    >>> tidy_origin("https://Chat.example:443"), tidy_origin("http://127.0.0.1:8080")
    ('https://chat.example', 'http://127.0.0.1:8080')
    """
    scheme, _, host = address.partition("://")
    return f"{scheme}://{host.lower().removesuffix(_DEFAULT_PORTS[scheme])}" if host else ""

"""Which site a request comes from."""

import json
from collections.abc import Mapping

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


class Origins:
    """Refuses whatever another site makes a browser open or change here.

    Our own origin is `base_url`, else the host that was asked. A browser names the origin of every
    web socket and of everything that is no reading; programs, which bring a token that no browser
    sends by itself, name none.
    """

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        self._app = app
        self._base = tidy_origin(base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] == "lifespan" or self._is_welcome(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            headers = [
                (b"content-type", b"application/problem+json"),
                (b"content-length", str(len(_REFUSAL)).encode()),
            ]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSAL})

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

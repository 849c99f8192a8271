"""A site below a path, such as `https://x.example/chat`."""

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER = "x-forwarded-prefix"
_RAW_HEADER = _HEADER.encode()
_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[\w.~-]+)+", re.ASCII)


class PathPrefixMiddleware:
    """Removes the path below which the site is served, unless a proxy has removed it.

    The path is `base_path`, else the `X-Forwarded-Prefix` header, which
    `ForwardedHeadersMiddleware` accepts from trusted proxies only. The application receives it in
    that header: NiceGUI puts it before its URLs and redirects, and everything else of ours is
    relative to the `base` element of the page.
    """

    def __init__(self, app: ASGIApp, *, base_path: str) -> None:
        self._app = app
        self._base_path = base_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; changes the scope itself, because the HTTP protocol reads it, too."""
        if scope["type"] != "lifespan":
            prefix = self._base_path or _read_header(scope)
            headers = [pair for pair in scope["headers"] if pair[0] != _RAW_HEADER]
            scope["headers"] = headers
            if prefix:
                headers.append((_RAW_HEADER, prefix.encode()))
                if scope["path"] == prefix or scope["path"].startswith(f"{prefix}/"):
                    scope["path"] = scope["path"].removeprefix(prefix) or "/"
        await self._app(scope, receive, send)


def path_prefix(scope: Scope) -> str:
    """Return the path below which the site is served, such as `/chat`; "" for the root."""
    return Headers(scope=scope).get(_HEADER, "")


def _read_header(scope: Scope) -> str:
    values = Headers(scope=scope).getlist(_HEADER)
    value = values[0].rstrip("/") if len(values) == 1 else ""
    return value if _PREFIX.fullmatch(value) else ""

"""Security headers: browsers run, load and frame only content of this site."""

import re
from secrets import token_urlsafe

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .asset_cache import ASSET_PATHS
from .cross_origin import normalize_origin, request_origin
from .page_template import edit_page_template

_NONCE_BYTES = 16
_PERMISSIONS = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
_YEAR = 31_536_000
_ORIGIN = re.compile(r"https?://[\w.:\[\]-]+", re.ASCII)  # a client may send any host
_CSP = b"content-security-policy"
_CACHEABLE_STATUSES = (200, 206, 304)

COMMON_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _PERMISSIONS).encode()),
)
"""Headers that are the same for every response."""
DENY_ALL_POLICY = (
    _CSP,
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
"""Content security policy of responses that are not pages."""
NO_STORE = (b"cache-control", b"no-store")
"""Header of everything but assets: proxies and browsers must not cache it."""
ERROR_HEADERS = (*COMMON_HEADERS, DENY_ALL_POLICY, NO_STORE)
"""All headers of a response that the server itself makes."""
_HTTPS_ONLY = (b"strict-transport-security", f"max-age={_YEAR}; includeSubDomains".encode())


class SecurityHeadersMiddleware:
    """Adds the security headers to every response; page scripts run only with the page's nonce.

    A response that has one of these headers, such as its own content security policy, keeps it. A
    refused WebSocket gets the same headers as a refused request. Everything but assets is marked
    `no-store`.
    """

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        self._app = app
        self._base_origin = normalize_origin(base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        nonce = token_urlsafe(_NONCE_BYTES)
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "websocket.close" and not started:
                await send(self._add_headers(scope, _REFUSED, nonce))
                await send({"type": "websocket.http.response.body", "body": b""})
                return
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message = self._add_headers(scope, message, nonce)
            started = True
            await send(message)

        await self._app({**scope, "nonce": nonce}, receive, send_with_headers)

    def _add_headers(self, scope: Scope, message: Message, nonce: str) -> Message:
        headers = list(message.get("headers", ()))
        own = {name.lower() for name, _ in headers}
        headers += [pair for pair in COMMON_HEADERS if pair[0] not in own]
        if not (scope["path"].startswith(ASSET_PATHS) and message["status"] in _CACHEABLE_STATUSES):
            headers = [pair for pair in headers if pair[0].lower() != NO_STORE[0]] + [NO_STORE]
        names = {name.lower(): value for name, value in headers}
        origin = self._base_origin or request_origin(scope)
        if _CSP not in names:
            is_page = names.get(b"content-type", b"").startswith(b"text/html")
            headers.append((_CSP, _page_policy(nonce, origin)) if is_page else DENY_ALL_POLICY)
        if origin.startswith("https:"):
            headers.append(_HTTPS_ONLY)
        return {**message, "headers": headers}


_REFUSED: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}


def _page_policy(nonce: str, origin: str) -> bytes:
    """Return the policy of a page.

    NiceGUI needs `unsafe-eval` for its event handlers and `unsafe-inline` for its styles. Not every
    browser includes WebSockets in `'self'`. Links are relative to a `base` element.
    """
    sockets = origin.replace("http", "ws", 1) if _ORIGIN.fullmatch(origin) else ""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self' {sockets}; manifest-src 'self'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ).encode()


def install_nonces() -> None:
    """Add the nonce to the scripts of NiceGUI's page template, and to no others.

    Adding it to scripts in the rendered page would cost more, and would trust injected scripts.
    """
    edit_page_template("<script", '<script nonce="{{ request.scope.nonce }}"')

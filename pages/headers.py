"""What every answer tells the browser: to run, load and frame nothing that is not ours."""

import re
from secrets import token_urlsafe

from jinja2 import ChoiceLoader, DictLoader
from nicegui.client import templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .origins import own_origin, tidy_origin

_NONCE_BYTES = 16
_PAGE = "index.html"  # the one template of NiceGUI
_PERMISSIONS = ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
_YEAR = 31_536_000
_ADDRESS = re.compile(r"https?://[\w.:\[\]-]+", re.ASCII)  # a host may be whatever somebody sent
_POLICY = b"content-security-policy"
_ASSETS = ("/_nicegui/", "/assets/", "/favicon.ico")
_FOUND = (200, 206, 304)

STRICT = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", ", ".join(f"{name}=()" for name in _PERMISSIONS).encode()),
)
"""What is the same for every answer."""
NOTHING = (
    _POLICY,
    b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)
"""The policy of whatever is no page."""
NO_STORE = (b"cache-control", b"no-store")
"""Whatever is not an asset may be kept by nobody on the way, nor by the browser."""
BARE = (*STRICT, NOTHING, NO_STORE)
"""All headers of an answer that no application has made."""
_HTTPS_ONLY = (b"strict-transport-security", f"max-age={_YEAR}; includeSubDomains".encode())


class Headers:
    """Adds the strict headers to every answer; a page gets a nonce, without which no script runs.

    A page that has a policy of its own keeps it. A socket that is refused is answered in the same
    way as a request that is. Whatever is not an asset says `no-store`.
    """

    def __init__(self, app: ASGIApp, *, base_url: str) -> None:
        self._app = app
        self._base = tidy_origin(base_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        nonce = token_urlsafe(_NONCE_BYTES)
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            if message["type"] == "websocket.close" and not begun:
                await send(self._complete(scope, _REFUSED, nonce))
                await send({"type": "websocket.http.response.body", "body": b""})
                return
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message = self._complete(scope, message, nonce)
            begun = True
            await send(message)

        await self._app({**scope, "nonce": nonce}, receive, send_on)

    def _complete(self, scope: Scope, message: Message, nonce: str) -> Message:
        headers = [*message.get("headers", ()), *STRICT]
        if not (scope["path"].startswith(_ASSETS) and message["status"] in _FOUND):
            headers = [pair for pair in headers if pair[0].lower() != NO_STORE[0]] + [NO_STORE]
        names = {name.lower(): value for name, value in headers}
        origin = self._base or own_origin(scope)
        if _POLICY not in names:
            is_page = names.get(b"content-type", b"").startswith(b"text/html")
            headers.append((_POLICY, _page_policy(nonce, origin)) if is_page else NOTHING)
        if origin.startswith("https:"):
            headers.append(_HTTPS_ONLY)
        return {**message, "headers": headers}


_REFUSED: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}


def _page_policy(nonce: str, origin: str) -> bytes:
    """Return what a page may do: NiceGUI evaluates the handlers that it sends, and writes styles.

    Not every browser counts its own web sockets among `'self'`.
    """
    sockets = origin.replace("http", "ws", 1) if _ADDRESS.fullmatch(origin) else ""
    return (
        f"default-src 'none'; script-src 'self' 'nonce-{nonce}' 'unsafe-eval'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self' {sockets}; manifest-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ).encode()


def write_nonces() -> None:
    """Let the template of all pages give its own scripts the nonce, and nothing else that comes.

    Looking for scripts in what was drawn would be dearer, and would give the nonce to a script
    that somebody has smuggled in.
    """
    loader = templates.env.loader
    assert loader
    source, _, _ = loader.get_source(templates.env, _PAGE)
    source = source.replace("<script", '<script nonce="{{ request.scope.nonce }}"')
    templates.env.loader = ChoiceLoader([DictLoader({_PAGE: source}), loader])

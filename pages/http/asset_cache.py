"""In-memory cache of assets, stored as sent to save reading and compressing them again."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASSET_PATHS = ("/_nicegui/", "/assets/", "/favicon.ico")
"""Path prefixes of all assets."""

_ICON = "/favicon.ico"
_MAX_BYTES = 16 * 1024 * 1024
_CHUNK_BYTES = 16_384  # bounds what is buffered for a slow connection


@dataclass(frozen=True, slots=True)
class _Asset:
    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: str


class AssetCacheMiddleware:
    """Serves assets from memory after the first request for each.

    An asset is the same for every client as long as the process runs; the query is ignored.
    Only responses with status 200 are cached, up to 16 MiB in all.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._assets: dict[tuple[str, bool], _Asset] = {}
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or not scope["path"].startswith(ASSET_PATHS):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        key = scope["path"], "gzip" in headers.get("accept-encoding", "")
        if asset := self._assets.get(key):
            await _send(asset, send, client_etag=headers.get("if-none-match", ""))
        else:
            await self._app(scope, receive, _ResponseRecorder(self, key, send).send)

    def keep(self, key: tuple[str, bool], start: Message, body: bytes) -> None:
        """Cache a response if it is a cacheable asset and fits."""
        headers = Headers(raw=start["headers"])
        if key not in self._assets and (
            start["status"] == 200
            and ("max-age" in headers.get("cache-control", "") or key[0] == _ICON)
            and self._size + len(body) <= _MAX_BYTES
        ):
            self._size += len(body)
            self._assets[key] = _Asset(start["headers"], body, headers.get("etag", ""))


class _ResponseRecorder:
    def __init__(self, cache: AssetCacheMiddleware, key: tuple[str, bool], send: Send) -> None:
        self._cache = cache
        self._key = key
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        """Forward a message; cache the response once it is complete."""
        if message["type"] == "http.response.start":
            self._start = {**message, "headers": list(message["headers"])}
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self._cache.keep(self._key, self._start, self._body)
        await self._send(message)


async def _send(asset: _Asset, send: Send, *, client_etag: str) -> None:
    is_unchanged = bool(asset.etag) and client_etag == asset.etag
    headers = [
        pair for pair in asset.headers if not is_unchanged or pair[0].lower() != b"content-length"
    ]
    status = 304 if is_unchanged else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = b"" if is_unchanged else asset.body
    for start in range(0, max(1, len(body)), _CHUNK_BYTES):
        end = start + _CHUNK_BYTES
        chunk = {"type": "http.response.body", "body": body[start:end]}
        await send({**chunk, "more_body": end < len(body)})

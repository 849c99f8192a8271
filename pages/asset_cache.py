"""Keeps scripts and styles in memory, as they are sent: to read and compress them takes longer."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASSETS = ("/_nicegui/", "/assets/", "/favicon.ico")
"""How the paths of all assets begin."""

_ICON = "/favicon.ico"
_BYTES_MOST = 16 * 1024 * 1024
_PIECE_BYTES = 16_384  # so that little of it waits on a connection that is slow


@dataclass(frozen=True, slots=True)
class _Asset:
    headers: list[tuple[bytes, bytes]]
    body: bytes
    etag: str


class AssetCache:
    """Answers for assets from memory once they have been asked for.

    They are the same for everybody and for as long as the process runs, whatever the query.
    Only what exists is kept, up to 16 MiB in all.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._assets: dict[tuple[str, bool], _Asset] = {}
        self._size = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or not scope["path"].startswith(ASSETS):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        key = scope["path"], "gzip" in headers.get("accept-encoding", "")
        if asset := self._assets.get(key):
            await _send(asset, send, known=headers.get("if-none-match", ""))
        else:
            await self._app(scope, receive, _Recording(self, key, send).send)

    def keep(self, key: tuple[str, bool], start: Message, body: bytes) -> None:
        """Keep an answer if it is that of an asset, and there is room."""
        headers = Headers(raw=start["headers"])
        if key not in self._assets and (
            start["status"] == 200
            and ("max-age" in headers.get("cache-control", "") or key[0] == _ICON)
            and self._size + len(body) <= _BYTES_MOST
        ):
            self._size += len(body)
            self._assets[key] = _Asset(start["headers"], body, headers.get("etag", ""))


class _Recording:
    def __init__(self, cache: AssetCache, key: tuple[str, bool], send: Send) -> None:
        self._cache = cache
        self._key = key
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def send(self, message: Message) -> None:
        """Pass a message on, and keep the whole once it is there."""
        if message["type"] == "http.response.start":
            self._start = {**message, "headers": list(message["headers"])}
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                self._cache.keep(self._key, self._start, self._body)
        await self._send(message)


async def _send(asset: _Asset, send: Send, *, known: str) -> None:
    is_known = bool(asset.etag) and known == asset.etag
    headers = [
        pair for pair in asset.headers if not is_known or pair[0].lower() != b"content-length"
    ]
    status = 304 if is_known else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = b"" if is_known else asset.body
    for start in range(0, max(1, len(body)), _PIECE_BYTES):
        end = start + _PIECE_BYTES
        piece = {"type": "http.response.body", "body": body[start:end]}
        await send({**piece, "more_body": end < len(body)})

"""HTTP requests and TCP connections from one loopback address."""

import asyncio
from collections import Counter
from collections.abc import Container
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

_SUCCESS = range(200, 400)
_LOOPBACK = "127."
_KEEP_ALIVE_SECONDS = 2.0  # less than the five of the server


class Refused(Exception):
    """The server refused: an unexpected status, or a closed connection."""


class Client:
    """A client address; closing it closes all its connections.

    The connections of `http` are reused, as by a browser; `sockets` opens one for each socket or
    request. `method_calls` counts the script methods that the server has called on elements of its
    pages, such as `messages catchUp`. Raises `ValueError` for addresses other than loopback.
    """

    def __init__(
        self, url: str, address: str = "127.0.0.1", *, timeout_seconds: float = 10
    ) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        if not (self.host.startswith(_LOOPBACK) and address.startswith(_LOOPBACK)):
            raise ValueError(f"only loopback may be attacked, not {url} from {address}")
        self.url = url
        self.address = address
        self.timeout_seconds = timeout_seconds
        self.method_calls: Counter[str] = Counter()
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self.http = self._open_session(keepalive_timeout=_KEEP_ALIVE_SECONDS)
        self.sockets = self._open_session(force_close=True)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await self.http.close()
        await self.sockets.close()

    def _open_session(self, **options: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(local_addr=(self.address, 0), limit=0, **options),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self.timeout_seconds),
        )

    async def ask(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        cookie: str = "",
        expect: Container[int] = _SUCCESS,
        **options: Any,
    ) -> bytes:
        """Return the body of a response; raise `Refused` if its status is not expected.

        `token` is for the API, `cookie` for pages.
        """
        headers = {**options.pop("headers", {}), **identify(token=token, cookie=cookie)}
        options["allow_redirects"] = False
        try:
            async with self.http.request(
                method, self.url + path, headers=headers, **options
            ) as response:
                body = await response.read()
        except aiohttp.ClientError as error:
            raise Refused(str(error)) from error
        if response.status not in expect:
            raise Refused(f"{method} {path}: {response.status} {body[:200]!r}")
        return body

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a TCP connection without sending anything; it stays open until the end."""
        try:
            reader, writer = await asyncio.open_connection(
                self.host, self.port, local_addr=(self.address, 0)
            )
        except OSError as error:
            raise Refused(str(error)) from error
        self._writers.append(writer)
        return reader, writer

    def drop(self, writer: asyncio.StreamWriter) -> None:
        """Abort a connection."""
        writer.transport.abort()
        self._writers.remove(writer)


def identify(*, token: str = "", cookie: str = "") -> dict[str, str]:
    """Return the headers that authenticate a visitor."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if cookie:
        headers["Cookie"] = f"anonchat={cookie}"
    return headers

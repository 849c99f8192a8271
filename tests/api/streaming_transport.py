"""An httpx transport to an ASGI application that streams responses as they are sent."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from starlette.types import ASGIApp, Message


class StreamingTransport(httpx.AsyncBaseTransport):
    """Runs each request in its own task.

    `send` waits until the previous chunk was read, as a server with backpressure does. Closing the
    response sends `http.disconnect` to the application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._running: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Start a request and return once its response has started."""
        assert isinstance(request.stream, httpx.AsyncByteStream)
        response = _ResponseStream([chunk async for chunk in request.stream])
        task = asyncio.create_task(self._run(_scope(request), response))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        response.task = task
        await response.started.wait()
        return httpx.Response(response.status, headers=response.headers, stream=response)

    async def aclose(self) -> None:
        """Wait until all requests are finished."""
        if self._running:
            await asyncio.wait(self._running)

    async def _run(self, scope: dict[str, Any], response: "_ResponseStream") -> None:
        try:
            await self._app(scope, response.receive, response.send)
        finally:
            response.started.set()
            await response.chunks.put(None)


class _ResponseStream(httpx.AsyncByteStream):
    def __init__(self, body: list[bytes]) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.started = asyncio.Event()
        self.chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self.task: asyncio.Task[None] | None = None
        self._body = [*body, b""]
        self._disconnected = asyncio.Event()
        self._ended = False

    async def receive(self) -> Message:
        if self._body:
            chunk = self._body.pop(0)
            return {"type": "http.request", "body": chunk, "more_body": bool(self._body)}
        await self._disconnected.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
            self.started.set()
        elif message.get("body"):
            await self.chunks.put(message["body"])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._take()) is not None:
            yield chunk

    async def aclose(self) -> None:
        """Disconnect, wait until the application is finished and raise its exception."""
        self._disconnected.set()
        while await self._take() is not None:
            pass
        assert self.task
        await self.task

    async def _take(self) -> bytes | None:
        chunk = None if self._ended else await self.chunks.get()
        self._ended = chunk is None
        return chunk


def _scope(request: httpx.Request) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }

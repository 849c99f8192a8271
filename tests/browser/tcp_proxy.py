"""A TCP proxy in front of a server, with faults that a test injects."""

import asyncio
import contextlib

_CHUNK_BYTES = 65_536


class TcpProxy:
    """TCP proxy that can cut, stall or slow down its connections."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._accepts_connections = True
        self._forwards_responses = True
        self._delay = 0.0
        self._websockets_allowed = asyncio.Event()
        self._websockets_allowed.set()
        self._forwarding_allowed = asyncio.Event()
        self._forwarding_allowed.set()

    @property
    def url(self) -> str:
        """The URL that a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self) -> None:
        """Start to listen."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)

    async def close(self) -> None:
        """Stop listening and close all connections."""
        assert self._server
        self._server.close()
        self.disconnect()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def disconnect(self) -> None:
        """Abort all connections and refuse new ones."""
        self._accepts_connections = False
        self._websockets_allowed.set()
        self._forwarding_allowed.set()
        for writers in self._connections.values():
            for writer in writers:
                writer.transport.abort()

    def restore(self) -> None:
        """Accept connections and forward responses again."""
        self._accepts_connections = self._forwards_responses = True

    def drop_responses(self) -> None:
        """Forward requests but discard responses, until `mend`."""
        self._forwards_responses = False

    def hold(self) -> None:
        """Stop forwarding in both directions; senders block once the socket buffers are full."""
        self._forwarding_allowed.clear()

    def release(self) -> None:
        """Forward the held data and all that follows."""
        self._forwarding_allowed.set()

    def set_delay(self, seconds: float) -> None:
        """Delay every chunk in both directions by so many seconds."""
        self._delay = seconds

    def hold_websockets(self) -> None:
        """Hold new WebSocket connections before their handshake."""
        self._websockets_allowed.clear()

    def release_websockets(self) -> None:
        """Forward the held WebSocket connections."""
        self._websockets_allowed.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections[task] = [writer]
        try:
            with contextlib.suppress(OSError):
                await self._forward(reader, writer, self._connections[task])
        finally:
            for open_writer in self._connections.pop(task):
                open_writer.transport.abort()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        writers: list[asyncio.StreamWriter],
    ) -> None:
        request = await reader.read(_CHUNK_BYTES)
        if b"/_nicegui_ws/" in request.split(b"\r\n", 1)[0]:
            await self._websockets_allowed.wait()
        if not self._accepts_connections:
            return
        responses, upstream = await asyncio.open_connection("127.0.0.1", self._target)
        writers.append(upstream)
        upstream.write(request)
        tasks = [
            asyncio.ensure_future(self._copy(reader, upstream, is_response=False)),
            asyncio.ensure_future(self._copy(responses, writer, is_response=True)),
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _copy(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_response: bool
    ) -> None:
        while chunk := await source.read(_CHUNK_BYTES):
            await self._forwarding_allowed.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            if is_response and not self._forwards_responses:
                continue
            target.write(chunk)
            await target.drain()

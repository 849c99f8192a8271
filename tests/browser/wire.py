"""A cable to a server that a test can pull out."""

import asyncio
import contextlib

_PIECE = 65_536


class Wire:
    """Passes every connection on, until it is told not to."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._lines: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._whole = True
        self._passes_answers = True
        self._delay = 0.0
        self._passes_sockets = asyncio.Event()
        self._passes_sockets.set()
        self._flows = asyncio.Event()
        self._flows.set()

    @property
    def url(self) -> str:
        """The address that a browser opens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Where it begins."""
        assert self._server
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def open(self) -> None:
        """Begin to listen."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)

    async def close(self) -> None:
        """End everything."""
        assert self._server
        self._server.close()
        self.cut()
        await asyncio.gather(*self._lines, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection, and let no other come about."""
        self._whole = False
        self._passes_sockets.set()
        self._flows.set()
        for writers in self._lines.values():
            for writer in writers:
                writer.transport.abort()

    def mend(self) -> None:
        """Let connections come about again."""
        self._whole = self._passes_answers = True

    def swallow_answers(self) -> None:
        """Pass on what browsers say, and lose what the server says, until the wire is mended."""
        self._passes_answers = False

    def hold(self) -> None:
        """Keep back what is said on either side; each side notices as soon as much is waiting."""
        self._flows.clear()

    def release(self) -> None:
        """Pass on what was kept back, and whatever follows."""
        self._flows.set()

    def slow_down(self, seconds: float) -> None:
        """Let every piece that is said on either side take so long from now on."""
        self._delay = seconds

    def hold_sockets(self) -> None:
        """Keep web sockets waiting to be opened."""
        self._passes_sockets.clear()

    def release_sockets(self) -> None:
        """Open the web sockets that wait."""
        self._passes_sockets.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._lines[task] = [writer]
        try:
            with contextlib.suppress(OSError):
                await self._pass_on(reader, writer, self._lines[task])
        finally:
            for end in self._lines.pop(task):
                end.transport.abort()

    async def _pass_on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        ends: list[asyncio.StreamWriter],
    ) -> None:
        request = await reader.read(_PIECE)
        if b"/_nicegui_ws/" in request.split(b"\r\n", 1)[0]:
            await self._passes_sockets.wait()
        if not self._whole:
            return
        answers, onward = await asyncio.open_connection("127.0.0.1", self._target)
        ends.append(onward)
        onward.write(request)
        ways = [
            asyncio.ensure_future(self._pump(reader, onward, is_answer=False)),
            asyncio.ensure_future(self._pump(answers, writer, is_answer=True)),
        ]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        while piece := await source.read(_PIECE):
            await self._flows.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            if is_answer and not self._passes_answers:
                continue
            target.write(piece)
            await target.drain()

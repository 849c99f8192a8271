"""Records all commands that the nodes send to Valkey (with `MONITOR`)."""

import asyncio
import codecs
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)


class Recorder:
    """The commands that a Redis server has received, each split into its arguments."""

    def __init__(self) -> None:
        self.commands: list[list[bytes]] = []

    def published(self) -> list[tuple[str, bytes]]:
        """Return the published messages with their channels."""
        return [
            (channel.decode(), data)
            for verb, channel, data, *_ in (each for each in self.commands if len(each) > 2)
            if verb == b"PUBLISH"
        ]

    def arguments(self) -> set[bytes]:
        """Return all arguments of all commands."""
        return {argument for command in self.commands for argument in command}

    async def record(self, reader: asyncio.StreamReader) -> None:
        """Record commands until the connection ends."""
        while line := await reader.readline():
            if arguments := [_unescape(quoted) for quoted in _ARGUMENT.findall(line)]:
                self.commands.append(arguments)


@asynccontextmanager
async def recording(port: int) -> AsyncIterator[Recorder]:
    """Record the commands that the Redis server at this port receives meanwhile."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    writer.write(b"MONITOR\r\n")
    assert await reader.readline() == b"+OK\r\n"
    recorder = Recorder()
    recording_task = asyncio.create_task(recorder.record(reader))
    try:
        yield recorder
    finally:
        recording_task.cancel()
        with suppress(asyncio.CancelledError):
            await recording_task
        writer.close()


def _unescape(quoted: bytes) -> bytes:
    return codecs.escape_decode(quoted)[0]  # type: ignore[attr-defined,no-any-return]

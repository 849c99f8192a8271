"""Somebody on the wire between the nodes and Valkey, who writes down all that is said to it."""

import asyncio
import codecs
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)


class Recorder:
    """Every command that a Redis was given, as its words."""

    def __init__(self) -> None:
        self.commands: list[list[bytes]] = []

    def published(self) -> list[tuple[str, bytes]]:
        """Return what was published, with the channels."""
        return [
            (channel.decode(), data)
            for verb, channel, data, *_ in (each for each in self.commands if len(each) > 2)
            if verb == b"PUBLISH"
        ]

    def words(self) -> set[bytes]:
        """Return every word of every command."""
        return {word for command in self.commands for word in command}

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Write down what comes."""
        while line := await reader.readline():
            if words := [_unescape(word) for word in _WORD.findall(line)]:
                self.commands.append(words)


@asynccontextmanager
async def recording(port: int) -> AsyncIterator[Recorder]:
    """Write down what the Redis at this port is told meanwhile."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    writer.write(b"MONITOR\r\n")
    assert await reader.readline() == b"+OK\r\n"
    recorder = Recorder()
    listening = asyncio.create_task(recorder.listen(reader))
    try:
        yield recorder
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening
        writer.close()


def _unescape(word: bytes) -> bytes:
    return codecs.escape_decode(word)[0]  # type: ignore[attr-defined,no-any-return]

"""Valkey, or Redis: what nodes share in memory. The only module that knows its client."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError

_PATIENCE_SECONDS = 2.0

KEEPS_ALL = "noeviction"
"""The policy that lets go of nothing: there are keys among what it holds."""

Command = Sequence[str | bytes | int]


class ValkeyLost(Exception):
    """Valkey does not answer; what was asked of it may have happened or not."""

    @property
    def is_stranger(self) -> bool:
        """Whether it answers, but not to one of this name and password."""
        return isinstance(self.__cause__, AuthenticationError)


class Valkey:
    """One Valkey. Nothing is tried twice here: whoever calls knows whether that would be right."""

    def __init__(self, url: str) -> None:
        self._client = Redis.from_url(
            re.sub("^valkey", "redis", url),
            protocol=2,
            socket_connect_timeout=_PATIENCE_SECONDS,
            socket_timeout=_PATIENCE_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    async def call(self, *command: str | bytes | int) -> Any:
        """Return the answer to a command. Raises `ValkeyLost`."""
        with _losing():
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        """Return the answers to several commands that travel together. Raises `ValkeyLost`."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        with _losing():
            answers: list[Any] = await pipeline.execute()
            return answers

    async def read_policy(self) -> str:
        """Return by which policy it lets go of what it holds when its memory is full.

        Raises `ValkeyLost`.
        """
        memory = await self.call("INFO", "memory")
        return str(memory.get("maxmemory_policy", KEEPS_ALL))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Line"]:
        """Give a line of its own to listen on. Raises `ValkeyLost`."""
        # The client's own subscriptions connect again by themselves, and say nothing of the gap.
        pool = self._client.connection_pool
        connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            with _losing():
                await connection.connect()  # type: ignore[no-untyped-call]
            yield Line(connection)
        finally:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Let all connections go."""
        await self._client.aclose()


class Line:
    """A connection that hears what is published on the channels it has asked for."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, *command: str) -> None:
        """Say something; the answer is heard among everything else. Raises `ValkeyLost`."""
        with _losing():
            await self._connection.send_command(*command, check_health=False)

    async def hear(self) -> list[Any]:
        """Return the next thing that is heard, however long it takes. Raises `ValkeyLost`."""
        with _losing():
            heard: list[Any] = await self._connection.read_response(timeout=float("inf"))
            return heard


@contextmanager
def _losing() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise ValkeyLost(type(error).__name__) from error

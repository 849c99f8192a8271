"""Valkey, or Redis: what nodes share in memory. The only module that knows its client."""

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import Connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from .errors import StartError

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

    @property
    def is_refusal(self) -> bool:
        """Whether it answers, but does not know the command or forbids it to this user."""
        return isinstance(self.__cause__, ResponseError)


@dataclass(frozen=True, slots=True)
class Persistence:
    """What a server tells of how it writes what it holds to disk.

    `reasons` name each option that makes it do so, with the command that turns it off. Unless
    `is_certain`, its configuration could not be read. `server` changes with each of its starts;
    `saved_at` is when it wrote its last snapshot, in seconds since 1970, or when it started.
    """

    reasons: tuple[str, ...]
    is_certain: bool
    server: str
    saved_at: int

    def __str__(self) -> str:
        """Return all reasons in one line."""
        return f"it writes what it holds to disk: {'; '.join(self.reasons)}"


class Valkey:
    """One Valkey. Nothing is tried twice here: whoever calls knows whether that would be right."""

    def __init__(self, url: str) -> None:
        try:
            self._client = Redis.from_url(
                re.sub("^valkey", "redis", url),
                protocol=2,
                socket_connect_timeout=_PATIENCE_SECONDS,
                socket_timeout=_PATIENCE_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            pool = self._client.connection_pool
            pool.make_connection()  # type: ignore[no-untyped-call]  # refuses unknown options
        except (RedisError, TypeError, ValueError):  # they may quote the password
            needs = "needs redis://HOST:PORT, and only options that redis-py knows"
            raise StartError(f"ANONCHAT_BUS_URL: {needs}") from None

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

    async def read_persistence(self) -> Persistence:
        """Return whether it writes what it holds to disk, as far as it tells.

        Raises `ValkeyLost`; `is_refusal` if it tells nothing at all.
        """
        info = await self.call("INFO")
        save, appendonly = await self._read_options("save", "appendonly")
        is_certain = save is not None and appendonly is not None
        reasons = []
        if save:
            reasons.append(f'save is "{save}" (turn it off: CONFIG SET save "")')
        if (appendonly or "no") != "no" or info.get("aof_enabled"):
            reasons.append("appendonly is yes (turn it off: CONFIG SET appendonly no)")
        if replicas := int(info.get("connected_slaves", 0)):
            reasons.append(f"its replicas may, of which {replicas} are connected (detach them)")
        if info.get("role", "master") != "master":
            reasons.append(
                "it is a replica itself, and its primary may (name one without replicas)"
            )
        if not is_certain and int(info.get("rdb_saves", 0)):
            reasons.append('it has written snapshots (turn them off: CONFIG SET save "")')
        return Persistence(
            tuple(reasons),
            is_certain,
            str(info.get("run_id", "")),
            int(info.get("rdb_last_save_time", 0)),
        )

    async def _read_options(self, *names: str) -> list[str | None]:
        """Return these options; `None` for one that it has not, or does not tell."""
        try:
            answers = await self.call_all([("CONFIG", "GET", name) for name in names])
        except ValkeyLost as error:
            if error.is_refusal:
                return [None for _ in names]
            raise
        return [pair[1].decode() if pair else None for pair in answers]

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

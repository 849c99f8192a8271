"""Client for Valkey or Redis. No other module uses the redis-py package."""

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

from ..errors import StartupError

_TIMEOUT_SECONDS = 2.0
BACKOFF_SECONDS = (0.1, 1.0)
"""The first and the longest pause between two attempts to connect or send."""

NO_EVICTION = "noeviction"
"""The eviction policy that Valkey needs, because its data includes keys."""

Command = Sequence[str | bytes | int]


class ValkeyUnavailable(Exception):
    """Valkey failed to execute a command, or may have executed it without an answer."""

    @property
    def is_authentication_error(self) -> bool:
        """Whether Valkey rejects the user name or password."""
        return isinstance(self.__cause__, AuthenticationError)

    @property
    def is_command_rejected(self) -> bool:
        """Whether Valkey rejects the command as unknown or not permitted."""
        return isinstance(self.__cause__, ResponseError)


@dataclass(frozen=True, slots=True)
class Persistence:
    """Whether and why a server persists its data to disk.

    `reasons` name each option that causes it, with the command that turns it off. `is_certain` is
    false if the configuration could not be read. `server` is an id that changes with each start;
    `saved_at` is the Unix time of the last snapshot in seconds, or of the start.
    """

    reasons: tuple[str, ...]
    is_certain: bool
    server: str
    saved_at: int

    def __str__(self) -> str:
        """Return all reasons on one line."""
        return f"Valkey persists its data to disk: {'; '.join(self.reasons)}"


class Valkey:
    """A client for one server. It never retries: only the caller knows whether that is safe."""

    def __init__(self, url: str) -> None:
        try:
            self._client = Redis.from_url(
                re.sub("^valkey", "redis", url),
                protocol=2,
                socket_connect_timeout=_TIMEOUT_SECONDS,
                socket_timeout=_TIMEOUT_SECONDS,
                retry=Retry(NoBackoff(), 0),
            )
            pool = self._client.connection_pool
            pool.make_connection()  # type: ignore[no-untyped-call]  # raises for unknown options
        except (RedisError, TypeError, ValueError):  # its text may contain the password
            needs = "needs redis://HOST:PORT, and only options that redis-py knows"
            raise StartupError(f"ANONCHAT_BUS_URL: {needs}") from None

    async def call(self, *command: str | bytes | int) -> Any:
        """Return the response to a command. Raises `ValkeyUnavailable`."""
        with _translating_errors():
            return await self._client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def call_pipeline(self, commands: Sequence[Command]) -> list[Any]:
        """Return the responses to commands sent in one pipeline. Raises `ValkeyUnavailable`."""
        pipeline = self._client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        with _translating_errors():
            responses: list[Any] = await pipeline.execute()
            return responses

    async def read_policy(self) -> str:
        """Return the policy for eviction when the memory is full. Raises `ValkeyUnavailable`."""
        memory = await self.call("INFO", "memory")
        return str(memory.get("maxmemory_policy", NO_EVICTION))

    async def read_persistence(self) -> Persistence:
        """Return whether the server persists its data, as far as this user may know.

        Raises `ValkeyUnavailable`, with `is_command_rejected` if this user may not ask at all.
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
            reasons.append(f"its replicas may persist it: {replicas} are connected (detach them)")
        if info.get("role", "master") != "master":
            reasons.append(
                "it is a replica, and its primary may persist it (name one without replicas)"
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
        """Return these options; `None` for each that is unknown or not readable."""
        try:
            responses = await self.call_pipeline([("CONFIG", "GET", name) for name in names])
        except ValkeyUnavailable as error:
            if error.is_command_rejected:
                return [None for _ in names]
            raise
        return [pair[1].decode() if pair else None for pair in responses]

    @asynccontextmanager
    async def open_subscription(self) -> AsyncIterator["Subscription"]:
        """Yield a dedicated connection for subscriptions. Raises `ValkeyUnavailable`."""
        # The client's own PubSub reconnects by itself and does not report the gap.
        pool = self._client.connection_pool
        connection: Connection = pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            with _translating_errors():
                await connection.connect()  # type: ignore[no-untyped-call]
            yield Subscription(connection)
        finally:
            await connection.disconnect(nowait=True)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


class Subscription:
    """A connection that receives what is published on its channels."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def send_command(self, *command: str) -> None:
        """Send a command; `receive` returns the response. Raises `ValkeyUnavailable`."""
        with _translating_errors():
            await self._connection.send_command(*command, check_health=False)

    async def receive(self) -> list[Any]:
        """Wait for the next message or response, and return it. Raises `ValkeyUnavailable`."""
        with _translating_errors():
            received: list[Any] = await self._connection.read_response(timeout=float("inf"))
            return received


@contextmanager
def _translating_errors() -> Iterator[None]:
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise ValkeyUnavailable(type(error).__name__) from error

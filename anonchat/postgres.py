"""PostgreSQL as we use it: how a connection is set up, and which of its errors pass.

Many nodes write at once, so whoever changes something locks its rows, always in this order: rooms,
visitors, members, messages, the ledger; of each kind by their keys. Whoever would wait for long is
refused instead: a node that was paused in the middle of a transaction holds nobody up.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_CONNECTIONS = 10
_MORE_CONNECTIONS = 10
_CONNECT_SECONDS = 4
_POOL_SECONDS = 5
_COMMAND_SECONDS = 12  # longer than the server's own patience: this is for one that is silent
_STATEMENTS_KEPT = 500  # prepared, of each connection: lists of every length make many
_MIGRATION = 0x616E6F6E  # whoever holds the lock of this number changes the tables
_SPANS = 0x7370616E  # locks of this kind and the number of a span: who may seal in it

_SHARE = text(
    f"SELECT pg_advisory_xact_lock_shared({_SPANS}, number)"
    " FROM unnest(CAST(:numbers AS integer[])) AS number"
)
_CLAIM = text(f"SELECT pg_advisory_xact_lock({_SPANS}, :number)")

_SERVER_SETTINGS = {
    "application_name": "anonchat",
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "5s",
    "jit": "off",
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "timezone": "UTC",
}

# Codes of errors, or how they begin. What passes by itself or once the operator has done something:
# connections, resources, locks, cancelled statements, a server that ends, broken disks.
_PASSING = ("08", "53", "55P03", "25006", "25P03", "57", "58")
_CUT = ("08", "57P")
# Another transaction was quicker: a row that was to be unique or a parent, or a circle of locks.
_CLASHES = ("23503", "23505", "40001", "40P01")


# What the driver says of a connection, or of an address, before SQLAlchemy has it in hand.
UNABLE = (PostgresError, InterfaceError, TypeError, ValueError)


class PostgreSQL:
    """A database on a server, which several nodes may share.

    Together the slots are fewer than the connections of the pool: time and health are asked for on
    those that are left.
    """

    readers = 6, 4
    writers = 5, 3

    def __init__(self, url: URL) -> None:
        self.url = _speak_our_dialect(url)

    def make_engine(self) -> AsyncEngine:
        """Return an engine that connects in our way."""
        engine = create_async_engine(
            self.url,
            hide_parameters=True,  # they would reach the log
            pool_size=_CONNECTIONS,
            max_overflow=_MORE_CONNECTIONS,
            pool_timeout=_POOL_SECONDS,
            connect_args={
                "timeout": _CONNECT_SECONDS,
                "command_timeout": _COMMAND_SECONDS,
                "prepared_statement_cache_size": _STATEMENTS_KEPT,
                "server_settings": _SERVER_SETTINGS,
            },
        )
        event.listen(engine.sync_engine, "checkout", _see_that_it_is_open)
        return engine

    def make_reading(self, engine: AsyncEngine) -> AsyncEngine:
        """Return the engine for what is only read: each statement for itself, in one journey."""
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def migrating(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Give a transaction in which the tables are changed, by one node after the other."""
        async with asyncio.timeout(_CONNECT_SECONDS):
            connection = await engine.connect()
        try:
            async with connection.begin():
                for name in ("idle_in_transaction_session_timeout", "lock_timeout"):
                    await connection.exec_driver_sql(f"SET LOCAL {name} = '10min'")
                await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION})")
                yield connection
        finally:
            await connection.close()

    def name_passing(self, error: BaseException) -> str:
        """Return the code of an error that passes by itself, or nothing."""
        code = _code(error)
        if code.startswith(_PASSING):
            return code
        return "no line" if self.is_cut(error) else ""

    def is_cut(self, error: BaseException) -> bool:
        """Tell whether the server went away, or the line to it; or all lines wait for it."""
        if isinstance(error, PoolTimeout):
            return True
        is_invalid = isinstance(error, DBAPIError) and error.connection_invalidated
        return is_invalid or _code(error).startswith(_CUT) or _is_about_the_line(error)

    def name_clash(self, error: BaseException) -> str:
        """Return the code of an error by which another transaction was quicker, or nothing."""
        code = _code(error)
        return code if code in _CLASHES else ""

    async def share_spans(self, connection: AsyncConnection, numbers: list[int]) -> None:
        """Let nobody claim these spans until the transaction ends; others may share them too."""
        await connection.execute(_SHARE, {"numbers": numbers})

    async def claim_span(self, connection: AsyncConnection, number: int) -> None:
        """Wait until nobody shares or claims a span, and keep it until the transaction ends."""
        await connection.execute(_CLAIM, {"number": number})

    async def tell_time(self, connection: AsyncConnection) -> float | None:
        """Return the time of the server, in seconds since 1970."""
        answer = await connection.exec_driver_sql(
            "SELECT extract(epoch FROM clock_timestamp())::float8"
        )
        return float(answer.scalar_one())

    async def truncate_journal(self, engine: AsyncEngine) -> bool:
        """Leave the journal to the server: it holds nothing that can be read without keys."""
        return True


def _speak_our_dialect(url: URL) -> URL:
    """Name our driver, and TLS as it does, so that an address can be pasted from elsewhere."""
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)


def _see_that_it_is_open(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Let the pool connect anew where the server has ended a connection since it was used."""
    if _driver(connection).is_closed():
        raise DisconnectionError


def _driver(connection: DBAPIConnection) -> Any:
    return connection.driver_connection


def _code(error: BaseException) -> str:
    """Return the code of an error of the server, whoever has wrapped it."""
    own = error.orig if isinstance(error, DBAPIError) else error
    return getattr(own, "sqlstate", None) or ""


def _is_about_the_line(error: BaseException) -> bool:
    """Tell whether the driver itself complains of a connection that is closed."""
    own = error.orig if isinstance(error, DBAPIError) else error
    causes = [own, own.__cause__ if own else None]
    return any(isinstance(cause, OSError) or type(cause) is InterfaceError for cause in causes)

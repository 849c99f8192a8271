"""PostgreSQL: connection setup, advisory locks, and classification of errors.

Many nodes write at once. To avoid deadlocks, transactions lock rows in this order: rooms, visitors,
members, messages, purge statistics; within a table by primary key. Timeouts abort statements that
wait long, so that a node suspended in the middle of a transaction does not block the others.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from asyncpg import InterfaceError, PostgresError
from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ..errors import Unavailable
from .conflicts import ConnectionLost, WriteConflict
from .statements import Parameters, Row, Statement, Statements

_T = TypeVar("_T")

_CONNECTIONS = 10
_OVERFLOW_CONNECTIONS = 10
_CONNECT_TIMEOUT_SECONDS = 4
_POOL_TIMEOUT_SECONDS = 5
_COMMAND_TIMEOUT_SECONDS = 12  # above `statement_timeout`: for a server that does not answer
_STATEMENT_CACHE_SIZE = 500  # prepared statements per connection: one for each length of a list
_MIGRATION_LOCK = 0x616E6F6E  # advisory lock for schema changes
_SPAN_LOCKS = 0x7370616E  # class of advisory locks, one for each span number

_LOCK_SPANS_SHARED = text(
    f"SELECT pg_advisory_xact_lock_shared({_SPAN_LOCKS}, number)"
    " FROM unnest(CAST(:numbers AS integer[])) AS number"
)
_LOCK_SPAN_EXCLUSIVELY = text(f"SELECT pg_advisory_xact_lock({_SPAN_LOCKS}, :number)")

_SERVER_SETTINGS = {
    "application_name": "anonchat",
    "default_transaction_isolation": "read committed",
    "idle_in_transaction_session_timeout": "5s",
    "jit": "off",
    "lock_timeout": "5s",
    "statement_timeout": "10s",
    "timezone": "UTC",
}

# SQLSTATE codes or prefixes of errors that are transient or that the operator can fix: connections,
# resources, locks, cancelled statements, server shutdown, disk errors.
_TRANSIENT = ("08", "53", "55P03", "25006", "25P03", "57", "58")
_CONNECTION_LOST = ("08", "57P")
# Conflicts with another transaction: foreign key, unique, serialization, deadlock.
_CONFLICTS = ("23503", "23505", "40001", "40P01")

# Driver errors about a connection or URL that SQLAlchemy does not wrap.
DRIVER_ERRORS = (PostgresError, InterfaceError, TypeError, ValueError)


class PostgreSQL:
    """A database on a server, which several nodes may share.

    There are fewer slots in total than pool connections: the rest serve time and health queries.
    """

    readers = 6, 4
    writers = 5, 3

    def __init__(self, url: URL) -> None:
        self.url = _normalize_url(url)

    def make_engine(self) -> AsyncEngine:
        """Return an engine with timeouts and session settings for this application."""
        engine = create_async_engine(
            self.url,
            hide_parameters=True,  # parameters would be logged
            pool_size=_CONNECTIONS,
            max_overflow=_OVERFLOW_CONNECTIONS,
            pool_timeout=_POOL_TIMEOUT_SECONDS,
            connect_args={
                "timeout": _CONNECT_TIMEOUT_SECONDS,
                "command_timeout": _COMMAND_TIMEOUT_SECONDS,
                "prepared_statement_cache_size": _STATEMENT_CACHE_SIZE,
                "server_settings": _SERVER_SETTINGS,
            },
        )
        event.listen(engine.sync_engine, "checkout", _check_is_open)
        return engine

    def make_read_engine(self, engine: AsyncEngine) -> AsyncEngine:
        """Return an autocommit engine for reads: one round trip per statement."""
        return engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def migration(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Yield a transaction for schema changes, which one node at a time can hold."""
        async with asyncio.timeout(_CONNECT_TIMEOUT_SECONDS):
            connection = await engine.connect()
        try:
            async with connection.begin():
                for name in ("idle_in_transaction_session_timeout", "lock_timeout"):
                    await connection.exec_driver_sql(f"SET LOCAL {name} = '10min'")
                await connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
                yield connection
        finally:
            await connection.close()

    def classify_error(self, error: BaseException) -> tuple[type[Unavailable], str] | None:
        """Return how to report a transient error, and its SQLSTATE; `None` for any other error."""
        code = _sqlstate(error)
        if code in _CONFLICTS:
            return WriteConflict, code
        if _is_connection_lost(error):
            return ConnectionLost, code or "connection lost"
        return (Unavailable, code) if code.startswith(_TRANSIENT) else None

    async def read_together(
        self, connection: AsyncConnection, read: Callable[[Statements], _T]
    ) -> _T:
        """Call a function that reads and locks."""
        return await connection.run_sync(lambda inner: read(_SyncStatements(inner)))

    async def write_together(
        self, connection: AsyncConnection, write: Callable[[Statements], object]
    ) -> None:
        """Call a function that writes."""
        await connection.run_sync(lambda inner: write(_SyncStatements(inner)))

    async def lock_span_shared(self, connection: AsyncConnection, number: int) -> None:
        """Lock a span in shared mode until the transaction ends."""
        await connection.execute(_LOCK_SPANS_SHARED, {"numbers": [number]})

    async def lock_span_exclusively(self, connection: AsyncConnection, number: int) -> None:
        """Lock a span exclusively until the transaction ends."""
        await connection.execute(_LOCK_SPAN_EXCLUSIVELY, {"number": number})

    async def read_server_time(self, connection: AsyncConnection) -> float | None:
        """Return the server's Unix time in seconds."""
        result = await connection.exec_driver_sql(
            "SELECT extract(epoch FROM clock_timestamp())::float8"
        )
        return float(result.scalar_one())

    async def truncate_wal(self, engine: AsyncEngine) -> bool:
        """Do nothing: the server manages its WAL, which is unreadable without the keys."""
        return True


class _SyncStatements:
    """Executes statements; each waits for the server while others use the event loop."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, query: Statement, parameters: Parameters) -> Sequence[Row]:
        return self._connection.execute(query, parameters).all()

    def write(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        self._connection.execute(statement, rows)

    def lock_spans_shared(self, numbers: Sequence[int]) -> None:
        self._connection.execute(_LOCK_SPANS_SHARED, {"numbers": numbers})


def _normalize_url(url: URL) -> URL:
    """Set the driver and its name for `sslmode`, so that a libpq URL can be used unchanged."""
    query = dict(url.query)
    if "sslmode" in query:
        query["ssl"] = query.pop("sslmode")
    return url.set(drivername="postgresql+asyncpg", query=query)


def _check_is_open(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Make the pool replace a connection that was closed since its last use."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


def _sqlstate(error: BaseException) -> str:
    """Return the SQLSTATE of a server error, wrapped by SQLAlchemy or not, or an empty string."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlstate", None) or ""


def _is_connection_lost(error: BaseException) -> bool:
    """Return whether the connection was lost or is closed, or the pool has no free one."""
    if isinstance(error, PoolTimeout) or _sqlstate(error).startswith(_CONNECTION_LOST):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    original = error.orig if isinstance(error, DBAPIError) else error
    causes = [original, original.__cause__ if original else None]
    return any(isinstance(cause, OSError) or type(cause) is InterfaceError for cause in causes)

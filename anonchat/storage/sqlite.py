"""SQLite: connection setup, classification of errors, and a driver with fewer thread switches.

aiosqlite runs every call in the thread of its connection, and SQLAlchemy makes four calls for each
statement: open a cursor, execute, fetch, close. Only executing can take long, so here it alone runs
in the thread, and fetches all rows there. What is executed together runs there in one call, and
without SQLAlchemy.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from ..errors import Unavailable
from .sqlite_statement import compile_statement
from .statements import Parameters, Row, Statement, Statements

_T = TypeVar("_T")

_BUSY_TIMEOUT_MS = 5_000  # how long a connection waits for a lock
_CHECKPOINT_TIMEOUT_MS = 100

# FULL because a post is acknowledged after its commit; secure_delete zeroes deleted rows.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={_BUSY_TIMEOUT_MS}",
    "secure_delete=ON",
)

# Errors that are transient or that the operator can fix. Any other error is a bug.
_TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")


class SQLite:
    """A database in a file, which one process uses.

    SQLite has one writer at a time and no fair order of waiting writers, so there is one slot. In
    total there are fewer slots than the 15 connections of the pool.
    """

    readers = 4, 4
    writers = 1, 0

    def __init__(self, url: URL) -> None:
        self.url = url

    def make_engine(self) -> AsyncEngine:
        """Return an engine with this module's driver and pragmas."""
        engine = create_async_engine(self.url, hide_parameters=True)  # parameters would be logged
        event.listen(engine.sync_engine, "do_connect", _connect)
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        return engine

    def make_read_engine(self, engine: AsyncEngine) -> AsyncEngine:
        """Return the same engine for reads."""
        return engine

    @asynccontextmanager
    async def migration(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Yield a transaction for schema changes; create the file first if it is missing."""
        self._create_file()
        async with engine.begin() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def classify_error(self, error: BaseException) -> tuple[type[Unavailable], str] | None:
        """Return how to report a transient error, and its name; `None` for any other error."""
        original = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(original, sqlite3.OperationalError):
            return None
        name: str = getattr(original, "sqlite_errorname", "")
        return (Unavailable, name) if name.startswith(_TRANSIENT) else None

    async def read_together(
        self, connection: AsyncConnection, read: Callable[[Statements], _T]
    ) -> _T:
        """Call a function that reads, in the thread of the connection."""
        return await _driver(connection).read(partial(self._call, connection.dialect, read))

    async def write_together(
        self, connection: AsyncConnection, write: Callable[[Statements], object]
    ) -> None:
        """Let the commit call a function that writes before it, in the thread of the connection."""
        _driver(connection).write_at_commit(partial(self._call, connection.dialect, write))

    @staticmethod
    def _call(
        dialect: Dialect, function: Callable[[Statements], _T], connection: sqlite3.Connection
    ) -> _T:
        return function(_ThreadStatements(connection, dialect))

    async def lock_span_shared(self, connection: AsyncConnection, number: int) -> None:
        """Do nothing: transactions run one at a time."""

    async def lock_span_exclusively(self, connection: AsyncConnection, number: int) -> None:
        """Do nothing: transactions run one at a time."""

    async def read_server_time(self, connection: AsyncConnection) -> float | None:
        """Return `None`: there is no server clock."""
        return None

    async def truncate_wal(self, engine: AsyncEngine) -> bool:
        """Checkpoint and truncate the write-ahead log; return whether it could be truncated.

        The caller must prevent writes meanwhile.
        """
        async with engine.connect() as connection:
            # Do not wait for long reads, because posts are blocked meanwhile.
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={_CHECKPOINT_TIMEOUT_MS}")
            result = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            is_busy, *_ = result.one()
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
        return not is_busy

    def _create_file(self) -> None:
        """Create the file with mode 0600; SQLite would make it world-readable."""
        path = self.url.database
        if path and not path.startswith((":", "file:")):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


class _Cursor(aiosqlite.Cursor):
    """A cursor that fetches all rows when it executes a statement."""

    _rows: Sequence[sqlite3.Row] = ()

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "_Cursor":
        run = (_run, self._cursor, sql, parameters or ())
        self._rows = await self._execute(*run)  # type: ignore[no-untyped-call]
        return self

    async def fetchall(self) -> Sequence[sqlite3.Row]:
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """Do nothing: all rows are fetched, and closing could wait for another statement."""


class _Connection(aiosqlite.Connection):
    _write: Callable[[sqlite3.Connection], object] | None = None

    def cursor(self) -> _Cursor:  # type: ignore[override]  # never awaited
        return _Cursor(self, self._conn.cursor())

    async def read(self, read: Callable[[sqlite3.Connection], _T]) -> _T:
        found: _T = await self._execute(read, self._conn)  # type: ignore[no-untyped-call]
        return found

    def write_at_commit(self, write: Callable[[sqlite3.Connection], object]) -> None:
        self._write = write

    async def commit(self) -> None:
        write, self._write = self._write, None
        if write:
            await self._execute(_write_and_commit, self._conn, write)  # type: ignore[no-untyped-call]
        else:
            await super().commit()

    async def rollback(self) -> None:
        self._write = None
        if self.in_transaction:
            await super().rollback()


class _ThreadStatements:
    """Executes statements in the thread of the connection."""

    def __init__(self, connection: sqlite3.Connection, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def read(self, query: Statement, parameters: Parameters) -> Sequence[Row]:
        return compile_statement(query, self._dialect).read(self._connection, parameters)

    def write(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        compile_statement(statement, self._dialect).write(self._connection, rows)

    def lock_spans_shared(self, numbers: Sequence[int]) -> None:
        """Do nothing: transactions run one at a time."""


def _driver(connection: AsyncConnection) -> _Connection:
    assert connection.sync_connection
    driver = connection.sync_connection.connection.driver_connection
    assert isinstance(driver, _Connection)
    return driver


def _write_and_commit(
    connection: sqlite3.Connection, write: Callable[[sqlite3.Connection], object]
) -> None:
    write(connection)
    connection.commit()


def _run(cursor: sqlite3.Cursor, sql: str, parameters: Iterable[Any]) -> Sequence[sqlite3.Row]:
    return cursor.execute(sql, parameters).fetchall()  # type: ignore[arg-type]


def _connect(dialect: Dialect, _record: object, args: list[Any], options: dict[str, Any]) -> Any:
    return dialect.dbapi.connect(*args, async_creator_fn=_open, **options)  # type: ignore


def _open(database: str, **options: Any) -> _Connection:
    connection = _Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=1)
    connection._thread.daemon = True  # like SQLAlchemy's: a crashing process must not wait for it
    return connection


def _set_pragmas(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
    except Exception:
        connection.close()  # the pool would not close it
        raise

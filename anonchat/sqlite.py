"""SQLite as we use it: how a connection is set up, and how its driver is spared detours.

aiosqlite hands every call to the thread of its connection, and SQLAlchemy makes four of them for
each statement: for a cursor, the statement, its rows, and the end. Only the statement can take
long, so here it alone makes the journey, and brings its rows back with it.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

_BUSY_MS = 5_000  # so long a connection waits for another that is in its way
_PATIENCE_MS = 100

# FULL, for a post is acknowledged by its commit; secure_delete clears what deleted rows leave.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={_BUSY_MS}",
    "secure_delete=ON",
)

# What passes by itself, or once the operator has made room; anything else is a mistake of ours.
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")


class SQLite:
    """A database in a file, which one process uses.

    SQLite has one writer at a time, and lets those who wait in unfairly. Together the slots are
    fewer than the fifteen connections of the pool.
    """

    readers = 4, 4
    writers = 1, 0

    def __init__(self, url: URL) -> None:
        self.url = url

    def make_engine(self) -> AsyncEngine:
        """Return an engine that connects in our way."""
        engine = create_async_engine(self.url, hide_parameters=True)  # they would reach the log
        event.listen(engine.sync_engine, "do_connect", _connect)
        event.listen(engine.sync_engine, "connect", _set_pragmas)
        return engine

    def make_reading(self, engine: AsyncEngine) -> AsyncEngine:
        """Return the engine for what is only read."""
        return engine

    @asynccontextmanager
    async def migrating(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """Give a transaction in which the tables are changed: all or none."""
        self._make_file()
        async with engine.begin() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def name_passing(self, error: BaseException) -> str:
        """Return the name of an error that passes by itself, or nothing."""
        if not isinstance(error, OperationalError):
            return ""
        name: str = getattr(error.orig, "sqlite_errorname", "")
        return name if name.startswith(_PASSING) else ""

    def is_cut(self, error: BaseException) -> bool:
        """Tell that no connection is ever lost: there is none."""
        return False

    def name_clash(self, error: BaseException) -> str:
        """Return nothing: nobody can be quicker than the one whose turn it is."""
        return ""

    async def share_spans(self, connection: AsyncConnection, numbers: list[int]) -> None:
        """Do nothing: whoever writes is alone."""

    async def claim_span(self, connection: AsyncConnection, number: int) -> None:
        """Do nothing: whoever writes is alone."""

    async def tell_time(self, connection: AsyncConnection) -> float | None:
        """Return nothing: it has no clock of its own."""
        return None

    async def truncate_journal(self, engine: AsyncEngine) -> bool:
        """Move the journal into the database and empty it; tell whether it could be emptied.

        Nobody may write meanwhile.
        """
        async with engine.connect() as connection:
            # Who reads for long is not waited for: nobody could post meanwhile.
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={_PATIENCE_MS}")
            done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            is_busy, *_ = done.one()
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={_BUSY_MS}")
        return not is_busy

    def _make_file(self) -> None:
        """Make the file for its owner alone; SQLite would let everybody read it."""
        path = self.url.database
        if path and not path.startswith((":", "file:")):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


class _Cursor(aiosqlite.Cursor):
    """A cursor that has all its rows as soon as it has executed a statement."""

    _rows: Sequence[sqlite3.Row] = ()

    async def execute(self, sql: str, parameters: Iterable[Any] | None = None) -> "_Cursor":
        run = (_run, self._cursor, sql, parameters or ())
        self._rows = await self._execute(*run)  # type: ignore[no-untyped-call]
        return self

    async def fetchall(self) -> Sequence[sqlite3.Row]:
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """Nothing is left to close, and closing could mean to wait for a statement."""


class _Connection(aiosqlite.Connection):
    def cursor(self) -> _Cursor:  # type: ignore[override]  # awaited by nobody
        return _Cursor(self, self._conn.cursor())

    async def rollback(self) -> None:
        if self.in_transaction:
            await super().rollback()


def _run(cursor: sqlite3.Cursor, sql: str, parameters: Iterable[Any]) -> Sequence[sqlite3.Row]:
    return cursor.execute(sql, parameters).fetchall()  # type: ignore[arg-type]


def _connect(dialect: Dialect, _record: object, places: list[Any], options: dict[str, Any]) -> Any:
    return dialect.dbapi.connect(*places, async_creator_fn=_open, **options)  # type: ignore


def _open(database: str, **options: Any) -> _Connection:
    connection = _Connection(lambda: sqlite3.connect(database, **options), iter_chunk_size=1)
    connection._thread.daemon = True  # as SQLAlchemy has it: a crash is not to wait for it
    return connection


def _set_pragmas(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    try:
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
    except Exception:
        connection.close()  # nobody else would
        raise

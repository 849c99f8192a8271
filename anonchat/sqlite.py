"""SQLite as we use it: how a connection is set up, and how its driver is spared detours.

aiosqlite hands every call to the thread of its connection, and SQLAlchemy makes four of them for
each statement: for a cursor, the statement, its rows, and the end. Only the statement can take
long, so here it alone makes the journey, and brings its rows back with it.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import aiosqlite
from sqlalchemy import event
from sqlalchemy.engine import Dialect, Engine
from sqlalchemy.engine.interfaces import DBAPIConnection

BUSY_MS = 5_000
"""So long a connection waits for another that is in its way."""

# FULL, for a post is acknowledged by its commit; secure_delete clears what deleted rows leave.
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={BUSY_MS}",
    "secure_delete=ON",
)

# What passes by itself, or once the operator has made room; anything else is a mistake of ours.
_PASSING = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN")


def set_up(engine: Engine) -> None:
    """Let the engine connect in our way."""
    event.listen(engine, "do_connect", _connect)
    event.listen(engine, "connect", _set_pragmas)


def name_passing(error: BaseException | None) -> str:
    """Return the name of an error that passes by itself, or nothing."""
    name: str = getattr(error, "sqlite_errorname", "")
    return name if name.startswith(_PASSING) else ""


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

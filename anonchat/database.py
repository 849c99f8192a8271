"""The engine, and what a transaction is."""

import asyncio
import logging
import os
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.exc import DatabaseError, OperationalError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

import models

from . import sqlite
from .errors import N_, StartError, Unavailable

_PATIENCE_MS = 100
_log = logging.getLogger(__name__)


class Database:
    """One database; `reading()` and the two transactions are the only ways into it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = create_async_engine(url, hide_parameters=True)  # they would reach the log
        self._sessions = async_sessionmaker(
            self._engine, class_=AsyncSession, expire_on_commit=False
        )
        self._writing = asyncio.Lock()
        sqlite.set_up(self._engine.sync_engine)
        self.errors: Counter[str] = Counter()
        event.listen(self._engine.sync_engine, "handle_error", self._count_error)

    def _count_error(self, context: ExceptionContext) -> None:
        self.errors[type(context.original_exception).__name__] += 1

    async def open(self) -> None:
        """Connect, and bring the schema up to date; raise `StartError` if that is impossible."""
        try:
            self._make_file()
            async with self._engine.begin() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")  # all tables or none
                await connection.run_sync(_migrate)
        except OSError as error:
            raise StartError(f"ANONCHAT_DATABASE_URL: {self._url}: {error.strerror}") from error
        except DatabaseError as error:
            raise StartError(f"ANONCHAT_DATABASE_URL: {self._url}: {error.orig}") from error

    async def close(self) -> None:
        """Let all connections go."""
        await self._engine.dispose()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncSession]:
        """Give a session to read with."""
        async with self._sessions() as session:
            yield session

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are committed together at the end, or not at all.

        Raises `Unavailable` when the database is locked by somebody else, or the disk is full or
        broken.
        """
        async with self._writing_alone(), self._sessions() as session, session.begin():
            yield session

    @asynccontextmanager
    async def bare_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Give the connection itself, for what is done so often that objects cost too much."""
        async with self._writing_alone(), self._engine.begin() as connection:
            yield connection

    async def share_spans(self, connection: AsyncConnection, numbers: Iterable[int]) -> None:
        """Let nobody renew these spans until the transaction ends; others may share them too."""

    async def claim_span(self, session: AsyncSession, number: int) -> None:
        """Let nobody seal in a span, nor renew it, until the transaction ends."""

    @asynccontextmanager
    async def _writing_alone(self) -> AsyncIterator[None]:
        """Wait for one's turn: SQLite has one writer at a time, and waits unfairly itself."""
        try:
            async with self._writing:
                yield
        except OperationalError as error:
            reason = sqlite.name_passing(error.orig)
            if not reason:
                raise
            _log.error("the database refuses: %s, %s", type(error).__name__, reason)
            raise Unavailable(N_("That could not be kept just now. Please try again.")) from error

    async def is_answering(self) -> bool:
        """Tell whether the database can be asked."""
        try:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except SQLAlchemyError:
            return False
        return True

    async def is_current(self) -> bool:
        """Tell whether the schema is that of this version."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(_is_at_head)

    async def truncate_journal(self) -> None:
        """Move the journal into the database and empty it, so that deleted bytes do not linger."""
        async with self._writing, self._engine.connect() as connection:
            # Who reads for long is not waited for: nobody could post meanwhile.
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={_PATIENCE_MS}")
            done = await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            is_busy, *_ = done.one()
            await connection.exec_driver_sql(f"PRAGMA busy_timeout={sqlite.BUSY_MS}")
        if is_busy:
            _log.warning("somebody else reads the database, so its journal could not be emptied")

    def _make_file(self) -> None:
        """Make the file for its owner alone; SQLite would let everybody read it."""
        path = self._engine.url.database
        if path and not path.startswith((":", "file:")):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _migrate(connection: Connection) -> None:
    config = _configure()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _is_at_head(connection: Connection) -> bool:
    reached = MigrationContext.configure(connection).get_current_heads()
    return set(reached) == set(ScriptDirectory.from_config(_configure()).get_heads())


def _configure() -> Config:
    config = Config()
    migrations = Path(models.__file__).parent / "migrations"
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    return config

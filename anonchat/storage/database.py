"""The database engine, its transactions and the errors they raise."""

import asyncio
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from typing import NoReturn, Protocol, TypeVar

from alembic.util import CommandError
from sqlalchemy import ExceptionContext, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from ..errors import ChatError, StartupError, Unavailable
from ..runtime.fair_semaphore import FairSemaphore
from . import schema
from .conflicts import WriteConflict
from .outage_log import OutageLog
from .postgres import DRIVER_ERRORS, PostgreSQL
from .sqlite import SQLite
from .statements import Statements

_T = TypeVar("_T")
_log = logging.getLogger(__name__)
_TIME_SAMPLES = 3
_WAITERS_PER_GROUP_MAX = 1_000  # all unknown visitors share one group
_SLOT_TIMEOUT_SECONDS = 10.0

_has_precedence: ContextVar[bool] = ContextVar("has_precedence", default=False)


class _Backend(Protocol):
    """What differs between the databases."""

    url: URL
    readers: tuple[int, int]
    """Slots for concurrent reads, and further slots reserved for callers with precedence."""
    writers: tuple[int, int]
    """The same for transactions."""

    def make_engine(self) -> AsyncEngine: ...
    def make_read_engine(self, engine: AsyncEngine) -> AsyncEngine: ...
    def migration(self, engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]: ...
    def classify_error(self, error: BaseException) -> tuple[type[Unavailable], str] | None: ...
    async def read_together(
        self, connection: AsyncConnection, read: Callable[[Statements], _T]
    ) -> _T: ...
    async def write_together(
        self, connection: AsyncConnection, write: Callable[[Statements], object]
    ) -> None: ...
    async def lock_span_shared(self, connection: AsyncConnection, number: int) -> None: ...
    async def lock_span_exclusively(self, connection: AsyncConnection, number: int) -> None: ...
    async def read_server_time(self, connection: AsyncConnection) -> float | None: ...
    async def truncate_wal(self, engine: AsyncEngine) -> bool: ...


class Database:
    """One database, accessed through `reading()` and the two kinds of transaction.

    `group` is the visitor for whom the work is done: waiting groups are served round robin. Posts
    and work inside `priority()` run before all groups, on connections reserved for them.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        is_server = parsed.get_backend_name() == "postgresql"
        self._backend: _Backend = PostgreSQL(parsed) if is_server else SQLite(parsed)
        self._read_slots = _make_semaphore(self._backend.readers)
        self._write_slots = _make_semaphore(self._backend.writers)
        self._engine = self._backend.make_engine()
        self._outage = OutageLog()
        self._sessions = async_sessionmaker(
            self._engine, class_=AsyncSession, expire_on_commit=False
        )
        self._read_sessions = async_sessionmaker(
            self._backend.make_read_engine(self._engine),
            class_=AsyncSession,
            expire_on_commit=False,
        )
        self.errors: Counter[str] = Counter()
        event.listen(self._engine.sync_engine, "handle_error", self._count_error)

    def _count_error(self, context: ExceptionContext) -> None:
        self.errors[type(context.original_exception).__name__] += 1

    async def open(self) -> None:
        """Connect and migrate the schema; raise `StartupError` if either fails."""
        try:
            async with self.migration() as connection:
                await connection.run_sync(schema.migrate)
        except CommandError as error:
            reason = "its tables belong to a later version or to another program"
            raise StartupError(f"ANONCHAT_DATABASE_URL: {self}: {reason}") from error

    @asynccontextmanager
    async def migration(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a long transaction that no other starting node enters meanwhile.

        Raises `StartupError` on database errors.
        """
        try:
            async with self._backend.migration(self._engine) as connection:
                yield connection
        except (OSError, SQLAlchemyError, *DRIVER_ERRORS) as error:
            raise self._startup_error(error) from error

    async def close(self) -> None:
        """Close all connections; wait up to 10 s for work in progress.

        A connection to SQLite that is closed under a query never answers it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_SLOT_TIMEOUT_SECONDS):
                await self._read_slots.close()
                await self._write_slots.close()
        await self._engine.dispose()

    def __str__(self) -> str:
        """Return the URL without the password, and without options, which may contain it too."""
        return self._backend.url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def priority(self) -> Iterator[None]:
        """Give database work of this task inside the block precedence over that of visitors."""
        token = _has_precedence.set(True)
        try:
            yield
        finally:
            _has_precedence.reset(token)

    @asynccontextmanager
    async def read_session(self, group: str = "") -> AsyncIterator[AsyncSession]:
        """Yield a session for reading.

        Raises `LimitReached` if too much work of the group waits already, and `Unavailable` if the
        server is unreachable or overloaded.
        """
        try:
            async with self._slot(self._read_slots, group), self._read_sessions() as session:
                yield session
        except Exception as error:
            self._raise_translated(error)

    @asynccontextmanager
    async def transaction(self, group: str = "") -> AsyncIterator[AsyncSession]:
        """Yield a session whose changes are committed together at the end, or not at all.

        Raises `LimitReached` if too much work of the group waits already, and `Unavailable` if the
        database is locked, the disk is full or broken, or the server is unreachable.
        """
        try:
            async with (
                self._slot(self._write_slots, group),
                self._sessions() as session,
                session.begin(),
            ):
                yield session
            self._outage.log_recovery()
        except Exception as error:
            self._raise_translated(error)

    @asynccontextmanager
    async def core_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection without ORM session, which would cost too much for storing posts.

        It has precedence over all groups.
        """
        try:
            with self.priority():
                slot = self._slot(self._write_slots, "")
            async with slot, self._engine.begin() as connection:
                yield connection
            self._outage.log_recovery()
        except Exception as error:
            self._raise_translated(error)

    def _slot(self, semaphore: FairSemaphore, group: str) -> AbstractAsyncContextManager[None]:
        return semaphore.slot(
            group, has_priority=_has_precedence.get(), timeout_seconds=_SLOT_TIMEOUT_SECONDS
        )

    async def read_together(
        self, connection: AsyncConnection, read: Callable[[Statements], _T]
    ) -> _T:
        """Return what a function reads in a `core_transaction`, perhaps in another thread."""
        try:
            return await self._backend.read_together(connection, read)
        except sqlite3.Error as error:  # without SQLAlchemy, so it is not counted yet
            self.errors[type(error).__name__] += 1
            raise

    async def write_together(
        self, connection: AsyncConnection, write: Callable[[Statements], object]
    ) -> None:
        """Call a function that writes, in a `core_transaction`, in which it must be the last thing.

        It is called before the commit, perhaps in another thread.
        """
        await self._backend.write_together(connection, write)

    async def lock_span_shared(self, session: AsyncSession, number: int) -> None:
        """Lock a span in shared mode until the transaction ends, so that its keys stay current."""
        await self._backend.lock_span_shared(await session.connection(), number)

    async def lock_span_exclusively(self, session: AsyncSession, number: int) -> None:
        """Lock a span exclusively until the transaction ends: no other use of its keys."""
        await self._backend.lock_span_exclusively(await session.connection(), number)

    async def is_available(self) -> bool:
        """Return whether the database answers a query."""
        try:
            await self.require_available()
        except StartupError:
            return False
        return True

    async def require_available(self) -> None:
        """Raise `StartupError` unless the database answers a query."""
        try:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except (OSError, SQLAlchemyError, *DRIVER_ERRORS) as error:
            raise self._startup_error(error) from error

    def _startup_error(self, error: Exception) -> StartupError:
        return StartupError(f"ANONCHAT_DATABASE_URL: {self}: {_describe(error)}")

    async def is_current(self) -> bool:
        """Return whether the schema is at the head revision of this version."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(schema.is_current)

    async def read_server_time(self) -> tuple[float, float] | None:
        """Return the server's Unix time and the query's duration in seconds: the fastest of three.

        `None` without a server or an answer.
        """
        samples = []
        try:
            async with self._backend.make_read_engine(self._engine).connect() as connection:
                for _ in range(_TIME_SAMPLES):
                    started = time.monotonic()
                    server_time = await self._backend.read_server_time(connection)
                    if server_time is None:
                        return None
                    samples.append((time.monotonic() - started, server_time))
        except (OSError, SQLAlchemyError, *DRIVER_ERRORS):
            return None
        duration, server_time = min(samples)
        return server_time, duration

    async def truncate_wal(self) -> None:
        """Truncate SQLite's write-ahead log, which still contains deleted bytes."""
        async with self._slot(self._write_slots, ""):
            is_truncated = await self._backend.truncate_wal(self._engine)
        if not is_truncated:
            _log.warning(
                "write-ahead log not truncated, because the database is being read;"
                " the next purge retries"
            )

    def _raise_translated(self, error: Exception) -> NoReturn:
        """Raise transient errors as `Unavailable`, and any other error unchanged: it is a bug."""
        if isinstance(error, ChatError):  # raised by the code inside the block
            raise error
        classified = self._backend.classify_error(error)
        if classified is None:
            raise error
        kind, reason = classified
        if kind is WriteConflict:
            _log.info("write conflict, transaction rolled back: %s", reason)
        else:
            self._outage.log_failure(f"{type(error).__name__}, {reason}")
        raise kind from error


def _make_semaphore(slots: tuple[int, int]) -> FairSemaphore:
    shared, reserved = slots
    return FairSemaphore(shared, reserved=reserved, queue_max=_WAITERS_PER_GROUP_MAX)


def _describe(error: Exception) -> str:
    """Return the reason on one line, without the URL."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    # Further lines may quote a row.
    return next(iter(str(cause).splitlines()), type(cause).__name__)

"""The engine, and what a transaction is."""

import functools
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import NoReturn, ParamSpec, Protocol, TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, ExceptionContext, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

import models

from .errors import N_, ChatError, StartError, Unavailable
from .fair_semaphore import FairSemaphore
from .postgres import UNABLE, PostgreSQL
from .sqlite import SQLite

_log = logging.getLogger(__name__)
_LATER = N_("That could not be kept just now. Please try again.")
_LOOKS = 3
_QUIET_SECONDS = 5
_WAITING_MOST = 1_000  # of one visitor, or of all who are not known
_LONGEST_WAIT_SECONDS = 10.0

_has_precedence: ContextVar[bool] = ContextVar("has_precedence", default=False)
_P = ParamSpec("_P")
_T = TypeVar("_T")


class Clash(Unavailable):
    """Another transaction was quicker by a moment: nothing was kept, and one may look again."""


class Cut(Unavailable):
    """The server went away, or the line to it: nobody knows yet whether it was kept."""


class _Kind(Protocol):
    """What differs between the databases."""

    url: URL
    readers: tuple[int, int]
    """How many visitors read at once, and how many may besides who have precedence."""
    writers: tuple[int, int]
    """The same of transactions."""

    def make_engine(self) -> AsyncEngine: ...
    def make_reading(self, engine: AsyncEngine) -> AsyncEngine: ...
    def migrating(self, engine: AsyncEngine) -> AbstractAsyncContextManager[AsyncConnection]: ...
    def name_passing(self, error: BaseException) -> str: ...
    def name_clash(self, error: BaseException) -> str: ...
    def is_cut(self, error: BaseException) -> bool: ...
    async def share_spans(self, connection: AsyncConnection, numbers: list[int]) -> None: ...
    async def claim_span(self, connection: AsyncConnection, number: int) -> None: ...
    async def tell_time(self, connection: AsyncConnection) -> float | None: ...
    async def truncate_journal(self, engine: AsyncEngine) -> bool: ...


class Database:
    """One database; `reading()` and the two transactions are the only ways into it.

    Both are given a `group`, the visitor for whom it is done: of those who wait, each group is
    served in turn. What is posted, and what is done inside `precedence()`, goes before all groups
    on connections that no group can occupy.
    """

    def __init__(self, url: str) -> None:
        self._kind = _choose_kind(make_url(url))
        self._reading = _make_semaphore(self._kind.readers)
        self._writing = _make_semaphore(self._kind.writers)
        self._engine = self._kind.make_engine()
        self._refused: Counter[str] = Counter()  # of this trouble, by why
        self._refused_at = 0.0
        self._sessions = async_sessionmaker(
            self._engine, class_=AsyncSession, expire_on_commit=False
        )
        self._readings = async_sessionmaker(
            self._kind.make_reading(self._engine), class_=AsyncSession, expire_on_commit=False
        )
        self.errors: Counter[str] = Counter()
        event.listen(self._engine.sync_engine, "handle_error", self._count_error)

    def _count_error(self, context: ExceptionContext) -> None:
        self.errors[type(context.original_exception).__name__] += 1

    async def open(self) -> None:
        """Connect, and bring the schema up to date; raise `StartError` if that is impossible."""
        try:
            async with self.moving() as connection:
                await connection.run_sync(_migrate)
        except CommandError as error:
            reason = "its tables are of a later version, or of somebody else"
            raise StartError(f"ANONCHAT_DATABASE_URL: {self}: {reason}") from error

    @asynccontextmanager
    async def moving(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction that may take long, and for which everybody waits who starts.

        Raises `StartError` when the database does not take part in it.
        """
        try:
            async with self._kind.migrating(self._engine) as connection:
                yield connection
        except (OSError, SQLAlchemyError, *UNABLE) as error:
            raise StartError(f"ANONCHAT_DATABASE_URL: {self}: {_explain(error)}") from error

    async def close(self) -> None:
        """Let all connections go."""
        await self._engine.dispose()

    def __str__(self) -> str:
        """Return its address without the password, which may stand among the options too."""
        return self._kind.url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def precedence(self) -> Iterator[None]:
        """Let what this task asks of the database inside the block go before what visitors ask."""
        token = _has_precedence.set(True)
        try:
            yield
        finally:
            _has_precedence.reset(token)

    @asynccontextmanager
    async def reading(self, group: str = "") -> AsyncIterator[AsyncSession]:
        """Give a session to read with.

        Raises `LimitReached` if the group waits for too much already, and `Unavailable` when the
        server cannot be asked, or is asked for too much.
        """
        try:
            async with self._wait_for(self._reading, group), self._readings() as session:
                yield session
        except Exception as error:
            self._refuse(error)

    @asynccontextmanager
    async def transaction(self, group: str = "") -> AsyncIterator[AsyncSession]:
        """Give a session whose changes are committed together at the end, or not at all.

        Raises `LimitReached` if the group waits for too much already, and `Unavailable` when the
        database is locked by somebody else, the disk is full or broken, or the server is away.
        """
        try:
            async with (
                self._wait_for(self._writing, group),
                self._sessions() as session,
                session.begin(),
            ):
                yield session
            self._note_answer()
        except Exception as error:
            self._refuse(error)

    @asynccontextmanager
    async def bare_transaction(self) -> AsyncIterator[AsyncConnection]:
        """Give the connection itself, for what is done so often that objects cost too much.

        It goes before what other groups ask: it is how posts are stored.
        """
        try:
            with self.precedence():
                slot = self._wait_for(self._writing, "")
            async with slot, self._engine.begin() as connection:
                yield connection
            self._note_answer()
        except Exception as error:
            self._refuse(error)

    def _wait_for(self, semaphore: FairSemaphore, group: str) -> AbstractAsyncContextManager[None]:
        return semaphore.slot(
            group, has_precedence=_has_precedence.get(), longest=_LONGEST_WAIT_SECONDS
        )

    async def share_spans(self, connection: AsyncConnection, numbers: Iterable[int]) -> None:
        """Let nobody renew these spans until the transaction ends; others may share them too."""
        await self._kind.share_spans(connection, sorted(numbers))

    async def claim_span(self, session: AsyncSession, number: int) -> None:
        """Let nobody seal in a span, nor renew it, until the transaction ends."""
        await self._kind.claim_span(await session.connection(), number)

    async def is_answering(self) -> bool:
        """Tell whether the database can be asked."""
        try:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")
        except (OSError, SQLAlchemyError, *UNABLE):
            return False
        return True

    async def is_current(self) -> bool:
        """Tell whether the schema is that of this version."""
        async with self._engine.connect() as connection:
            return await connection.run_sync(_is_at_head)

    async def tell_time(self) -> tuple[float, float] | None:
        """Return the server's time, and how long it took to ask; of a few answers, the quickest.

        `None` if there is no server, or no answer.
        """
        answers = []
        try:
            async with self._kind.make_reading(self._engine).connect() as connection:
                for _ in range(_LOOKS):
                    asked = time.monotonic()
                    told = await self._kind.tell_time(connection)
                    if told is None:
                        return None
                    answers.append((time.monotonic() - asked, told))
        except (OSError, SQLAlchemyError, *UNABLE):
            return None
        took, told = min(answers)
        return told, took

    async def truncate_journal(self) -> None:
        """Let no deleted bytes linger in the journal, where that is ours."""
        async with self._wait_for(self._writing, ""):
            is_done = await self._kind.truncate_journal(self._engine)
        if not is_done:
            _log.warning("somebody else reads the database, so its journal could not be emptied")

    def _refuse(self, error: Exception) -> NoReturn:
        """Say what passes by itself in words for a visitor; anything else is a mistake of ours."""
        if isinstance(error, ChatError):  # of whoever uses the database, and said already
            raise error
        if clash := self._kind.name_clash(error):
            _log.info("another was quicker: %s", clash)
            raise Clash(_LATER) from error
        if reason := self._kind.name_passing(error):
            self._tell(f"{type(error).__name__}, {reason}")
            raise (Cut if self._kind.is_cut(error) else Unavailable)(_LATER) from error
        raise error

    def _tell(self, reason: str) -> None:
        """Tell the log once, until it is over: it may be the reason of every request."""
        if reason not in self._refused:
            _log.error("the database refuses: %s", reason)
        self._refused[reason] += 1
        self._refused_at = time.monotonic()

    def _note_answer(self) -> None:
        """Tell the log that trouble is over, once it takes what is written and refuses nothing."""
        if self._refused and time.monotonic() - self._refused_at > _QUIET_SECONDS:
            _log.warning("the database refuses no more: it had %d times", self._refused.total())
            self._refused.clear()


def again_after_clash(act: Callable[_P, Awaitable[_T]]) -> Callable[_P, Awaitable[_T]]:
    """Let whoever was too slow by a moment begin anew: they find what the other has done."""

    @functools.wraps(act)
    async def act_again(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await act(*args, **kwargs)
        except Clash:
            return await act(*args, **kwargs)

    return act_again


def _choose_kind(url: URL) -> _Kind:
    return PostgreSQL(url) if url.get_backend_name() == "postgresql" else SQLite(url)


def _make_semaphore(slots: tuple[int, int]) -> FairSemaphore:
    by_groups, reserved = slots
    return FairSemaphore(by_groups, reserved=reserved, waiting_most=_WAITING_MOST)


def _explain(error: Exception) -> str:
    """Return why it does not open, on one line; the address is not in it."""
    own = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(own, OSError) and own.strerror:
        return own.strerror
    return next(iter(str(own).splitlines()), type(own).__name__)  # more may quote a row


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

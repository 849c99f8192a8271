"""Looking whether everything that a start needs is as it has to be, without changing anything."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from models import LedgerRow

from .clock import STEP
from .database import Database
from .errors import StartError, Unavailable
from .files import require_writable
from .keystore import read_hash_key
from .listening import bind
from .seal import Hasher
from .secret import find_secret, has_keys, require_folder
from .settings import Settings
from .valkey import KEEPS_ALL, Valkey, ValkeyLost


@dataclass(frozen=True, slots=True)
class Finding:
    """How one part was found."""

    part: str
    well: bool
    says: str


async def look_round(settings: Settings, *, is_running: bool = False) -> AsyncIterator[Finding]:
    """Yield how each part is, those first that others stand on.

    The addresses of one that is running are in use by itself, and not looked at.
    """
    wrong = _find_wrong(lambda: _require_folders(settings))
    if wrong:
        yield Finding("settings", False, wrong)
        return
    wrong = "" if is_running else _find_wrong(lambda: _require_addresses(settings))
    yield Finding("settings", not wrong, wrong or "valid")
    folder = settings.data_dir
    if not has_keys(settings):
        yield Finding("keys", True, f"none in {folder} yet: the first start makes everything")
        if settings.has_peers:
            yield await _look_at_bus(settings.bus_url)
        if not _is_missing(settings):
            yield await _look_at_server(settings)
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("keys", False, f"{folder} belongs to somebody else")
        return
    if settings.has_peers:
        yield await _look_at_bus(settings.bus_url)
    try:
        hash_key = read_hash_key(folder / "keys", find_secret(settings))
    except (OSError, StartError) as error:
        yield Finding("keys", False, str(error))
        return
    yield Finding(
        "keys",
        hash_key is not None,
        "open with the secret key" if hash_key else "do not open with the secret key",
    )
    database = Database(settings.database_location)
    try:
        async for finding in _look_at_database(settings, database, hash_key):
            yield finding
    finally:
        await database.close()


def _find_wrong(require: Callable[[], None]) -> str:
    """Return the line that a start would end with, or nothing."""
    try:
        require()
    except StartError as error:
        return str(error)
    return ""


def _require_folders(settings: Settings) -> None:
    require_folder(settings.data_dir)
    file = settings.database_file
    if file and settings.database_url:  # its folder is not made
        try:
            require_writable(file.parent)
        except OSError as error:
            place = settings.database_location
            raise StartError(f"ANONCHAT_DATABASE_URL: {place}: {error.strerror}") from error


def _require_addresses(settings: Settings) -> None:
    doors = bind(settings.host, settings.port)
    try:
        if settings.metrics_port:
            host, port = settings.metrics_host, settings.metrics_port
            doors += bind(host, port, setting="ANONCHAT_METRICS")
    finally:
        for door in doors:
            door.close()


async def _look_at_bus(url: str) -> Finding:
    valkey = Valkey(url)
    try:
        policy = await valkey.read_policy()
        persistence = await valkey.read_persistence()
    except ValkeyLost as error:
        opaque = "forbids INFO and CONFIG GET, so whether it writes to disk is unknown"
        return Finding("bus", False, opaque if error.is_refusal else "does not answer")
    finally:
        await valkey.close()
    if persistence.reasons:
        return Finding("bus", False, str(persistence))
    if policy != KEEPS_ALL:
        return Finding("bus", False, f"its maxmemory-policy is {policy}, it has to be {KEEPS_ALL}")
    unread = "answers; it forbids CONFIG GET, so see to it that its option save is empty"
    return Finding("bus", True, "answers" if persistence.is_certain else unread)


async def _look_at_server(settings: Settings) -> Finding:
    """Look whether there is somebody who will keep a database."""
    database = Database(settings.database_location)
    try:
        answers = await database.is_answering()
    finally:
        await database.close()
    return Finding("database", answers, "answers" if answers else "does not answer")


async def _look_at_database(
    settings: Settings, database: Database, hash_key: bytes | None
) -> AsyncIterator[Finding]:
    if _is_missing(settings) or not await database.is_answering():
        yield Finding("database", False, "does not answer")
        return
    try:
        is_current = await database.is_current()
        async with database.reading() as session:
            ledger = (await session.exec(select(LedgerRow))).one()
    except (SQLAlchemyError, Unavailable):
        yield Finding("database", False, "is not one of anonchat's")
        return
    says = "answers, its tables are those of this version"
    older = "answers; the next start brings its tables up to date"
    yield Finding("database", True, says if is_current else older)
    if hash_key is not None:
        fits = ledger.store in (b"", Hasher(lambda: hash_key).hash("store"))
        says = "belongs to these keys" if fits else "was written with other keys"
        yield Finding("database", fits, says)
    behind = (ledger.purged_at or datetime.now(UTC)) - datetime.now(UTC)
    is_sane = behind <= STEP
    lag = f"is {behind.total_seconds():.0f} s behind what was reached before"
    yield Finding("clock", is_sane, "is not behind what was reached before" if is_sane else lag)


def _is_missing(settings: Settings) -> bool:
    """Tell whether a file is to be the database and is not there: to ask for it would make it."""
    file = settings.database_file
    return file is not None and not file.exists()

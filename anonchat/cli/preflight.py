"""Preflight checks: whether the settings, keys, services and clock allow a start. Read-only."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import select

from models import PurgeStatsRow

from ..bus.client import NO_EVICTION, Valkey, ValkeyUnavailable
from ..crypto import Hasher
from ..errors import StartupError, Unavailable
from ..runtime.clock import TRUSTED_JUMP
from ..runtime.files import require_writable
from ..runtime.listening import bind
from ..security.key_file import read_hash_key
from ..security.secret_key import find_secret_key, has_keys, require_writable_data_dir
from ..settings import Settings
from ..storage.database import Database
from .plugin_list import load_registry


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check: the part, whether it passed (`well`), and a description."""

    part: str
    well: bool
    says: str


async def run_checks(settings: Settings, *, is_running: bool = False) -> AsyncIterator[CheckResult]:
    """Yield the result of each check, dependencies first.

    While anonchat is running, its addresses are in use and not checked.
    """
    error = _startup_error(lambda: _require_folders(settings))
    if error:
        yield CheckResult("settings", False, error)
        return
    error = "" if is_running else _startup_error(lambda: _require_addresses(settings))
    yield CheckResult("settings", not error, error or "valid")
    yield _check_plugins(settings)
    folder = settings.data_dir
    if not has_keys(settings):
        error = _startup_error(lambda: find_secret_key(settings))
        none = f"none in {folder} yet; the first start creates them"
        yield CheckResult("keys", not error, error or none)
        if settings.has_peers:
            yield await _check_bus(settings.bus_url)
        if not _is_missing(settings):
            yield await _check_database_server(settings)
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield CheckResult("keys", False, f"{folder} is not accessible to this user")
        return
    if settings.has_peers:
        yield await _check_bus(settings.bus_url)
    try:
        hash_key = read_hash_key(folder / "keys", find_secret_key(settings))
    except (OSError, StartupError) as failure:
        yield CheckResult("keys", False, str(failure))
        return
    yield CheckResult(
        "keys",
        hash_key is not None,
        "match the secret key" if hash_key else "do not match the secret key",
    )
    database = Database(settings.resolved_database_url)
    try:
        async for finding in _check_database(settings, database, hash_key):
            yield finding
    finally:
        await database.close()


def _check_plugins(settings: Settings) -> CheckResult:
    try:
        registry = load_registry(settings)
    except StartupError as error:
        return CheckResult("plugins", False, str(error))
    names = ", ".join(plugin.name for plugin in registry.plugins)
    return CheckResult("plugins", True, f"loaded: {names}" if names else "none")


def _startup_error(require: Callable[[], object]) -> str:
    """Return the error that a start would stop with, or `""`."""
    try:
        require()
    except StartupError as error:
        return str(error)
    return ""


def _require_folders(settings: Settings) -> None:
    require_writable_data_dir(settings.data_dir)
    file = settings.database_file
    if file and (settings.database_url or file.exists()):  # a start creates the data folder only
        try:
            if file.exists():
                os.close(os.open(file, os.O_RDWR | os.O_CLOEXEC))
            require_writable(file.parent)
        except OSError as error:
            url = settings.resolved_database_url
            raise StartupError(f"ANONCHAT_DATABASE_URL: {url}: {error.strerror}") from error


def _require_addresses(settings: Settings) -> None:
    listeners = bind(settings.host, settings.port)
    try:
        if settings.metrics_port:
            host, port = settings.metrics_host, settings.metrics_port
            listeners += bind(host, port, setting="ANONCHAT_METRICS")
    finally:
        for listener in listeners:
            listener.close()


async def _check_bus(url: str) -> CheckResult:
    valkey = Valkey(url)
    try:
        policy = await valkey.read_policy()
        persistence = await valkey.read_persistence()
    except ValkeyUnavailable as error:
        refused = "forbids INFO and CONFIG GET, so whether it writes to disk is unknown"
        return CheckResult(
            "bus", False, refused if error.is_command_rejected else "does not answer"
        )
    finally:
        await valkey.close()
    if persistence.reasons:
        return CheckResult("bus", False, str(persistence))
    if policy != NO_EVICTION:
        return CheckResult(
            "bus", False, f"its maxmemory-policy is {policy}; it has to be {NO_EVICTION}"
        )
    unknown = "answers; it forbids CONFIG GET, so make sure that its option save is empty"
    return CheckResult("bus", True, "answers" if persistence.is_certain else unknown)


async def _check_database_server(settings: Settings) -> CheckResult:
    """Check the connection before the first start has created the tables."""
    database = Database(settings.resolved_database_url)
    try:
        await database.require_available()
    except StartupError as error:
        return CheckResult("database", False, str(error))
    finally:
        await database.close()
    return CheckResult("database", True, "answers")


async def _check_database(
    settings: Settings, database: Database, hash_key: bytes | None
) -> AsyncIterator[CheckResult]:
    if _is_missing(settings):
        yield CheckResult("database", False, f"{settings.database_file} is missing")
        return
    try:
        await database.require_available()
        is_current = await database.is_current()
        async with database.read_session() as session:
            stats = (await session.exec(select(PurgeStatsRow))).one()
    except StartupError as error:
        yield CheckResult("database", False, str(error))
        return
    except (SQLAlchemyError, Unavailable):
        yield CheckResult("database", False, "is not an anonchat database")
        return
    current = "answers; its schema is up to date"
    older = "answers; the next start migrates its schema"
    yield CheckResult("database", True, current if is_current else older)
    if hash_key is not None:
        matches = stats.store in (b"", Hasher(lambda: hash_key).hash("store"))
        text = "matches the keys" if matches else "was written with other keys"
        yield CheckResult("database", matches, text)
    behind = (stats.purged_at or datetime.now(UTC)) - datetime.now(UTC)
    is_valid = behind <= TRUSTED_JUMP
    lag = f"is {behind.total_seconds():.0f} s behind the last purge"
    yield CheckResult("clock", is_valid, "is not behind the last purge" if is_valid else lag)


def _is_missing(settings: Settings) -> bool:
    """Return whether the database is a missing file, which connecting would create."""
    file = settings.database_file
    return file is not None and not file.exists()

"""Fixtures shared by all tests."""

import asyncio
import gc
import itertools
import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import Connection, Engine, event
from sqlmodel import SQLModel

from anonchat import Chat
from anonchat.bus.client import Valkey
from anonchat.limits import work_pool
from tests.fakes import FakeClock, running_chat
from tests.servers.postgres import PostgresPool
from tests.timeouts import DEADLINE
from tools.servers.redis import Redis

settings.register_profile("any machine", deadline=None, print_blob=True)
settings.load_profile("any machine")

_bus_numbers = itertools.count()


@pytest.fixture(autouse=True)
def isolated_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Remove `ANONCHAT_` environment variables, and run in an empty folder."""
    for name in [name for name in os.environ if name.startswith("ANONCHAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that use `either_place` in both deployments, or in one if marked `single`."""
    if "either_place" in metafunc.fixturenames:
        if marker := metafunc.definition.get_closest_marker("single"):
            (_reason,) = marker.args
        cluster = pytest.param("cluster", marks=pytest.mark.slow)
        kinds = ["single"] if marker else ["single", cluster]
        metafunc.parametrize("either_place", kinds, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that start a server as slow."""
    for item in items:
        if {"postgres", "redis", "server_process"} & {*getattr(item, "fixturenames", ())}:
            item.add_marker(pytest.mark.slow)


def pytest_collection_finish() -> None:
    """Exclude all modules from garbage collection, and run it less often: an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.fixture(autouse=True)
def no_burst_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not delay work below its budget: the clock of most tests does not move."""
    monkeypatch.setattr(work_pool, "_BURST_WAIT_MAX", timedelta())


@pytest.fixture(autouse=True)
def long_database_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the database take as long as an overloaded machine needs."""
    monkeypatch.setattr("anonchat.storage.database._SLOT_TIMEOUT_SECONDS", DEADLINE)
    monkeypatch.setattr("anonchat.storage.postgres._CONNECT_TIMEOUT_SECONDS", DEADLINE)
    monkeypatch.setattr("anonchat.storage.postgres._POOL_TIMEOUT_SECONDS", DEADLINE)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresPool]:
    """Return a PostgreSQL server shared by all tests, started on first use."""
    postgres = PostgresPool()
    asyncio.run(postgres.start())
    yield postgres
    asyncio.run(postgres.stop(signal.SIGQUIT))
    postgres.remove()


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """Return a Redis server shared by all tests, started on first use."""
    redis = Redis(tmp_path_factory.mktemp("redis"), "--databases", "10000")
    asyncio.run(redis.start())
    yield redis
    redis.kill()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Redis]:
    """Return a Redis server for this test only, which it may stop or pause."""
    async with Redis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
async def valkey(server: Redis) -> AsyncIterator[Valkey]:
    """Return a client of `server` that no node uses."""
    valkey = Valkey(server.url)
    yield valkey
    await valkey.close()


@pytest.fixture
def either_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run every chat as a single node with SQLite, or as a node with PostgreSQL and Redis."""
    if request.param == "single":
        yield request.param
        return
    postgres: PostgresPool = request.getfixturevalue("postgres")
    redis: Redis = request.getfixturevalue("redis")
    located: dict[Path, dict[str, object]] = {}

    def locate(folder: Path) -> dict[str, object]:
        # Hypothesis creates many folders: give back the databases of the removed ones.
        for removed in [each for each in located if not each.exists() and each != folder]:
            postgres.release(str(located.pop(removed)["database_url"]))
        if folder not in located:
            number = next(_bus_numbers)
            located[folder] = {
                "database_url": postgres.take(),
                "bus_url": f"{redis.url}/{number}",
                "secret_key": f"shared by all nodes of {number}",
            }
        return located[folder]

    monkeypatch.setattr("tests.fakes.locate", locate)
    yield request.param
    postgres.release_all()
    asyncio.run(redis.clear())


class _CompiledStatements(dict[Any, Any]):
    """Cache of compiled statements, which all engines of a kind of database share."""

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(_without_engine(key), compiled)

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_without_engine(key), default)


def _without_engine(key: Any) -> tuple[Any, ...]:
    dialect, *statement = key
    return dialect.name, *statement


@pytest.fixture(autouse=True, scope="session")
def compiled_statements() -> Iterator[None]:
    """Compile each statement once per kind of database instead of once per engine."""
    compiled = _CompiledStatements()
    for mapper in SQLModel._sa_registry.mappers:
        mapper._compiled_cache = compiled

    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)

    event.listen(Engine, "engine_connect", share)
    yield
    event.remove(Engine, "engine_connect", share)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that only moves when the test moves it."""
    return FakeClock()


@pytest.fixture
async def chat(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    """Return a started chat, with its data in `tmp_path / "data"`."""
    async with running_chat(tmp_path / "data", clock) as chat:
        yield chat

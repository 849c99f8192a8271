"""What every test may ask for."""

import itertools
import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import Connection, Engine, event

from anonchat import Chat, work_budget
from anonchat.valkey import Valkey
from tests.fakes import FakeClock, running_chat
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

settings.register_profile("any machine", deadline=None, print_blob=True)
settings.load_profile("any machine")

_spaces = itertools.count()


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("ANONCHAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let what asks for `either_place` run in both, but for what is about a single node alone."""
    if "either_place" in metafunc.fixturenames:
        if about_one := metafunc.definition.get_closest_marker("single"):
            (_why,) = about_one.args
        kinds = ["single"] if about_one else ["single", "cluster"]
        metafunc.parametrize("either_place", kinds, indirect=True)


@pytest.fixture(autouse=True)
def no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let work budgets be used up at once: the clock of most tests stands still."""
    monkeypatch.setattr(work_budget, "_LONGEST_PACE", timedelta())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a PostgreSQL that is started for the first who asks."""
    postgres = Postgres()
    postgres.start()
    yield postgres
    postgres.remove()


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    """Return a Redis that is started for the first who asks."""
    redis = Redis()
    redis.start()
    yield redis
    redis.remove()


@pytest.fixture
def server() -> Iterator[Redis]:
    """Return a Redis that this test has for itself, and may break."""
    server = Redis()
    server.start()
    try:
        yield server
    finally:
        server.remove()


@pytest.fixture
async def valkey(server: Redis) -> AsyncIterator[Valkey]:
    """Return a connection to the test's own Redis that no node uses."""
    valkey = Valkey(server.url)
    yield valkey
    await valkey.close()


@pytest.fixture
def either_place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let every chat be by itself with SQLite, or be a node with PostgreSQL and Redis."""
    if request.param == "single":
        yield request.param
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    redis: Redis = request.getfixturevalue("redis")
    places: dict[Path, dict[str, object]] = {}

    def locate(folder: Path) -> dict[str, object]:
        for gone in [each for each in places if not each.exists() and each != folder]:
            postgres.give_back(str(places.pop(gone)["database_url"]))  # hypothesis makes many
        if folder not in places:
            space = next(_spaces)
            places[folder] = {
                "database_url": postgres.take(),
                "bus_url": f"{redis.url}/{space}",
                "secret_key": f"shared by all nodes of {space}",
            }
        return places[folder]

    monkeypatch.setattr("tests.fakes.locate", locate)
    yield request.param
    postgres.give_all_back()
    redis.forget()


class _CompiledStatements(dict[Any, Any]):
    """What statements are compiled to, whichever engine of the dialect asks."""

    def __setitem__(self, key: Any, compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)


@pytest.fixture(autouse=True, scope="session")
def compiled_statements() -> Iterator[None]:
    """Compile each statement once, and not anew for the engine of every test."""
    compiled: defaultdict[str, _CompiledStatements] = defaultdict(_CompiledStatements)

    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled[connection.dialect.name])

    event.listen(Engine, "engine_connect", share)
    yield
    event.remove(Engine, "engine_connect", share)


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
async def chat(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    """Return a started chat, with its data in `tmp_path / "data"`."""
    async with running_chat(tmp_path / "data", clock) as chat:
        yield chat

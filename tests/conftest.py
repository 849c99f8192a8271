"""What every test may ask for."""

import functools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from anonchat import Chat
from tests.fakes import FakeClock, running_chat
from tests.servers.postgres import Postgres

settings.register_profile("any machine", deadline=None, print_blob=True)
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("ANONCHAT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let what asks for `either_database` run on both, but for what is about SQLite alone."""
    if "either_database" in metafunc.fixturenames:
        is_about_one = metafunc.definition.get_closest_marker("sqlite")
        kinds = ["sqlite"] if is_about_one else ["sqlite", "postgresql"]
        metafunc.parametrize("either_database", kinds, indirect=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Return a PostgreSQL that is started for the first who asks."""
    postgres = Postgres()
    postgres.start()
    yield postgres
    postgres.remove()


@pytest.fixture
def either_database(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Let every folder of the test have its database there, or on PostgreSQL."""
    if request.param == "sqlite":
        yield request.param
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    locate = functools.cache(lambda _folder: postgres.take())
    monkeypatch.setattr("tests.fakes.locate", locate)
    yield request.param
    postgres.give_all_back()


@pytest.fixture
def clock() -> FakeClock:
    """Return a clock that stands still until the test moves it."""
    return FakeClock()


@pytest.fixture
async def chat(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    """Return a started chat, with its data in `tmp_path / "data"`."""
    async with running_chat(tmp_path / "data", clock) as chat:
        yield chat

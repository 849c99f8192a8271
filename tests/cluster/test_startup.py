"""A node that cannot connect to PostgreSQL or Redis ends with a one-line error."""

import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from tests.servers.forked_node import ForkedNode
from tools.ports import free_port
from tools.servers.postgres import Postgres
from tools.servers.redis import Redis

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def silent() -> Iterator[int]:
    """Open a port that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postgres() -> AsyncIterator[Postgres]:
    async with Postgres() as postgres:
        yield postgres


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Redis]:
    async with Redis(tmp_path_factory.mktemp("redis")) as redis:
        yield redis


@pytest.mark.parametrize("state", ["absent", "silent"])
@pytest.mark.parametrize("setting", ["ANONCHAT_DATABASE_URL", "ANONCHAT_BUS_URL"])
async def test_startup_fails_with_one_line_if_a_server_does_not_respond(
    tmp_path: Path, postgres: Postgres, redis: Redis, silent: int, setting: str, state: str
) -> None:
    port = silent if state == "silent" else free_port()
    server = postgres if setting == "ANONCHAT_DATABASE_URL" else redis
    settings = {
        "database_url": postgres.url,
        "bus_url": redis.url,
        "secret_key": secrets.token_urlsafe(),
        setting.removeprefix("ANONCHAT_").lower(): server.url.replace(str(server.port), str(port)),
    }
    await _assert_exits_with_one_line(tmp_path, settings, setting)


async def test_startup_fails_with_one_line_if_the_password_is_wrong(
    tmp_path: Path, postgres: Postgres, redis: Redis
) -> None:
    rules = postgres.data / "pg_hba.conf"
    rules.write_text("host all stranger 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
    await _execute(postgres.url, "CREATE ROLE stranger LOGIN PASSWORD 'right'")
    await _execute(postgres.url, "SELECT pg_reload_conf()")
    stranger = postgres.url.replace("anonchat@", "stranger:guessed@")
    with pytest.raises(asyncpg.InvalidPasswordError):
        while True:  # the server reloads its rules asynchronously
            await (await asyncpg.connect(stranger)).close()
    right = {"database_url": postgres.url, "bus_url": redis.url}
    wrong = {
        "database_url": stranger,
        "bus_url": redis.url.replace("127.0.0.1", "stranger:guessed@127.0.0.1"),
    }
    for name, url in wrong.items():
        settings = {**right, name: url, "secret_key": secrets.token_urlsafe()}
        line = await _assert_exits_with_one_line(
            tmp_path / name, settings, f"ANONCHAT_{name.upper()}"
        )
        assert "password" in line
        assert "guessed" not in line, "the error contains the password"


@pytest.mark.parametrize(
    "tables",
    [
        "CREATE TABLE visitor (name text)",
        "CREATE TABLE alembic_version AS SELECT '9999' version_num",
    ],
    ids=["of another program", "of a later version"],
)
async def test_startup_fails_with_one_line_if_the_tables_are_foreign(
    tmp_path: Path, postgres: Postgres, redis: Redis, tables: str
) -> None:
    name = f"other_{secrets.token_hex(4)}"
    await _execute(postgres.url, f"CREATE DATABASE {name}")
    url = postgres.url.removesuffix("/anonchat") + f"/{name}"
    await _execute(url, tables)
    settings = {
        "database_url": url,
        "bus_url": redis.url,
        "secret_key": secrets.token_urlsafe(),
    }
    await _assert_exits_with_one_line(tmp_path, settings, "ANONCHAT_DATABASE_URL")
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
    finally:
        await connection.close()
    assert found == 1


async def _assert_exits_with_one_line(folder: Path, settings: dict[str, str], setting: str) -> str:
    """Start a node, and return the line that it prints before it exits."""
    node = ForkedNode("n1", folder / "n1", settings)
    node.launch()
    assert await node.wait_until_exited() == 1
    (line,) = node.log.splitlines()
    assert line.startswith(f"{setting}: ")
    return line


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()

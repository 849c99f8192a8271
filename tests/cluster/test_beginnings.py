"""A node whose PostgreSQL or Redis does not answer says so in one line, and ends."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.house import PATIENCE
from tools.cluster import Node, Postgres, Redis, free_port

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def silent() -> Iterator[int]:
    """Give a port at which everything is taken in and nothing answered."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door.getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def postgres() -> AsyncIterator[Postgres]:
    postgres = Postgres()
    try:
        await postgres.start()
        yield postgres
    finally:
        await postgres.stop()
        postgres.remove()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Redis]:
    redis = Redis(tmp_path_factory.mktemp("redis"))
    await redis.start()
    yield redis
    await redis.stop()


@pytest.mark.parametrize("how", ["absent", "silent"])
@pytest.mark.parametrize("setting", ["ANONCHAT_DATABASE_URL", "ANONCHAT_BUS_URL"])
async def test_what_does_not_answer_is_named_in_one_line(
    tmp_path: Path, postgres: Postgres, redis: Redis, silent: int, setting: str, how: str
) -> None:
    port = silent if how == "silent" else free_port()
    part = postgres if setting == "ANONCHAT_DATABASE_URL" else redis
    settings = {
        "database_url": postgres.url,
        "bus_url": redis.url,
        "secret_key": secrets.token_urlsafe(),
        setting.removeprefix("ANONCHAT_").lower(): part.url.replace(str(part.port), str(port)),
    }
    node = Node("n1", tmp_path / "n1", settings)
    await node.prepare()
    node.launch()
    assert node.process
    async with asyncio.timeout(PATIENCE):
        code = await asyncio.to_thread(node.process.wait)
    assert code == 1
    (line,) = node.log.splitlines()
    assert line.startswith(f"{setting}: ")

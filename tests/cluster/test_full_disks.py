"""Full disks of a node and of PostgreSQL: no acknowledged message is lost."""

import asyncio
import os
import pwd
import secrets
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio

from tests.api.api_client import ApiClient
from tests.fakes import UNLIMITED
from tests.forgetting.disk_copies import SECRET, read_keys
from tests.servers.forked_cluster import ForkedCluster
from tests.timeouts import DEADLINE
from tools.cluster import Cluster
from tools.servers.node import Node
from tools.servers.postgres import Postgres

SETTINGS = {**UNLIMITED, "janitor_interval": "2s", "secret_key": SECRET}
NODE_DISK, POSTGRES_DISK = "1m", "112m"
FREE_BYTES = 256 * 1024  # free space, so that some posts succeed first
TRIES = 2_000

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    """Start two nodes; the disks of the second one and of PostgreSQL are small."""
    cluster = ForkedCluster(nodes=2, settings=SETTINGS)
    with (
        _small_disk(cluster.nodes[1].data, NODE_DISK),
        _small_disk(cluster.postgres.folder, POSTGRES_DISK, owner=cluster.postgres.user),
    ):
        async with cluster:
            yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def clients(cluster: Cluster) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Open an HTTP client for each node, without nginx."""
    clients = [
        httpx.AsyncClient(base_url=f"http://{node.address}/api/v1", timeout=DEADLINE)
        for node in cluster.nodes
    ]
    yield clients
    for client in clients:
        await client.aclose()


async def test_node_with_a_full_disk_does_not_affect_the_others(
    cluster: Cluster, clients: list[httpx.AsyncClient]
) -> None:
    first, second = clients
    node = cluster.nodes[1]
    ann = await _sign_in(first, "Ann")
    slug = (await ann.open("night train"))["slug"]
    texts = [item["text"] for item in await ann.say(slug, "before")]
    ballast = _fill(node.data)
    guests: list[ApiClient] = []
    for number in range(TRIES):  # each sign-in writes a key to the disk
        answer = await second.post("/visitors", json={"nickname": f"Guest {number}"})
        if answer.status_code == 503:
            break
        guests.append(ApiClient(first, answer.raise_for_status().json()["token"]))
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("unavailable")
    for number in range(5):
        texts += [item["text"] for item in await ann.say(slug, f"here {number}")]
        answer = await _post(ApiClient(second, ann.token), slug, f"there {number}")
        assert answer.status_code in (201, 503)
        texts += [f"there {number}"] * (answer.status_code == 201)
    await _sign_in(first, "Ben")
    for guest in guests:
        assert (await guest.call("GET", "/rooms/mine")).status_code == 200
    await _wait_until(lambda: _read(ann, slug), texts)
    await _wait_until(lambda: _read(ApiClient(second, ann.token), slug), texts)

    ballast.unlink()
    await _sign_in(second, "Cid")
    texts += [item["text"] for item in await ApiClient(second, ann.token).say(slug, "after")]
    node.kill()
    await node.start()
    for client in clients:
        await _wait_until(lambda client=client: _read(ApiClient(client, ann.token), slug), texts)


async def test_full_disk_of_postgresql_refuses_posts_but_delays_no_deletion(
    cluster: Cluster, clients: list[httpx.AsyncClient]
) -> None:
    first, _ = clients
    ann = await _sign_in(first, "Mira")
    slug = (await ann.open("day train"))["slug"]
    before = _list_keys(cluster.nodes[0])
    other_room = (await ann.open("ferry"))["slug"]
    await ann.say(other_room, "burn this")
    (key,) = [name for name in _list_keys(cluster.nodes[0]) - before if name.startswith("room ")]
    await _wait_until(lambda: _list_nodes_with_key(cluster, key), {"n1", "n2"})
    texts = [item["text"] for item in await ann.say(slug, "before")]
    ballast = _fill(cluster.postgres.folder)
    os.truncate(ballast, ballast.stat().st_size - FREE_BYTES)
    for number in range(TRIES):
        text = f"{number} {secrets.token_hex(1_900)}"
        answer = await _post(ann, slug, text)
        if answer.status_code == 503:
            break
        assert answer.status_code == 201
        texts.append(text)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("unavailable")
    assert len(texts) > 1
    for client in clients:
        assert (await _read(ApiClient(client, ann.token), slug))[:2] == texts[:2], (
            "reading has stopped"
        )
    await ann.call("DELETE", f"/rooms/{other_room}")  # rows are deleted once the disk has space
    await _wait_until(lambda: _list_nodes_with_key(cluster, key), set())

    await _fill_wal(cluster.postgres)
    answer = await _post(ann, slug, "not now")
    assert answer.status_code == 503
    ballast.unlink()
    async with asyncio.timeout(DEADLINE):
        while not await cluster.postgres.is_ready():
            if not cluster.postgres.is_alive:  # it exits if its recovery fails
                await cluster.postgres.start()
            await asyncio.sleep(0.1)
    await _wait_until(lambda: _is_ready(first), True)
    texts += [item["text"] for item in await ann.say(slug, "after")]
    for client in clients:
        await _wait_until(lambda client=client: _read(ApiClient(client, ann.token), slug), texts)
    rooms = (await ann.ask("GET", "/rooms/mine"))["items"]
    assert [room["slug"] for room in rooms] == [slug]


async def _fill_wal(postgres: Postgres) -> None:
    """Fill the WAL: without space for another segment the server panics."""
    try:
        connection = await asyncpg.connect(postgres.url)
        for _ in range(20):
            await connection.execute("SELECT pg_switch_wal()")
            await connection.execute("SELECT pg_logical_emit_message(true, 'more', 'journal')")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return
    raise AssertionError("the disk has space for more WAL")


@contextmanager
def _small_disk(folder: Path, size: str, *, owner: str | None = None) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={size},mode=0700"
    if owner:
        options += f",uid={pwd.getpwnam(owner).pw_uid},gid={pwd.getpwnam(owner).pw_gid}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "anonchat", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"cannot mount a file system: {error}")
    if done.returncode:
        pytest.skip(f"cannot mount a file system: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _fill(disk: Path) -> Path:
    """Fill a disk; return the file that fills it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4_096):
            try:
                while os.write(file.fileno(), bytes(size)):
                    pass
            except OSError:
                continue
    return ballast


async def _list_nodes_with_key(cluster: Cluster, name: str) -> set[str]:
    """Return the names of the nodes whose key stores contain the key."""
    return {node.name for node in cluster.nodes if name in _list_keys(node)}


def _list_keys(node: Node) -> set[str]:
    return set(read_keys(node.data / "keys", SECRET))


async def _post(program: ApiClient, slug: str, text: str) -> httpx.Response:
    return await program.call("POST", f"/rooms/{slug}/messages", json={"text": text})


async def _sign_in(client: httpx.AsyncClient, nickname: str) -> ApiClient:
    answer = await client.post("/visitors", json={"nickname": nickname})
    return ApiClient(client, answer.raise_for_status().json()["token"])


async def _read(program: ApiClient, slug: str) -> list[str]:
    """Return the texts of all messages, or an empty list while requests fail."""
    texts: list[str] = []
    where: dict[str, object] = {"after": 0, "limit": 100}
    while where:
        answer = await program.call("GET", f"/rooms/{slug}/messages", params=where)
        if answer.status_code != 200:
            return []
        page = answer.json()
        texts += [item["text"] for item in page["items"]]
        where = {"cursor": page["next"], "limit": 100} if page["next"] else {}
    return texts


async def _is_ready(client: httpx.AsyncClient) -> bool:
    answer = await client.get(f"http://{client.base_url.netloc.decode()}/readyz")
    return answer.status_code == 200


async def _wait_until(read: Callable[[], Awaitable[object]], wanted: object) -> None:
    async with asyncio.timeout(DEADLINE):
        while await read() != wanted:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.1)

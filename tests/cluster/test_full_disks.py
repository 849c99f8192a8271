"""A disk that is full costs a site nothing that it has acknowledged, and stops nobody else."""

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

from tests.api.program import Program
from tests.browser.house import PATIENCE
from tests.fakes import UNLIMITED
from tests.forgetting.thief import SECRET, read_keys
from tools.cluster import Cluster, Node, Postgres

SETTINGS = {**UNLIMITED, "janitor_interval": "2s", "secret_key": SECRET}
OF_THE_NODE, OF_POSTGRESQL = "1m", "112m"
ROOM = 256 * 1024  # so that something is taken before the first is refused
TRIES = 2_000

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    """Give two nodes: the data of the second, and PostgreSQL, have little room."""
    cluster = Cluster(nodes=2, settings=SETTINGS)
    with (
        _small_disk(cluster.nodes[1].data, OF_THE_NODE),
        _small_disk(cluster.postgres.folder, OF_POSTGRESQL, owner=cluster.postgres.user),
    ):
        async with cluster:
            yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def lines(cluster: Cluster) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Give a line to each node that passes nginx by."""
    lines = [
        httpx.AsyncClient(base_url=f"http://{node.address}/api/v1", timeout=PATIENCE)
        for node in cluster.nodes
    ]
    yield lines
    for line in lines:
        await line.aclose()


async def test_a_node_whose_disk_is_full_takes_or_refuses_and_the_others_go_on(
    cluster: Cluster, lines: list[httpx.AsyncClient]
) -> None:
    here, there = lines
    node = cluster.nodes[1]
    ann = await _come_in(here, "Ann")
    slug = (await ann.open("night train"))["slug"]
    said = [item["text"] for item in await ann.say(slug, "before")]
    ballast = _fill(node.data)
    came: list[Program] = []
    for number in range(TRIES):  # each needs a key, and a key has to be on the disk
        answer = await there.post("/visitors", json={"nickname": f"Guest {number}"})
        if answer.status_code == 503:
            break
        came.append(Program(here, answer.raise_for_status().json()["token"]))
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("unavailable")
    for number in range(5):
        said += [item["text"] for item in await ann.say(slug, f"here {number}")]
        answer = await _post(Program(there, ann.token), slug, f"there {number}")
        assert answer.status_code in (201, 503)
        said += [f"there {number}"] * (answer.status_code == 201)
    await _come_in(here, "Ben")
    for guest in came:
        assert (await guest.call("GET", "/rooms/mine")).status_code == 200
    await _until(lambda: _read(ann, slug), said)
    await _until(lambda: _read(Program(there, ann.token), slug), said)

    ballast.unlink()
    await _come_in(there, "Cid")
    said += [item["text"] for item in await Program(there, ann.token).say(slug, "after")]
    node.kill()
    await node.start()
    for line in lines:
        await _until(lambda line=line: _read(Program(line, ann.token), slug), said)


async def test_a_full_disk_of_postgresql_refuses_what_is_new_and_keeps_nothing_from_being_forgotten(
    cluster: Cluster, lines: list[httpx.AsyncClient]
) -> None:
    here, _ = lines
    ann = await _come_in(here, "Mira")
    slug = (await ann.open("day train"))["slug"]
    before = _list_keys(cluster.nodes[0])
    doomed = (await ann.open("ferry"))["slug"]
    await ann.say(doomed, "burn this")
    (key,) = [name for name in _list_keys(cluster.nodes[0]) - before if name.startswith("room ")]
    await _until(lambda: _find_key(cluster, key), {"n1", "n2"})
    said = [item["text"] for item in await ann.say(slug, "before")]
    ballast = _fill(cluster.postgres.folder)
    os.truncate(ballast, ballast.stat().st_size - ROOM)
    for number in range(TRIES):
        text = f"{number} {secrets.token_hex(1_900)}"
        answer = await _post(ann, slug, text)
        if answer.status_code == 503:
            break
        assert answer.status_code == 201
        said.append(text)
    assert answer.status_code == 503
    assert answer.json()["type"].endswith("unavailable")
    assert len(said) > 1
    for line in lines:
        assert (await _read(Program(line, ann.token), slug))[:2] == said[:2], "reading goes on"
    await ann.call("DELETE", f"/rooms/{doomed}")  # what the disk refuses is done later
    await _until(lambda: _find_key(cluster, key), set())

    await _want_more_journal(cluster.postgres)
    answer = await _post(ann, slug, "not now")
    assert answer.status_code == 503
    ballast.unlink()
    async with asyncio.timeout(PATIENCE):
        while not await cluster.postgres.is_ready():
            if not cluster.postgres.is_alive:  # it gives up when it cannot even recover
                await cluster.postgres.start()
            await asyncio.sleep(0.1)
    await _until(lambda: _is_ready(here), True)
    said += [item["text"] for item in await ann.say(slug, "after")]
    for line in lines:
        await _until(lambda line=line: _read(Program(line, ann.token), slug), said)
    rooms = (await ann.ask("GET", "/rooms/mine"))["items"]
    assert [room["slug"] for room in rooms] == [slug]


async def _want_more_journal(postgres: Postgres) -> None:
    """Let the server need another piece of its journal, for which there is no room: it panics."""
    try:
        connection = await asyncpg.connect(postgres.url)
        for _ in range(20):
            await connection.execute("SELECT pg_switch_wal()")
            await connection.execute("SELECT pg_logical_emit_message(true, 'more', 'journal')")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return
    raise AssertionError("there is room for more journal")


@contextmanager
def _small_disk(place: Path, size: str, *, owner: str | None = None) -> Iterator[None]:
    place.mkdir(parents=True, exist_ok=True)
    options = f"size={size},mode=0700"
    if owner:
        options += f",uid={pwd.getpwnam(owner).pw_uid},gid={pwd.getpwnam(owner).pw_gid}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "anonchat", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(disk: Path) -> Path:
    """Leave no room on a disk; return what takes it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 4_096):
            try:
                while os.write(file.fileno(), bytes(size)):
                    pass
            except OSError:
                continue
    return ballast


async def _find_key(cluster: Cluster, name: str) -> set[str]:
    """Return the names of the nodes that have a key in their files."""
    return {node.name for node in cluster.nodes if name in _list_keys(node)}


def _list_keys(node: Node) -> set[str]:
    return set(read_keys(node.data / "keys", SECRET))


async def _post(program: Program, slug: str, text: str) -> httpx.Response:
    return await program.call("POST", f"/rooms/{slug}/messages", json={"text": text})


async def _come_in(line: httpx.AsyncClient, nickname: str) -> Program:
    answer = await line.post("/visitors", json={"nickname": nickname})
    return Program(line, answer.raise_for_status().json()["token"])


async def _read(program: Program, slug: str) -> list[str]:
    """Return everything that was said, or nothing while it cannot be asked for."""
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


async def _is_ready(line: httpx.AsyncClient) -> bool:
    answer = await line.get(f"http://{line.base_url.netloc.decode()}/readyz")
    return answer.status_code == 200


async def _until(look: Callable[[], Awaitable[object]], wanted: object) -> None:
    async with asyncio.timeout(PATIENCE):
        while await look() != wanted:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.1)

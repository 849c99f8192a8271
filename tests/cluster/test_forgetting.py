"""Many nodes forget as one does: no word is written anywhere, and no key outlives what it opens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from anonchat.seal import BrokenSeal, derive_key, unseal
from tests.api.program import Program
from tests.browser.house import PATIENCE
from tests.fakes import UNLIMITED
from tests.forgetting.canaries import canary, find
from tests.forgetting.thief import SECRET, open_all, read_keys
from tools.cluster import Cluster

TTL = "10s"
SETTINGS = {**UNLIMITED, "janitor_interval": "2s", "secret_key": SECRET}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Thief:
    """Copies the tables now and then, and tries on them every key of any node and of Redis."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._sealed: set[tuple[bytes, str]] = set()

    async def copies(self) -> None:
        """Copy every ciphertext there is."""
        for query in (
            "SELECT sealed, id FROM room",
            "SELECT sealed, id FROM visitor",
            "SELECT sealed, room_id || ' ' || id FROM message",
        ):
            self._sealed |= {(bytes(row[0]), row[1]) for row in await _fetch(self._cluster, query)}

    async def reads(self) -> set[str]:
        """Return every text that any key opens."""
        keys = await self._read_redis()
        for node in self._cluster.nodes:
            keys |= read_keys(node.data / "keys", SECRET)
        return open_all(self._sealed, keys)

    async def _read_redis(self) -> dict[str, bytes]:
        """Return the keys in Redis that open with the secret key: none."""
        purposes = ("travelling keys", "group key", "keys", "wrap", "bus")
        wraps = [derive_key(SECRET.encode(), purpose=purpose) for purpose in purposes]
        keys, count = {}, 0
        async with Redis.from_url(self._cluster.redis.url) as redis:
            async for place in redis.scan_iter(_type="hash"):
                for name, wrapped in (await redis.hgetall(place)).items():
                    count += 1
                    for wrap in wraps:
                        with suppress(BrokenSeal):
                            keys[name.decode()] = unseal(wrap, wrapped, place=name.decode())
        assert count, "whoever finds nothing in Redis proves nothing"
        assert not keys, "Redis holds them under a key that is in the memory of nodes alone"
        return keys


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster(settings=SETTINGS) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def lines(cluster: Cluster) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Give a line to each node that passes nginx by."""
    addresses = [node.address for node in cluster.nodes]
    lines = [
        httpx.AsyncClient(base_url=f"http://{it}/api/v1", timeout=PATIENCE) for it in addresses
    ]
    yield lines
    for line in lines:
        await line.aclose()


async def test_no_word_reaches_any_file_and_no_key_of_any_node_opens_what_is_gone(
    cluster: Cluster, lines: list[httpx.AsyncClient], tmp_path: Path
) -> None:
    words = {name: canary(name) for name in ("room", "topic", "long", "gone", "short", "burnt")}
    words |= {name: canary(name)[:24] for name in ("Ann", "Ben", "other room")}
    ann, ben = [
        await _come_in(line, words[name]) for line, name in zip(lines, ("Ann", "Ben"), strict=False)
    ]
    room = (await ann.open(words["room"], topic=words["topic"]))["slug"]
    brief = (await ben.open(canary("brief"), message_ttl=TTL))["slug"]
    doomed = (await ann.open(words["other room"]))["slug"]
    words |= {"token of Ann": ann.token, "token of Ben": ben.token, "brief": brief}
    await ben.ask("PUT", f"/rooms/{room}/membership")
    (kept,) = await ann.say(room, words["long"])
    there = Program(lines[2], ben.token)
    (slip,) = await there.say(room, words["gone"])
    await there.say(brief, words["short"])
    await ann.say(doomed, words["burnt"])
    said = {words[name] for name in ("long", "gone", "short", "burnt")}
    thief = Thief(cluster)
    await thief.copies()
    assert await thief.reads() >= said | {words["Ann"], words["Ben"]}
    await _look(cluster, words, kept["id"], tmp_path / "living")

    await ben.ask("DELETE", f"/rooms/{room}/messages/{slip['id']}")
    await ann.ask("DELETE", f"/rooms/{doomed}")
    await thief.copies()
    await _eventually(thief, said - {words["long"]})
    assert await thief.reads() >= {words["long"], words["Ann"], words["Ben"]}
    await Program(lines[0], ben.token).ask("DELETE", "/visitors/me")
    await _eventually(thief, {words["Ben"]})
    assert await thief.reads() >= {words["long"], words["Ann"]}
    await _look(cluster, words, kept["id"], tmp_path / "gone")


async def test_while_one_node_holds_its_breath_the_others_forget_and_nothing_comes_back(
    cluster: Cluster, lines: list[httpx.AsyncClient]
) -> None:
    far = cluster.nodes[2]
    ann = await _come_in(lines[1], "Ann")
    slug = (await ann.open("ferry", message_ttl=TTL))["slug"]
    there = Program(lines[2], ann.token)
    (said,) = await there.say(slug, "now or never")
    assert [item["text"] for item in (await there.read(slug))["items"]] == ["now or never"]
    gone = await _fetch(cluster, "SELECT messages FROM ledger")
    far.pause()
    try:
        async with asyncio.timeout(PATIENCE):
            while (await ann.read(slug))["items"]:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.1)
            while await _fetch(cluster, f"SELECT id FROM message WHERE id = '{said['id']}'"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        far.resume()
    assert (await there.read(slug))["items"] == []
    assert (await ann.read(slug))["items"] == []
    assert await _fetch(cluster, "SELECT messages FROM ledger") == [(gone[0][0] + 1,)]


async def _eventually(thief: Thief, gone: set[str]) -> None:
    """Wait until no key opens any of this."""
    async with asyncio.timeout(PATIENCE):
        while not gone.isdisjoint(await thief.reads()):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.2)


async def _look(cluster: Cluster, words: dict[str, str], known: str, place: Path) -> None:
    """Search all that any part has written, and what Redis holds."""
    await _fetch(cluster, "CHECKPOINT")
    place.mkdir()  # noqa: ASYNC240
    (number,) = (await _fetch(cluster, "SELECT oid::int FROM pg_database ORDER BY oid DESC"))[0]
    data = cluster.postgres.data
    folders = [data / "base" / str(number), data / "pg_wal", data / "global", cluster.folder]
    assert find([known], folders[0]) or find([known], folders[1]), "a scan that is blind"
    async with Redis.from_url(cluster.redis.url) as redis:
        dumps = [await redis.dump(name) or b"" async for name in redis.scan_iter()]
    assert dumps, "a scan that is blind"
    (place / "redis").write_bytes(b"\0".join(dumps))
    (place / "log").write_text(cluster.postgres.log)
    for folder in (*folders, place):
        assert find(words.values(), folder) == [], folder


async def _come_in(line: httpx.AsyncClient, nickname: str) -> Program:
    answer = await line.post("/visitors", json={"nickname": nickname})
    return Program(line, answer.raise_for_status().json()["token"])


async def _fetch(cluster: Cluster, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(cluster.postgres.url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()

"""A cluster writes no plaintext to disk, and destroys the keys of deleted data on all nodes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from anonchat.crypto import DecryptionError, decrypt, derive_key
from tests.api.api_client import ApiClient
from tests.fakes import UNLIMITED
from tests.forgetting.canaries import canary, find
from tests.forgetting.disk_copies import SECRET, decrypt_all, read_keys
from tests.servers.forked_cluster import ForkedCluster
from tests.timeouts import DEADLINE
from tools.cluster import Cluster

TTL = "10s"
SETTINGS = {**UNLIMITED, "janitor_interval": "2s", "secret_key": SECRET}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class DiskCopies:
    """Collects ciphertexts from the tables; tries all keys of the nodes and of Redis on them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._ciphertexts: set[tuple[bytes, str]] = set()

    async def copy_database(self) -> None:
        """Collect all ciphertexts in the tables."""
        for query in (
            "SELECT sealed, id FROM room",
            "SELECT sealed, id FROM visitor",
            "SELECT sealed, room_id || ' ' || id FROM message",
        ):
            self._ciphertexts |= {
                (bytes(row[0]), row[1]) for row in await _fetch(self._cluster, query)
            }

    async def decrypt(self) -> set[str]:
        """Return all texts that any key decrypts."""
        keys = await self._read_redis()
        for node in self._cluster.nodes:
            keys |= read_keys(node.data / "keys", SECRET)
        return decrypt_all(self._ciphertexts, keys)

    async def _read_redis(self) -> dict[str, bytes]:
        """Check that the secret key decrypts no key in Redis; return an empty dictionary."""
        purposes = ("group key", "keys", "wrap", "bus", "hash")
        wrapping_keys = [derive_key(SECRET.encode(), purpose=purpose) for purpose in purposes]
        keys, count = {}, 0
        async with Redis.from_url(self._cluster.redis.url) as redis:
            async for redis_key in redis.scan_iter(_type="hash"):
                for name, wrapped in (await redis.hgetall(redis_key)).items():
                    count += 1
                    for wrapping_key in wrapping_keys:
                        with suppress(DecryptionError):
                            keys[name.decode()] = decrypt(
                                wrapping_key, wrapped, associated_data=name.decode()
                            )
        assert count, "Redis holds no keys"
        assert not keys, "the secret key decrypts keys in Redis"
        return keys


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster() -> AsyncIterator[Cluster]:
    async with ForkedCluster(settings=SETTINGS) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="module")
async def clients(cluster: Cluster) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Open an HTTP client for each node, without nginx."""
    addresses = [node.address for node in cluster.nodes]
    clients = [
        httpx.AsyncClient(base_url=f"http://{address}/api/v1", timeout=DEADLINE)
        for address in addresses
    ]
    yield clients
    for client in clients:
        await client.aclose()


async def test_cluster_writes_no_plaintext_and_keeps_no_key_of_deleted_data(
    cluster: Cluster, clients: list[httpx.AsyncClient], tmp_path: Path
) -> None:
    texts = {name: canary(name) for name in ("room", "topic", "long", "gone", "short", "burnt")}
    texts |= {name: canary(name)[:24] for name in ("Ann", "Ben", "other room")}
    ann, ben = [
        await _sign_in(client, texts[name])
        for client, name in zip(clients, ("Ann", "Ben"), strict=False)
    ]
    room = (await ann.open(texts["room"], topic=texts["topic"]))["slug"]
    short_room = (await ben.open(canary("short"), message_ttl=TTL))["slug"]
    other_room = (await ann.open(texts["other room"]))["slug"]
    texts |= {"token of Ann": ann.token, "token of Ben": ben.token, "short_room": short_room}
    await ben.ask("PUT", f"/rooms/{room}/membership")
    (kept,) = await ann.say(room, texts["long"])
    on_third = ApiClient(clients[2], ben.token)
    (deleted,) = await on_third.say(room, texts["gone"])
    await on_third.say(short_room, texts["short"])
    await ann.say(other_room, texts["burnt"])
    posted = {texts[name] for name in ("long", "gone", "short", "burnt")}
    disk_copies = DiskCopies(cluster)
    await disk_copies.copy_database()
    assert await disk_copies.decrypt() >= posted | {texts["Ann"], texts["Ben"]}
    await _assert_no_plaintext(cluster, texts, kept["id"], tmp_path / "living")

    await ben.ask("DELETE", f"/rooms/{room}/messages/{deleted['id']}")
    await ann.ask("DELETE", f"/rooms/{other_room}")
    await disk_copies.copy_database()
    await _wait_until_undecryptable(disk_copies, posted - {texts["long"]})
    assert await disk_copies.decrypt() >= {texts["long"], texts["Ann"], texts["Ben"]}
    await ApiClient(clients[0], ben.token).ask("DELETE", "/visitors/me")
    await _wait_until_undecryptable(disk_copies, {texts["Ben"]})
    assert await disk_copies.decrypt() >= {texts["long"], texts["Ann"]}
    await _assert_no_plaintext(cluster, texts, kept["id"], tmp_path / "gone")


async def test_messages_expire_while_one_node_is_paused_and_do_not_return(
    cluster: Cluster, clients: list[httpx.AsyncClient]
) -> None:
    third = cluster.nodes[2]
    ann = await _sign_in(clients[1], "Ann")
    slug = (await ann.open("ferry", message_ttl=TTL))["slug"]
    on_third = ApiClient(clients[2], ann.token)
    (posted,) = await on_third.say(slug, "now or never")
    assert [item["text"] for item in (await on_third.read(slug))["items"]] == ["now or never"]
    gone = await _fetch(cluster, "SELECT messages FROM purge_stats")
    third.pause()
    try:
        async with asyncio.timeout(DEADLINE):
            while (await ann.read(slug))["items"]:  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.1)
            while await _fetch(cluster, f"SELECT id FROM message WHERE id = '{posted['id']}'"):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
    finally:
        third.resume()
    assert (await on_third.read(slug))["items"] == []
    assert (await ann.read(slug))["items"] == []
    assert await _fetch(cluster, "SELECT messages FROM purge_stats") == [(gone[0][0] + 1,)]


async def _wait_until_undecryptable(disk_copies: DiskCopies, gone: set[str]) -> None:
    """Wait until no key decrypts any of these texts."""
    async with asyncio.timeout(DEADLINE):
        while not gone.isdisjoint(await disk_copies.decrypt()):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.2)


async def _assert_no_plaintext(
    cluster: Cluster, texts: dict[str, str], message_id: str, copies: Path
) -> None:
    """Assert that no file of a process and no value in Redis contains a text."""
    await _fetch(cluster, "CHECKPOINT")
    copies.mkdir()  # noqa: ASYNC240
    (number,) = (await _fetch(cluster, "SELECT oid::int FROM pg_database ORDER BY oid DESC"))[0]
    data = cluster.postgres.data
    folders = [data / "base" / str(number), data / "pg_wal", data / "global", cluster.folder]
    assert find([message_id], folders[0]) or find([message_id], folders[1]), (
        "the search finds nothing that is stored"
    )
    async with Redis.from_url(cluster.redis.url) as redis:
        dumps = [await redis.dump(name) or b"" async for name in redis.scan_iter()]
    assert dumps, "the search finds nothing that is stored"
    (copies / "redis").write_bytes(b"\0".join(dumps))
    (copies / "log").write_text(cluster.postgres.log)
    for folder in (*folders, copies):
        assert find(texts.values(), folder) == [], folder


async def _sign_in(client: httpx.AsyncClient, nickname: str) -> ApiClient:
    answer = await client.post("/visitors", json={"nickname": nickname})
    return ApiClient(client, answer.raise_for_status().json()["token"])


async def _fetch(cluster: Cluster, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(cluster.postgres.url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()

"""A Valkey or Redis that writes what it holds to disk is refused, and noticed while running."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from anonchat import Chat, StartError
from anonchat.api import health_routes
from anonchat.checks import look_round
from anonchat.keystore import room_key
from anonchat.persistence import PersistenceWatch
from anonchat.sharedkeys import SharedKeys
from anonchat.valkey import Valkey
from tests.fakes import FakeClock, come_in, gather_in, make_settings, read, running_chat, say
from tests.pages.tab import until
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

SECRET = "shared by all nodes"

OPTIONS = {
    "save": (
        ("save", "3600 1 300 100"),
        'save is "3600 1 300 100" (turn it off: CONFIG SET save "")',
    ),
    "appendonly": (("appendonly", "yes"), "(turn it off: CONFIG SET appendonly no)"),
}


@pytest.fixture
async def nodes(
    postgres: Postgres, server: Redis, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Chat, Chat]]:
    """Return two nodes of one site."""
    shared = {"database_url": postgres.take(), "bus_url": server.url, "secret_key": SECRET}
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                running_chat(tmp_path / name, clock, node_id=name, **shared)
            )
            for name in ("n1", "n2")
        ]
        yield first, second
    postgres.give_all_back()


@asynccontextmanager
async def _replica(of: Redis) -> AsyncIterator[Redis]:
    """Give a replica that is connected."""
    replica = Redis()
    replica.start()
    line = Valkey(replica.url)
    try:
        await line.call("REPLICAOF", "127.0.0.1", of.port)
        primary = Valkey(of.url)
        while not (await primary.call("INFO", "replication"))["connected_slaves"]:
            pass
        await primary.close()
        yield replica
    finally:
        await line.close()
        replica.remove()


async def _start(tmp_path: Path, clock: FakeClock, url: str) -> str:
    """Return why a node does not start."""
    settings = make_settings(
        tmp_path / "n1", bus_url=url, secret_key=SECRET, database_url="postgresql://127.0.0.1:1/x"
    )
    chat = Chat(settings, clock=clock)
    with pytest.raises(StartError) as refusal:
        await chat.start()
    await chat.stop()
    assert "\n" not in str(refusal.value)
    (bus,) = [each async for each in look_round(settings) if each.part == "bus"]
    assert not bus.well
    assert bus.says in str(refusal.value) or "forbids" in bus.says
    return str(refusal.value)


@pytest.mark.parametrize("option", OPTIONS)
async def test_start_is_refused_by_a_store_that_persists(
    option: str, server: Redis, valkey: Valkey, tmp_path: Path, clock: FakeClock
) -> None:
    setting, said = OPTIONS[option]
    await valkey.call("CONFIG", "SET", *setting)
    reason = await _start(tmp_path, clock, server.url)
    assert reason.startswith("ANONCHAT_BUS_URL: it writes what it holds to disk: ")
    assert said in reason
    await valkey.call("CONFIG", "SET", setting[0], "" if option == "save" else "no")
    assert "ANONCHAT_DATABASE_URL" in await _start_error(tmp_path, clock, server.url)


async def _start_error(tmp_path: Path, clock: FakeClock, url: str) -> str:
    settings = make_settings(
        tmp_path / "n2", bus_url=url, secret_key=SECRET, database_url="postgresql://127.0.0.1:1/x"
    )
    chat = Chat(settings, clock=clock)
    with pytest.raises(StartError) as refusal:
        await chat.start()
    await chat.stop()
    return str(refusal.value)


async def test_start_is_refused_by_a_store_with_replicas_and_by_a_replica(
    server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    async with _replica(server) as replica:
        assert "its replicas may, of which 1 are" in await _start(tmp_path, clock, server.url)
        line = Valkey(replica.url)
        assert "it is a replica itself" in str(await line.read_persistence())
        await line.close()


async def test_start_without_config_goes_by_info_and_warns(
    server: Redis,
    valkey: Valkey,
    tmp_path: Path,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await valkey.call("ACL", "SETUSER", "app", "on", ">word", "~*", "&*", "+@all", "-config")
    url = server.url.replace("127.0.0.1", "app:word@127.0.0.1")
    assert "ANONCHAT_DATABASE_URL" in await _start_error(tmp_path, clock, url)
    assert "Valkey forbids CONFIG GET" in caplog.text
    await valkey.call("CONFIG", "SET", "appendonly", "yes")
    assert "appendonly is yes" in await _start(tmp_path, clock, url)
    await valkey.call("CONFIG", "SET", "appendonly", "no")
    await valkey.call("SAVE")
    assert "it has written snapshots" in await _start(tmp_path, clock, url)


async def test_start_is_refused_by_a_store_that_tells_nothing(
    server: Redis, valkey: Valkey, tmp_path: Path, clock: FakeClock
) -> None:
    await valkey.call(
        "ACL", "SETUSER", "app", "on", ">word", "~*", "&*", "+@all", "-config", "-info"
    )
    url = server.url.replace("127.0.0.1", "app:word@127.0.0.1")
    assert "whether it writes to disk is unknown" in await _start(tmp_path, clock, url)


@pytest.mark.parametrize("option", OPTIONS)
async def test_store_that_begins_to_persist_is_given_no_key_until_it_stops(
    option: str, nodes: tuple[Chat, Chat], valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = nodes
    old, (ann,) = await gather_in(first, "night train", "Ann")
    (name, value), _ = OPTIONS[option]
    await valkey.call("CONFIG", "SET", name, value)
    for node in nodes:
        await node._look_at_store()
        assert node.is_bus_unsafe
        assert b"anonchat_bus_persists 1.0" in node.metrics.write()
    assert f"no key is stored in Valkey any more: it writes what it holds to disk: {name}" in (
        caplog.text
    )
    assert await _ask_ready(first) == (503, "unsafe: bus writes to disk")

    room = await first.rooms.create("day train", visitor_id=ann.id)
    await say(first, room, ann, "still heard")
    await until(lambda: second._keys.get(room_key(room.id)) is not None)
    assert await read(second, room, ann) == ["still heard"]
    assert room_key(room.id) not in await _stored(first)
    await second._keys.join()  # whoever was cut off destroys nothing for want of it in the store
    assert second._keys.get(room_key(room.id)) is not None

    await valkey.call("CONFIG", "SET", name, "" if option == "save" else "no")
    for node in reversed(nodes):  # the one that has heard of the key stores it, too
        await node._look_at_store()
        while not {room_key(room.id), room_key(old.id)} <= await _stored(node):
            await node._look_at_store()
    assert await _ask_ready(first) == (200, "ready")
    await second._keys.join()
    assert await read(second, room, ann) == ["still heard"]


async def _stored(node: Chat) -> set[str]:
    assert isinstance(node._keys, SharedKeys)
    return set(await node._keys._read_all())


async def _ask_ready(chat: Chat) -> tuple[int, str]:
    web = FastAPI()
    web.include_router(health_routes(chat))
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.localhost") as http:
        answer = await http.get("/readyz")
    return answer.status_code, answer.text


async def test_store_that_was_started_again_with_other_options_is_given_no_key(
    nodes: tuple[Chat, Chat], server: Redis
) -> None:
    first, second = nodes
    ann = await come_in(first, "Ann")
    await until(lambda: second._keys.get(f"visitor {ann.id}") is not None)
    server.kill()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    server.start("--save", "3600 1")
    await until(lambda: first.is_bus_unsafe and second.is_bus_unsafe)
    await until(lambda: first.bus.is_up and second.bus.is_up)
    assert await _stored(first) == set()


async def test_store_that_persists_is_logged_once_a_minute(
    server: Redis, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    watch = PersistenceWatch(valkey, elapsed=lambda: now)
    await watch.require_none()
    await valkey.call("CONFIG", "SET", "save", "3600 1")
    for second in range(0, 130, 5):
        now = float(second)
        await watch.look()
    errors = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 3
    server.kill()
    await watch.look()
    assert watch.is_unsafe, "who does not answer is taken to be as before"


async def test_snapshot_by_hand_is_noticed_once(
    valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    watch = PersistenceWatch(valkey)
    await watch.require_none()
    started = await valkey.call("LASTSAVE")
    while await valkey.call("LASTSAVE") == started:
        await valkey.call("SAVE")  # its time is told in whole seconds
    for _ in range(2):
        await watch.look()
    assert watch.snapshots == 1
    assert not watch.is_unsafe
    assert caplog.text.count("has written a snapshot") == 1

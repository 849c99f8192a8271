"""A Valkey or Redis that persists data to disk is refused at startup and detected at runtime."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from anonchat import Chat, StartupError
from anonchat.api import health_routes
from anonchat.bus.client import Valkey
from anonchat.bus.persistence import PersistenceMonitor
from anonchat.cli.preflight import run_checks
from anonchat.security.key_names import room_key_name
from anonchat.security.replicated_keystore import ReplicatedKeyStore
from tests.fakes import (
    FakeClock,
    create_room_with_members,
    make_settings,
    post_messages,
    read,
    running_chat,
    sign_in,
)
from tests.pages.tab import wait_until
from tests.servers.postgres import PostgresPool
from tools.servers.redis import Redis

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
    postgres: PostgresPool, server: Redis, tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Chat, Chat]]:
    """Return two nodes with the same database and the same Valkey."""
    shared = {"database_url": postgres.take(), "bus_url": server.url, "secret_key": SECRET}
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                running_chat(tmp_path / name, clock, node_id=name, **shared)
            )
            for name in ("n1", "n2")
        ]
        yield first, second
    postgres.release_all()


@asynccontextmanager
async def _replica(primary: Redis) -> AsyncIterator[Redis]:
    """Yield a connected replica of `primary`."""
    async with Redis(primary.folder / "replica") as replica:
        client, primary_client = Valkey(replica.url), Valkey(primary.url)
        try:
            await client.call("REPLICAOF", "127.0.0.1", primary.port)
            while not (await primary_client.call("INFO", "replication"))["connected_slaves"]:
                pass
            yield replica
        finally:
            await client.close()
            await primary_client.close()


async def _persistence_error(tmp_path: Path, clock: FakeClock, url: str) -> str:
    """Return the startup error, which the preflight check must report too."""
    settings = make_settings(
        tmp_path / "n1", bus_url=url, secret_key=SECRET, database_url="postgresql://127.0.0.1:1/x"
    )
    chat = Chat(settings, clock=clock)
    with pytest.raises(StartupError) as caught:
        await chat.start()
    await chat.stop()
    assert "\n" not in str(caught.value)
    (bus,) = [each async for each in run_checks(settings) if each.part == "bus"]
    assert not bus.well
    assert bus.says in str(caught.value) or "forbids" in bus.says
    return str(caught.value)


@pytest.mark.parametrize("option", OPTIONS)
async def test_startup_is_refused_if_valkey_persists(
    option: str, server: Redis, valkey: Valkey, tmp_path: Path, clock: FakeClock
) -> None:
    setting, expected = OPTIONS[option]
    await valkey.call("CONFIG", "SET", *setting)
    reason = await _persistence_error(tmp_path, clock, server.url)
    assert reason.startswith("ANONCHAT_BUS_URL: Valkey persists its data to disk: ")
    assert expected in reason
    await valkey.call("CONFIG", "SET", setting[0], "" if option == "save" else "no")
    assert "ANONCHAT_DATABASE_URL" in await _startup_error(tmp_path, clock, server.url)


async def _startup_error(tmp_path: Path, clock: FakeClock, url: str) -> str:
    settings = make_settings(
        tmp_path / "n2", bus_url=url, secret_key=SECRET, database_url="postgresql://127.0.0.1:1/x"
    )
    chat = Chat(settings, clock=clock)
    with pytest.raises(StartupError) as caught:
        await chat.start()
    await chat.stop()
    return str(caught.value)


async def test_startup_is_refused_if_valkey_has_replicas_or_is_one(
    server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    async with _replica(server) as replica:
        assert "its replicas may persist it: 1 are" in await _persistence_error(
            tmp_path, clock, server.url
        )
        client = Valkey(replica.url)
        assert "it is a replica, and its primary" in str(await client.read_persistence())
        await client.close()


async def test_startup_without_the_config_command_uses_info_and_warns(
    server: Redis,
    valkey: Valkey,
    tmp_path: Path,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await valkey.call("ACL", "SETUSER", "app", "on", ">word", "~*", "&*", "+@all", "-config")
    url = server.url.replace("127.0.0.1", "app:word@127.0.0.1")
    assert "ANONCHAT_DATABASE_URL" in await _startup_error(tmp_path, clock, url)
    assert "Valkey forbids CONFIG GET" in caplog.text
    await valkey.call("CONFIG", "SET", "appendonly", "yes")
    assert "appendonly is yes" in await _persistence_error(tmp_path, clock, url)
    await valkey.call("CONFIG", "SET", "appendonly", "no")
    await valkey.call("SAVE")
    assert "it has written snapshots" in await _persistence_error(tmp_path, clock, url)


async def test_startup_is_refused_if_config_and_info_are_forbidden(
    server: Redis, valkey: Valkey, tmp_path: Path, clock: FakeClock
) -> None:
    await valkey.call(
        "ACL", "SETUSER", "app", "on", ">word", "~*", "&*", "+@all", "-config", "-info"
    )
    url = server.url.replace("127.0.0.1", "app:word@127.0.0.1")
    assert "whether it writes to disk is unknown" in await _persistence_error(tmp_path, clock, url)


@pytest.mark.parametrize("option", OPTIONS)
async def test_keys_are_withheld_from_valkey_while_it_persists(
    option: str, nodes: tuple[Chat, Chat], valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = nodes
    old_room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    (name, value), _ = OPTIONS[option]
    await valkey.call("CONFIG", "SET", name, value)
    for node in nodes:
        await node._check_valkey()
        assert node.health.is_bus_unsafe
        assert b"anonchat_bus_persists 1.0" in node.metrics.render()
    assert f"keys withheld from Valkey: Valkey persists its data to disk: {name}" in (caplog.text)
    assert await _get_readyz(first) == (503, "unsafe: bus writes to disk")

    room = await first.rooms.create("day train", visitor_id=ann.id)
    await post_messages(first, room, ann, "still heard")
    await wait_until(lambda: second._keys.get(room_key_name(room.id)) is not None)
    assert await read(second, room, ann) == ["still heard"]
    assert room_key_name(room.id) not in await _stored_key_names(first)
    await second._keys.sync()  # a key that is missing in Valkey is not destroyed
    assert second._keys.get(room_key_name(room.id)) is not None

    await valkey.call("CONFIG", "SET", name, "" if option == "save" else "no")
    for node in reversed(nodes):  # the node that received the key stores it too
        await node._check_valkey()
        while not {room_key_name(room.id), room_key_name(old_room.id)} <= await _stored_key_names(
            node
        ):
            await node._check_valkey()
    assert await _get_readyz(first) == (200, "ready")
    await second._keys.sync()
    assert await read(second, room, ann) == ["still heard"]


async def _stored_key_names(node: Chat) -> set[str]:
    assert isinstance(node._keys, ReplicatedKeyStore)
    return set(await node._keys._copies.read_all())


async def _get_readyz(chat: Chat) -> tuple[int, str]:
    web = FastAPI()
    web.include_router(health_routes(chat))
    transport = httpx.ASGITransport(app=web)
    async with httpx.AsyncClient(transport=transport, base_url="http://chat.localhost") as http:
        response = await http.get("/readyz")
    return response.status_code, response.text


async def test_keys_are_withheld_after_valkey_restarts_with_persistence(
    nodes: tuple[Chat, Chat], server: Redis
) -> None:
    first, second = nodes
    ann = await sign_in(first, "Ann")
    await wait_until(lambda: second._keys.get(f"visitor {ann.id}") is not None)
    server.kill()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    server.options += ("--save", "3600 1")
    await server.start()
    await wait_until(lambda: first.health.is_bus_unsafe and second.health.is_bus_unsafe)
    await wait_until(lambda: first.bus.is_up and second.bus.is_up)
    assert await _stored_key_names(first) == set()


async def test_persistence_is_logged_once_a_minute(
    server: Redis, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    monitor = PersistenceMonitor(valkey, elapsed=lambda: now)
    await monitor.require_disabled()
    await valkey.call("CONFIG", "SET", "save", "3600 1")
    for second in range(0, 130, 5):
        now = float(second)
        await monitor.check()
    errors = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 3
    server.kill()
    await monitor.check()
    assert monitor.is_unsafe, "without an answer the last state is kept"


async def test_manual_snapshot_is_counted_and_logged_once(
    valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = PersistenceMonitor(valkey)
    await monitor.require_disabled()
    started = await valkey.call("LASTSAVE")
    while await valkey.call("LASTSAVE") == started:
        await valkey.call("SAVE")  # LASTSAVE is in whole seconds
    for _ in range(2):
        await monitor.check()
    assert monitor.snapshots == 1
    assert not monitor.is_unsafe
    assert caplog.text.count("has written a snapshot") == 1

"""Nodes agree on one group key that is never stored, whichever nodes start, stop or are away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from anonchat import Chat, EventsLost, MessagePosted, StartupError
from anonchat.bus import GroupKey, GroupKeyAgreement, ValkeyBus
from anonchat.bus.client import Valkey
from anonchat.crypto import derive_key
from anonchat.events import VisitorForgotten
from anonchat.security.replicated_keystore import ReplicatedKeyStore
from tests.fakes import (
    EventRecorder,
    FakeClock,
    crash,
    create_room_with_members,
    make_settings,
    post_messages,
    read,
    running_chat,
)
from tests.pages.tab import wait_until
from tests.servers.postgres import PostgresPool
from tools.servers.redis import Redis

SECRET = "shared by all nodes"
GROUP_KEY_ID = "anonchat:group key id"


@pytest.fixture
def shared(postgres: PostgresPool, server: Redis) -> Iterator[dict[str, object]]:
    """Return the settings that all nodes share."""
    yield {"database_url": postgres.take(), "bus_url": server.url, "secret_key": SECRET}
    postgres.release_all()


@pytest.fixture
async def nodes(
    shared: dict[str, object], tmp_path: Path, clock: FakeClock
) -> AsyncIterator[tuple[Chat, Chat]]:
    """Return two nodes of one site."""
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                running_chat(tmp_path / name, clock, node_id=name, **shared)
            )
            for name in ("n1", "n2")
        ]
        yield first, second


def _group(node: Chat) -> GroupKey:
    assert isinstance(node.bus, ValkeyBus)
    assert node.bus.agreement.current
    return node.bus.agreement.current


async def test_nodes_that_start_concurrently_agree_on_group_key_and_hash_key(
    shared: dict[str, object], tmp_path: Path, clock: FakeClock
) -> None:
    names = ("n1", "n2", "n3")
    nodes = [
        Chat(make_settings(tmp_path / name, node_id=name, **shared), clock=clock) for name in names
    ]
    await asyncio.gather(*(node.start() for node in nodes))
    try:
        assert len({_group(node) for node in nodes}) == 1
        assert len({node._keys.hash_key for node in nodes}) == 1
        room, (ann,) = await create_room_with_members(nodes[0], "night train", "Ann")
        await post_messages(nodes[0], room, ann, "hello")
        await wait_until(lambda: nodes[2]._keys.get(f"room {room.id}") is not None)
        assert await read(nodes[2], room, ann) == ["hello"]
    finally:
        for node in nodes:
            await node.stop()


async def test_group_key_is_given_to_new_nodes_until_the_last_node_ends(
    shared: dict[str, object], tmp_path: Path, clock: FakeClock
) -> None:
    first = Chat(make_settings(tmp_path / "n1", node_id="n1", **shared), clock=clock)
    await first.start()
    old = _group(first)
    async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as second:
        assert _group(second) == old
        room, (ann,) = await create_room_with_members(first, "night train", "Ann")
        await post_messages(first, room, ann, "hello")
        await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    await crash(first)
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as again:
        assert _group(again) != old
        assert await read(again, room, ann) == ["hello"]
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert _group(other) == _group(again)
            assert await read(other, room, ann) == ["hello"]


async def test_group_key_survives_valkey_data_loss(nodes: tuple[Chat, Chat], server: Redis) -> None:
    first, second = nodes
    before = _group(first)
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await second.bus.subscribe_room(room.id)
    await server.clear()
    await post_messages(first, room, ann, "one")
    server.kill()
    await wait_until(lambda: not first.bus.is_up and not second.bus.is_up)
    await server.start()
    await wait_until(lambda: first.bus.is_up and second.bus.is_up)
    assert _group(first) == _group(second) == before
    recorder = EventRecorder(second)
    await wait_until(lambda: second.bus.room_epoch(room.id) is not None)
    await post_messages(first, room, ann, "two")
    await wait_until(lambda: bool(recorder.of_type(MessagePosted)))
    assert await read(second, room, ann) == ["one", "two"]


async def test_nodes_with_different_group_keys_agree_again_and_catch_up(
    nodes: tuple[Chat, Chat], valkey: Valkey
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    assert isinstance(second.bus, ValkeyBus)
    other_key = GroupKey("x" * 16, bytes(32))
    second.bus.agreement._group_key = other_key  # as after a network partition
    recorders = EventRecorder(first), EventRecorder(second)
    second.bus.publish_remote(VisitorForgotten("somebody"))
    await wait_until(lambda: bool(recorders[0].of_type(EventsLost)))
    assert not recorders[0].of_type(VisitorForgotten)
    await wait_until(lambda: _group(second) == _group(first) and second.bus.is_up)
    await wait_until(lambda: bool(recorders[1].of_type(EventsLost)))
    assert _group(second) != other_key
    other = await second.rooms.create("day train", visitor_id=ann.id)
    await wait_until(lambda: first._keys.get(f"room {other.id}") is not None)
    assert {f"room {room.id}", f"room {other.id}"} <= set(second._keys.names())


async def test_group_key_is_replaced_if_its_holder_does_not_answer(
    shared: dict[str, object], valkey: Valkey, tmp_path: Path, clock: FakeClock
) -> None:
    agreement = GroupKeyAgreement(SECRET, valkey)
    assert await agreement.renew()  # simulates a hung node with open connections
    async with valkey.open_subscription() as subscription:
        await subscription.send_command("SUBSCRIBE", "anonchat:all")
        await subscription.receive()
        async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
            assert _group(node) != agreement.current
            assert not await agreement.renew()


async def test_group_key_is_accepted_only_in_response_to_own_request(
    valkey: Valkey, server: Redis
) -> None:
    holder, requester, eavesdropper = (GroupKeyAgreement(SECRET, valkey) for _ in range(3))
    outsider = GroupKeyAgreement("another secret", valkey)
    assert await holder.renew()
    packets: list[bytes] = []
    async with valkey.open_subscription() as subscription:
        await subscription.send_command("SUBSCRIBE", "anonchat:group key")
        await subscription.receive()

        async def forward() -> None:
            while True:
                _, _, packet = await subscription.receive()
                packets.append(packet)
                for each in (outsider, holder, requester):
                    await each.handle_packet(packet)

        forwarding = asyncio.create_task(forward())
        await requester.agree(_count_one)
        forwarding.cancel()
        await asyncio.wait([forwarding])
    assert requester.current == holder.current
    assert outsider.current is None
    assert len(packets) >= 2, "the request and the answer are published"
    for packet in (*packets, b"", b"x" * 200):
        await eavesdropper.handle_packet(packet)
    assert eavesdropper.current is None


async def _count_one() -> int:
    return 1


async def test_hash_key_of_a_site_is_random_and_persistent(
    shared: dict[str, object], server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        first = node._keys.hash_key
        await create_room_with_members(node, "night train", "Ann")
    assert first != derive_key(SECRET.encode(), purpose="hash")
    await server.clear()
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert node._keys.hash_key == first
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert other._keys.hash_key == first
            assert not await other.identity.is_nickname_available("Ann")


async def test_new_node_with_a_database_and_no_other_node_fails_to_start(
    shared: dict[str, object], server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        first = node._keys.hash_key
    await server.clear()
    settings = make_settings(tmp_path / "n2", node_id="n2", **shared)
    for _ in range(2):
        new_node = Chat(settings, clock=clock)
        with pytest.raises(StartupError, match="first start one that has them"):
            await new_node.start()
        await new_node.stop()
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert node._keys.hash_key == first, "the failed starts must not have changed it"
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert other._keys.hash_key == first


async def test_new_node_waits_for_the_keys_of_a_paused_node(
    shared: dict[str, object],
    valkey: Valkey,
    tmp_path: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert isinstance(node.bus, ValkeyBus)
        await create_room_with_members(node, "night train", "Ann")
        agreement = node.bus.agreement
        renew, is_paused, is_resumed = agreement.renew, asyncio.Event(), asyncio.Event()

        async def renew_late() -> bool:
            is_paused.set()
            await is_resumed.wait()
            return await renew()

        monkeypatch.setattr(agreement, "renew", renew_late)
        await is_paused.wait()
        await valkey.call("DEL", GROUP_KEY_ID)  # simulates its expiry
        other = Chat(make_settings(tmp_path / "n2", node_id="n2", **shared), clock=clock)
        starting = asyncio.create_task(other.start())
        try:
            while await valkey.call("GET", GROUP_KEY_ID) is None:
                pass
            is_resumed.set()
            await starting
            assert other._keys.hash_key == node._keys.hash_key
            assert not await other.identity.is_nickname_available("Ann")
        finally:
            await other.stop()


async def test_hash_key_of_an_older_site_is_kept_and_given_to_new_nodes(
    shared: dict[str, object], tmp_path: Path, clock: FakeClock
) -> None:
    derived = derive_key(SECRET.encode(), purpose="hash")
    node = Chat(make_settings(tmp_path / "n1", node_id="n1", **shared), clock=clock)
    node._keys.open()
    node._keys._file.write_hash_key(derived)  # as earlier versions created it
    node._keys.close()
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert node._keys.hash_key == derived
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert other._keys.hash_key == derived


async def test_events_lost_is_published_when_the_key_of_a_message_arrives_late(
    nodes: tuple[Chat, Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    await second.bus.subscribe_room(room.id)
    assert await read(second, room, ann) == []
    assert isinstance(first._keys, ReplicatedKeyStore)
    recorder = EventRecorder(second)

    async def push_nothing(_names: object) -> None:
        """Share no key."""

    with monkeypatch.context() as patch:
        patch.setattr(first._keys._publisher, "push", push_nothing)
        await post_messages(first, room, ann, "before its key")
        first.bus.publish_remote(VisitorForgotten("the last word"))
        await wait_until(lambda: bool(recorder.of_type(VisitorForgotten)))
    assert recorder.of_type(MessagePosted) == []
    await first._keys.reconcile()
    await wait_until(lambda: bool(recorder.of_type(EventsLost)))
    assert await read(second, room, ann) == ["before its key"]

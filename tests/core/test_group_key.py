"""Nodes agree on one key that is nowhere written down, whoever starts, ends or is away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from anonchat import Chat, MessagePosted, NewsMissed, StartError
from anonchat.bus import GroupKey, GroupKeyAgreement, ValkeyBus
from anonchat.events import VisitorForgotten
from anonchat.seal import derive_key
from anonchat.sharedkeys import SharedKeys
from anonchat.valkey import Valkey
from tests.fakes import Ear, FakeClock, crash, gather_in, make_settings, read, running_chat, say
from tests.pages.tab import until
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

SECRET = "shared by all nodes"
PLACE = "anonchat:group key id"


@pytest.fixture
def shared(postgres: Postgres, server: Redis) -> Iterator[dict[str, object]]:
    """Return the settings that all nodes share."""
    yield {"database_url": postgres.take(), "bus_url": server.url, "secret_key": SECRET}
    postgres.give_all_back()


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


async def test_nodes_that_start_at_once_agree_on_one_group_key_and_one_hash_key(
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
        room, (ann,) = await gather_in(nodes[0], "night train", "Ann")
        await say(nodes[0], room, ann, "hello")
        await until(lambda: nodes[2]._keys.get(f"room {room.id}") is not None)
        assert await read(nodes[2], room, ann) == ["hello"]
    finally:
        for node in nodes:
            await node.stop()


async def test_group_key_is_given_to_who_joins_and_ends_with_the_last_node(
    shared: dict[str, object], tmp_path: Path, clock: FakeClock
) -> None:
    first = Chat(make_settings(tmp_path / "n1", node_id="n1", **shared), clock=clock)
    await first.start()
    old = _group(first)
    async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as second:
        assert _group(second) == old
        room, (ann,) = await gather_in(first, "night train", "Ann")
        await say(first, room, ann, "hello")
        await until(lambda: second._keys.get(f"room {room.id}") is not None)
    await crash(first)
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as again:
        assert _group(again) != old
        assert await read(again, room, ann) == ["hello"]
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert _group(other) == _group(again)
            assert await read(other, room, ann) == ["hello"]


async def test_group_key_outlives_a_valkey_that_forgets_everything(
    nodes: tuple[Chat, Chat], server: Redis
) -> None:
    first, second = nodes
    before = _group(first)
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await second.bus.attend(room.id)
    server.forget()
    await say(first, room, ann, "one")
    server.kill()
    await until(lambda: not first.bus.is_up and not second.bus.is_up)
    server.start()
    await until(lambda: first.bus.is_up and second.bus.is_up)
    assert _group(first) == _group(second) == before
    ear = Ear(second)
    await until(lambda: second.bus.hearing(room.id) is not None)
    await say(first, room, ann, "two")
    await until(lambda: bool(ear.all(MessagePosted)))
    assert await read(second, room, ann) == ["one", "two"]


async def test_nodes_that_have_come_apart_agree_again_and_look_up_what_they_missed(
    nodes: tuple[Chat, Chat], valkey: Valkey
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    assert isinstance(second.bus, ValkeyBus)
    apart = GroupKey("x" * 16, bytes(32))
    second.bus.agreement._held = apart  # as after a time in which each heard others
    ears = Ear(first), Ear(second)
    second.bus.send(VisitorForgotten("somebody"))
    await until(lambda: bool(ears[0].all(NewsMissed)))
    assert not ears[0].all(VisitorForgotten)
    await until(lambda: _group(second) == _group(first) and second.bus.is_up)
    await until(lambda: bool(ears[1].all(NewsMissed)))
    assert _group(second) != apart
    other = await second.rooms.create("day train", visitor_id=ann.id)
    await until(lambda: first._keys.get(f"room {other.id}") is not None)
    assert {f"room {room.id}", f"room {other.id}"} <= set(second._keys.names())


async def test_node_whose_group_key_nobody_gives_waits_until_its_holders_are_gone(
    shared: dict[str, object], valkey: Valkey, tmp_path: Path, clock: FakeClock
) -> None:
    agreement = GroupKeyAgreement(SECRET, valkey)
    assert await agreement.renew()  # of a node that stands still from now on, with its lines open
    async with valkey.listening() as line:
        await line.ask("SUBSCRIBE", "anonchat:all")
        await line.hear()
        async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
            assert _group(node) != agreement.current
            assert not await agreement.renew()


async def test_answer_to_another_question_is_no_group_key(valkey: Valkey, server: Redis) -> None:
    holder, asker, thief = (GroupKeyAgreement(SECRET, valkey) for _ in range(3))
    stranger = GroupKeyAgreement("another secret", valkey)
    assert await holder.renew()
    packets: list[bytes] = []
    async with valkey.listening() as line:
        await line.ask("SUBSCRIBE", "anonchat:group key")
        await line.hear()

        async def pass_on() -> None:
            while True:
                _, _, packet = await line.hear()
                packets.append(packet)
                for each in (stranger, holder, asker):
                    await each.take_in(packet)

        passing = asyncio.create_task(pass_on())
        await asker.agree(_count_one)
        passing.cancel()
        await asyncio.wait([passing])
    assert asker.current == holder.current
    assert stranger.current is None
    assert len(packets) >= 2, "nobody answers those who have another secret, or holds nothing"
    for packet in (*packets, b"", b"x" * 200):
        await thief.take_in(packet)
    assert thief.current is None


async def _count_one() -> int:
    return 1


async def test_hash_key_of_a_site_is_random_and_stays(
    shared: dict[str, object], server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        first = node._keys.hash_key
        await gather_in(node, "night train", "Ann")
    assert first != derive_key(SECRET.encode(), purpose="hash")
    server.forget()
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert node._keys.hash_key == first
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert other._keys.hash_key == first
            assert not await other.identity.is_free("Ann")


async def test_new_node_that_finds_a_database_and_no_other_node_spoils_nothing(
    shared: dict[str, object], server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        first = node._keys.hash_key
    server.forget()
    fresh = make_settings(tmp_path / "n2", node_id="n2", **shared)
    for _ in range(2):
        stranger = Chat(fresh, clock=clock)
        with pytest.raises(StartError, match="start a node that has them first"):
            await stranger.start()
        await stranger.stop()
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert node._keys.hash_key == first, "though nobody had any keys yet"
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert other._keys.hash_key == first


async def test_new_node_waits_for_keys_of_one_that_stood_still(
    shared: dict[str, object],
    valkey: Valkey,
    tmp_path: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert isinstance(node.bus, ValkeyBus)
        await gather_in(node, "night train", "Ann")
        agreement = node.bus.agreement
        renew, is_still, is_moving = agreement.renew, asyncio.Event(), asyncio.Event()

        async def stand_still() -> bool:
            is_still.set()
            await is_moving.wait()
            return await renew()

        monkeypatch.setattr(agreement, "renew", stand_still)
        await is_still.wait()
        await valkey.call("DEL", PLACE)  # as when it expires
        other = Chat(make_settings(tmp_path / "n2", node_id="n2", **shared), clock=clock)
        starting = asyncio.create_task(other.start())
        try:
            while await valkey.call("GET", PLACE) is None:
                pass
            is_moving.set()
            await starting
            assert other._keys.hash_key == node._keys.hash_key
            assert not await other.identity.is_free("Ann")
        finally:
            await other.stop()


async def test_hash_key_of_an_older_site_stays_and_is_that_of_new_nodes(
    shared: dict[str, object], tmp_path: Path, clock: FakeClock
) -> None:
    derived = derive_key(SECRET.encode(), purpose="hash")
    node = Chat(make_settings(tmp_path / "n1", node_id="n1", **shared), clock=clock)
    node._keys.open()
    node._keys._put_head(derived)  # as it was made until now
    node._keys.close()
    async with running_chat(tmp_path / "n1", clock, node_id="n1", **shared) as node:
        assert node._keys.hash_key == derived
        async with running_chat(tmp_path / "n2", clock, node_id="n2", **shared) as other:
            assert other._keys.hash_key == derived


async def test_message_that_is_heard_before_its_key_is_news_once_the_key_comes(
    nodes: tuple[Chat, Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = nodes
    room, (ann,) = await gather_in(first, "night train", "Ann")
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    await second.bus.attend(room.id)
    assert await read(second, room, ann) == []
    assert isinstance(first._keys, SharedKeys)
    ear = Ear(second)

    async def keep_to_oneself(_names: object) -> None:
        """Share nothing yet."""

    with monkeypatch.context() as trouble:
        trouble.setattr(first._keys, "_push", keep_to_oneself)
        await say(first, room, ann, "before its key")
        first.bus.send(VisitorForgotten("the last word"))
        await until(lambda: bool(ear.all(VisitorForgotten)))
    assert ear.all(MessagePosted) == []
    await first._keys.mend()
    await until(lambda: bool(ear.all(NewsMissed)))
    assert await read(second, room, ann) == ["before its key"]

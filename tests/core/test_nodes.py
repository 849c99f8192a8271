"""Several nodes on one database: no lost updates, duplicates or gaps in the numbering."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue

from anonchat import (
    Banned,
    Chat,
    ChatError,
    EventsLost,
    LimitReached,
    Message,
    MessagePosted,
    Muted,
    NicknameTaken,
    NotFound,
    Room,
    RoomNameTaken,
    Unavailable,
    Visitor,
)
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    execute,
    post_messages,
    read,
    running_chat,
    sign_in,
)
from tests.servers.postgres import PostgresPool

_NODES = 3


@pytest.fixture
async def nodes(
    postgres: PostgresPool, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Chat]]:
    """Return nodes that share their keys and receive no events from each other."""
    url = postgres.take()
    async with running_chat(
        tmp_path / "data", clock, database_url=url, members_per_room_max=5
    ) as first:
        monkeypatch.setattr("anonchat.chat.LocalKeyStore", lambda *_: first._keys)
        nodes = [first, *(Chat(first.settings, clock=clock) for _ in range(1, _NODES))]
        yield nodes
        for node in nodes[1:]:
            await node.messages.flush()
            await node._database.close()
    postgres.release_all()


async def test_posts_of_all_nodes_are_numbered_without_gaps_or_duplicates(
    nodes: list[Chat], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "anonchat")
    rooms = [
        await create_room_with_members(nodes[0], name, f"Ann {name}", f"Bob {name}")
        for name in "abc"
    ]
    messages = await asyncio.gather(
        *(
            node.messages.post(room.id, visitor_id=visitor.id, text=str(number))
            for number in range(60)
            for room, visitors in random.sample(rooms, len(rooms))
            for node, visitor in zip(nodes, visitors, strict=False)
        )
    )
    for room, (ann, _) in rooms:
        seqs = sorted(message.seq for message in messages if message.room_id == room.id)
        assert seqs == list(range(1, 121))
        assert (await nodes[1].rooms.find(room.slug)).last_seq == 120
        assert len(await read(nodes[1], room, ann)) == 120
    assert caplog.messages == [], "nodes must wait for each other instead of conflicting"


async def test_posts_on_all_nodes_with_one_dedup_id_create_one_message(
    nodes: list[Chat],
) -> None:
    room, (ann,) = await create_room_with_members(nodes[0], "night train", "Ann")
    for number in range(20):
        messages: list[Message] = await asyncio.gather(
            *(
                node.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id=f"d{number}")
                for node in nodes
            )
        )
        assert {message.seq for message in messages} == {number + 1}
        assert len({message.id for message in messages}) == 1


async def test_mutes_bans_and_roles_hold_on_all_nodes_before_events_arrive(
    nodes: list[Chat],
) -> None:
    here, there = nodes[:2]
    room, (ann, bob, cid) = await create_room_with_members(here, "night train", "Ann", "Bob", "Cid")
    authors = [
        (await here.memberships.require(room.id, visitor_id=each.id)).author for each in (bob, cid)
    ]
    await there.memberships.list_all(room.id)
    await post_messages(there, room, cid, "before")
    await here.moderation.set_role(room.id, authors[0], "helper", visitor_id=ann.id)
    await there.moderation.mute(room.id, authors[1], None, visitor_id=bob.id)
    for node in nodes:
        with pytest.raises(Muted):
            await post_messages(node, room, cid, "now")
    await there.moderation.ban(room.id, authors[1], visitor_id=bob.id)
    for node in nodes:
        with pytest.raises(Banned):
            await node.memberships.join(room.id, visitor_id=cid.id)
    await here.memberships.leave(room.id, visitor_id=ann.id)
    assert (await nodes[2].rooms.find(room.slug)).owner == authors[0]


async def test_events_received_in_reverse_order_hide_no_message(
    nodes: list[Chat],
) -> None:
    here, there = nodes[:2]
    room, (ann,) = await create_room_with_members(here, "night train", "Ann")
    recorder = EventRecorder(there)
    await post_messages(here, room, ann, "one")
    assert await read(here, room, ann) == ["one"]
    await post_messages(there, room, ann, "two", "three")
    for posted in reversed(recorder.of_type(MessagePosted)):
        await here.bus.publish_local(posted)
        assert await read(here, room, ann) == ["one", "two", "three"]


async def test_missed_changes_are_read_from_the_database(nodes: list[Chat]) -> None:
    here, there = nodes[:2]
    room, (ann,) = await create_room_with_members(here, "night train", "Ann")
    bob = await sign_in(here, "Bob")
    assert await read(here, room, ann) == []
    assert not await here.memberships.get(room.id, visitor_id=bob.id)
    await post_messages(there, room, ann, "hello")
    await there.memberships.join(room.id, visitor_id=bob.id)
    await here.bus.publish_local(EventsLost())
    assert await read(here, room, ann) == ["hello"]
    assert await here.memberships.get(room.id, visitor_id=bob.id)


async def test_missed_changes_are_read_once_the_database_is_back(
    nodes: list[Chat], postgres: PostgresPool
) -> None:
    here, there = nodes[:2]
    ann = await sign_in(here, "Ann")
    room = await there.rooms.create("night train", visitor_id=ann.id)
    await postgres.stop(signal.SIGQUIT)
    try:
        await here.bus.publish_local(EventsLost())
    finally:
        await postgres.start()
    assert here.room_directory.summary(room.id) is None
    await here.room_directory.tick()
    assert here.room_directory.summary(room.id)


async def test_of_concurrent_sign_ins_with_one_nickname_one_succeeds(nodes: list[Chat]) -> None:
    for number in range(10):
        names = (f"Ann {number}", f"ann {number}", f"ANN {number}")
        outcomes = await _settle(
            *(node.identity.sign_in(name) for node, name in zip(nodes, names, strict=True))
        )
        assert (_count(outcomes, tuple), _count(outcomes, NicknameTaken)) == (1, _NODES - 1)
    keys = {name for name in nodes[0]._keys.names() if name.startswith("visitor ")}
    assert len(keys) == 10, "a refused sign-in must leave no key"


async def test_concurrent_sign_ins_with_one_phrase_return_the_same_visitor(
    nodes: list[Chat],
) -> None:
    outcomes = await asyncio.gather(
        *(node.identity.sign_in("Ann", phrase="correct horse") for node in nodes)
    )
    assert len({visitor.id for visitor, _ in outcomes}) == 1
    for _, token in outcomes:
        assert await nodes[0].identity.authenticate(token)


async def test_room_name_is_created_by_one_node_and_opened_by_all(
    nodes: list[Chat],
) -> None:
    ann = await sign_in(nodes[0], "Ann")
    for number in range(10):
        outcomes = await _settle(
            *(node.rooms.create(f"room {number}", visitor_id=ann.id) for node in nodes)
        )
        assert (_count(outcomes, Room), _count(outcomes, RoomNameTaken)) == (1, _NODES - 1)
    for number in range(10):
        rooms = [node.rooms.open(f"hall {number}", visitor_id=ann.id) for node in nodes]
        assert len({room.id for room in await asyncio.gather(*rooms)}) == 1
    keys = {name for name in nodes[0]._keys.names() if name.startswith("room ")}
    assert len(keys) == 20


async def test_name_is_given_to_one_of_the_rooms_that_all_nodes_rename(
    nodes: list[Chat],
) -> None:
    rooms = [
        await create_room_with_members(nodes[0], f"room {number}", f"Ann {number}")
        for number in range(_NODES)
    ]
    for number in range(10):
        outcomes = await _settle(
            *(
                node.room_editor.update(room.id, visitor_id=ann.id, name=f"hall {number}")
                for node, (room, (ann,)) in zip(nodes, rooms, strict=True)
            )
        )
        assert (_count(outcomes, Room), _count(outcomes, RoomNameTaken)) == (1, _NODES - 1)
    keys = {name for name in nodes[0]._keys.names() if name.startswith("texts ")}
    assert len(keys) == _NODES, "a refused change must leave no key"


async def test_changes_and_posts_on_all_nodes_do_not_undo_each_other(nodes: list[Chat]) -> None:
    room, (ann,) = await create_room_with_members(nodes[0], "night train", "Ann")
    for number in range(10):
        await asyncio.gather(
            nodes[0].room_editor.update(room.id, visitor_id=ann.id, name=f"train {number}"),
            nodes[1].room_editor.update(room.id, visitor_id=ann.id, topic=f"topic {number}"),
            *(node.messages.post(room.id, visitor_id=ann.id, text="hello") for node in nodes),
        )
        found = await nodes[2].rooms.find(room.slug)
        assert (found.name, found.topic) == (f"train {number}", f"topic {number}")
    assert (found.revision, found.last_seq) == (20, 30)


async def test_changes_of_a_room_state_on_all_nodes_do_not_undo_each_other(
    nodes: list[Chat],
) -> None:
    def count(state: dict[str, JsonValue]) -> None:
        votes = state.get("votes", 0)
        assert isinstance(votes, int)
        state["votes"] = votes + 1

    for number in range(5):
        room, _ = await create_room_with_members(nodes[0], f"room {number}", f"Ann {number}")
        await asyncio.gather(
            *(node.room_states.change(room.id, "poll", count) for node in nodes for _ in range(5))
        )
        for node in nodes:
            await node.bus.publish_local(EventsLost())
            assert await node.room_states.read(room.id, "poll") == {"votes": 5 * _NODES}


async def test_each_time_of_a_job_is_claimed_by_one_node(
    nodes: list[Chat], clock: FakeClock
) -> None:
    for number in range(10):
        slot = clock() + number * timedelta(minutes=1)
        claims = await asyncio.gather(*(node.job_runs.claim("remind", slot) for node in nodes))
        assert sum(claims) == 1


async def test_concurrent_joins_on_all_nodes_respect_the_member_limit(nodes: list[Chat]) -> None:
    room, _ = await create_room_with_members(nodes[0], "night train", "Ann")
    others = [await sign_in(nodes[0], f"Bob {number}") for number in range(9)]
    outcomes = await _settle(
        *(
            nodes[number % _NODES].memberships.join(room.id, visitor_id=other.id)
            for number, other in enumerate(others)
        )
    )
    assert _count(outcomes, LimitReached) == 5
    assert await nodes[0].memberships.count(room.id) == 5


async def test_concurrent_joins_by_one_visitor_create_one_membership(nodes: list[Chat]) -> None:
    room, _ = await create_room_with_members(nodes[0], "night train", "Ann")
    bob = await sign_in(nodes[0], "Bob")
    await asyncio.gather(*(node.memberships.join(room.id, visitor_id=bob.id) for node in nodes))
    assert await nodes[0].memberships.count(room.id) == 2


async def test_member_is_recognised_on_other_nodes_before_the_event_arrives(
    nodes: list[Chat],
) -> None:
    first, second = nodes[:2]
    room, (ann,) = await create_room_with_members(first, "night train", "Ann")
    bob = await sign_in(first, "Bob")
    await second.memberships.list_members(room.id, visitor_id=ann.id)
    await first.memberships.join(room.id, visitor_id=bob.id)
    assert await second.memberships.is_member(room.id, bob.id)
    members = await second.memberships.list_members(room.id, visitor_id=bob.id)
    assert {member.nickname for member in members} == {"Ann", "Bob"}


async def test_concurrent_deletions_of_one_message_are_counted_once(nodes: list[Chat]) -> None:
    room, (ann,) = await create_room_with_members(nodes[0], "night train", "Ann")
    message = await nodes[0].messages.post(room.id, visitor_id=ann.id, text="hello")
    outcomes = await _settle(
        *(node.messages.delete(room.id, visitor_id=ann.id, message_id=message.id) for node in nodes)
    )
    assert _count(outcomes, NotFound) == _NODES - 1
    assert await execute(nodes[0], "SELECT messages FROM purge_stats") == [(1,)]


async def test_concurrent_purges_on_all_nodes_count_everything_once(
    nodes: list[Chat], clock: FakeClock
) -> None:
    room, (ann,) = await create_room_with_members(nodes[0], "night train", "Ann")
    post = nodes[0].messages.post
    await asyncio.gather(
        *(post(room.id, visitor_id=ann.id, text=str(number)) for number in range(1_200))
    )
    clock.advance(timedelta(days=60))
    stats = await asyncio.gather(*(node.expiry.purge() for node in nodes))
    assert sum(each.messages for each in stats) == 1_200
    counts = await execute(nodes[0], "SELECT messages, rooms, visitors FROM purge_stats")
    assert counts == [(1_200, 1, 1)]
    assert await execute(nodes[0], "SELECT count(*) FROM room") == [(0,)]


async def test_forget_interrupted_on_one_node_is_completed_by_another(
    nodes: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann, _) = await create_room_with_members(nodes[0], "night train", "Ann", "Ben")
    await post_messages(nodes[0], room, ann, "remember me")

    def cancel(*_: object, **_named: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr("anonchat.services.identity.delete_messages", cancel)
        with pytest.raises(asyncio.CancelledError):
            await nodes[0].identity.forget(ann.id)
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(1,)]
    await nodes[1].purge()
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(0,)]
    assert await execute(nodes[1], "SELECT count(*) FROM visitor") == [(1,)]
    assert await execute(nodes[1], "SELECT messages, visitors FROM purge_stats") == [(1, 1)]


async def test_burn_interrupted_on_one_node_is_completed_by_another(
    nodes: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(nodes[0], "night train", "Ann")
    await post_messages(nodes[0], room, ann, "remember me")

    def cancel(*_: object, **_named: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr("anonchat.services.room_deletion.delete_messages", cancel)
        with pytest.raises(asyncio.CancelledError):
            await nodes[0].room_deletion.burn(room.id, visitor_id=ann.id)
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(1,)]
    assert (await nodes[1].rooms.create("night train", visitor_id=ann.id)).id != room.id
    await nodes[1].purge()
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(0,)]
    assert await execute(nodes[1], "SELECT messages, rooms FROM purge_stats") == [(1, 1)]


async def test_random_concurrent_actions_raise_only_expected_errors(
    nodes: list[Chat], clock: FakeClock
) -> None:
    rng = random.Random(7)
    rooms = [
        (await create_room_with_members(nodes[0], name, f"Owner {name}"))[0] for name in "abcd"
    ]

    async def use_chat(number: int) -> None:
        node = nodes[number % _NODES]
        visitor = await sign_in(node, f"Visitor {number}")
        for turn in range(25):
            room = rng.choice(rooms)
            try:
                await _do_random_action(node, room, visitor, rng.random(), turn)
            except Unavailable:
                raise
            except ChatError:
                continue
        await node.identity.forget(visitor.id)

    await asyncio.gather(*(use_chat(number) for number in range(12)))
    for room in rooms:
        seqs = [
            seq
            for (seq,) in await execute(
                nodes[0], f"SELECT seq FROM message WHERE room_id = '{room.id}' ORDER BY seq"
            )
        ]
        assert seqs == []
    assert await execute(nodes[0], "SELECT count(*) FROM visitor") == [(4,)]


async def _do_random_action(
    node: Chat, room: Room, visitor: Visitor, roll: float, turn: int
) -> None:
    if roll < 0.5:
        message = await node.messages.post(room.id, visitor_id=visitor.id, text=f"{turn}")
        await node.memberships.mark_read(room.id, visitor_id=visitor.id, seq=message.seq)
        if roll < 0.1:
            await node.messages.delete(room.id, visitor_id=visitor.id, message_id=message.id)
    elif roll < 0.8:
        await node.memberships.join(room.id, visitor_id=visitor.id)
    elif roll < 0.9:
        await node.memberships.leave(room.id, visitor_id=visitor.id)
    elif roll < 0.95:
        await node.memberships.write_read_marks()
    else:
        await node.expiry.purge()


async def _settle(*awaitables: Awaitable[object]) -> list[object]:
    return await asyncio.gather(*awaitables, return_exceptions=True)


def _count(outcomes: list[object], kind: type) -> int:
    return sum(isinstance(outcome, kind) for outcome in outcomes)

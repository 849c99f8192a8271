"""Several nodes on one database: nobody overtakes, nothing is doubled, no number is lost."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import (
    Chat,
    ChatError,
    LimitReached,
    Message,
    MessagePosted,
    NewsMissed,
    NicknameTaken,
    NotFound,
    Room,
    RoomNameTaken,
    Unavailable,
    Visitor,
)
from tests.fakes import Ear, FakeClock, come_in, execute, gather_in, read, running_chat, say
from tests.servers.postgres import Postgres

_NODES = 3


@pytest.fixture
async def nodes(
    postgres: Postgres, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[list[Chat]]:
    """Return some nodes that hold the same keys and hear nothing of each other."""
    url = postgres.take()
    async with running_chat(
        tmp_path / "data", clock, database_url=url, members_per_room_max=5
    ) as first:
        monkeypatch.setattr("anonchat.chat.KeyStore", lambda *_: first._keys)
        nodes = [first, *(Chat(first.settings, clock=clock) for _ in range(1, _NODES))]
        yield nodes
        for node in nodes[1:]:
            await node.messages.finish()
            await node._database.close()
    postgres.give_all_back()


async def test_posts_of_all_nodes_are_numbered_without_gap_or_double(
    nodes: list[Chat], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "anonchat")
    rooms = [await gather_in(nodes[0], name, f"Ann {name}", f"Bob {name}") for name in "abc"]
    said = await asyncio.gather(
        *(
            node.messages.post(room.id, visitor_id=visitor.id, text=str(number))
            for number in range(60)
            for room, visitors in random.sample(rooms, len(rooms))
            for node, visitor in zip(nodes, visitors, strict=False)
        )
    )
    for room, (ann, _) in rooms:
        seqs = sorted(message.seq for message in said if message.room_id == room.id)
        assert seqs == list(range(1, 121))
        assert (await nodes[1].rooms.find(room.slug)).last_seq == 120
        assert len(await read(nodes[1], room, ann)) == 120
    assert caplog.messages == [], "they have to wait for each other, not to get in the way"


async def test_what_is_posted_on_two_nodes_with_one_dedup_id_is_one_message(
    nodes: list[Chat],
) -> None:
    room, (ann,) = await gather_in(nodes[0], "night train", "Ann")
    for number in range(20):
        said: list[Message] = await asyncio.gather(
            *(
                node.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id=f"d{number}")
                for node in nodes
            )
        )
        assert {message.seq for message in said} == {number + 1}
        assert len({message.id for message in said}) == 1


async def test_who_hears_of_a_message_before_the_one_before_it_reads_both(
    nodes: list[Chat],
) -> None:
    here, there = nodes[:2]
    room, (ann,) = await gather_in(here, "night train", "Ann")
    ear = Ear(there)
    await say(here, room, ann, "one")
    assert await read(here, room, ann) == ["one"]
    await say(there, room, ann, "two", "three")
    for posted in reversed(ear.all(MessagePosted)):
        await here.bus.tell(posted)
        assert await read(here, room, ann) == ["one", "two", "three"]


async def test_what_was_missed_is_read_from_the_database(nodes: list[Chat]) -> None:
    here, there = nodes[:2]
    room, (ann,) = await gather_in(here, "night train", "Ann")
    bob = await come_in(here, "Bob")
    assert await read(here, room, ann) == []
    assert not await here.memberships.get(room.id, visitor_id=bob.id)
    await say(there, room, ann, "hello")
    await there.memberships.join(room.id, visitor_id=bob.id)
    await here.bus.tell(NewsMissed())
    assert await read(here, room, ann) == ["hello"]
    assert await here.memberships.get(room.id, visitor_id=bob.id)


async def test_what_was_missed_is_looked_up_once_the_database_is_back(
    nodes: list[Chat], postgres: Postgres
) -> None:
    here, there = nodes[:2]
    ann = await come_in(here, "Ann")
    room = await there.rooms.create("night train", visitor_id=ann.id)
    postgres.stop("immediate")
    try:
        await here.bus.tell(NewsMissed())
    finally:
        postgres.go_on()
    assert here.lobby.glance(room.id) is None
    await here.lobby.turn()
    assert here.lobby.glance(room.id)


async def test_of_those_who_want_one_nickname_one_gets_it(nodes: list[Chat]) -> None:
    for number in range(10):
        names = (f"Ann {number}", f"ann {number}", f"ANN {number}")
        came = await _settle(
            *(node.identity.come_in(name) for node, name in zip(nodes, names, strict=True))
        )
        assert (_count(came, tuple), _count(came, NicknameTaken)) == (1, _NODES - 1)
    kept = {name for name in nodes[0]._keys.names() if name.startswith("visitor ")}
    assert len(kept) == 10, "no key is left of those who were too late"


async def test_with_the_same_phrase_all_come_in_as_the_same_visitor(nodes: list[Chat]) -> None:
    came = await asyncio.gather(
        *(node.identity.come_in("Ann", phrase="correct horse") for node in nodes)
    )
    assert len({visitor.id for visitor, _ in came}) == 1
    for _, token in came:
        assert await nodes[0].identity.recognise(token)


async def test_of_those_who_make_a_room_of_one_name_one_makes_it_and_all_open_it(
    nodes: list[Chat],
) -> None:
    ann = await come_in(nodes[0], "Ann")
    for number in range(10):
        made = await _settle(
            *(node.rooms.create(f"room {number}", visitor_id=ann.id) for node in nodes)
        )
        assert (_count(made, Room), _count(made, RoomNameTaken)) == (1, _NODES - 1)
    for number in range(10):
        rooms = [node.rooms.open(f"hall {number}", visitor_id=ann.id) for node in nodes]
        assert len({room.id for room in await asyncio.gather(*rooms)}) == 1
    kept = {name for name in nodes[0]._keys.names() if name.startswith("room ")}
    assert len(kept) == 20


async def test_a_room_takes_in_as_many_as_it_may_and_no_more(nodes: list[Chat]) -> None:
    room, _ = await gather_in(nodes[0], "night train", "Ann")
    others = [await come_in(nodes[0], f"Bob {number}") for number in range(9)]
    joined = await _settle(
        *(
            nodes[number % _NODES].memberships.join(room.id, visitor_id=other.id)
            for number, other in enumerate(others)
        )
    )
    assert _count(joined, LimitReached) == 5
    assert await nodes[0].memberships.count(room.id) == 5


async def test_who_joins_on_two_nodes_is_in_once(nodes: list[Chat]) -> None:
    room, _ = await gather_in(nodes[0], "night train", "Ann")
    bob = await come_in(nodes[0], "Bob")
    await asyncio.gather(*(node.memberships.join(room.id, visitor_id=bob.id) for node in nodes))
    assert await nodes[0].memberships.count(room.id) == 2


async def test_who_has_joined_on_one_node_is_a_member_on_all_before_they_hear_of_it(
    nodes: list[Chat],
) -> None:
    first, second = nodes[:2]
    room, (ann,) = await gather_in(first, "night train", "Ann")
    bob = await come_in(first, "Bob")
    await second.memberships.list_members(room.id, visitor_id=ann.id)
    await first.memberships.join(room.id, visitor_id=bob.id)
    assert await second.memberships.has(room.id, bob.id)
    members = await second.memberships.list_members(room.id, visitor_id=bob.id)
    assert {member.nickname for member in members} == {"Ann", "Bob"}


async def test_a_message_is_deleted_once_and_counted_once(nodes: list[Chat]) -> None:
    room, (ann,) = await gather_in(nodes[0], "night train", "Ann")
    message = await nodes[0].messages.post(room.id, visitor_id=ann.id, text="hello")
    gone = await _settle(
        *(node.messages.delete(room.id, visitor_id=ann.id, message_id=message.id) for node in nodes)
    )
    assert _count(gone, NotFound) == _NODES - 1
    assert await execute(nodes[0], "SELECT messages FROM ledger") == [(1,)]


async def test_janitors_of_all_nodes_purge_together_and_count_all_once(
    nodes: list[Chat], clock: FakeClock
) -> None:
    room, (ann,) = await gather_in(nodes[0], "night train", "Ann")
    post = nodes[0].messages.post
    await asyncio.gather(
        *(post(room.id, visitor_id=ann.id, text=str(number)) for number in range(1_200))
    )
    clock.move(timedelta(days=60))
    done = await asyncio.gather(*(node.expiry.purge() for node in nodes))
    assert sum(each.messages for each in done) == 1_200
    counts = await execute(nodes[0], "SELECT messages, rooms, visitors FROM ledger")
    assert counts == [(1_200, 1, 1)]
    assert await execute(nodes[0], "SELECT count(*) FROM room") == [(0,)]


async def test_what_a_node_began_to_forget_before_it_died_another_one_forgets(
    nodes: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann, _) = await gather_in(nodes[0], "night train", "Ann", "Ben")
    await say(nodes[0], room, ann, "remember me")

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as trouble:
        trouble.setattr(nodes[0].identity, "_delete_messages", die)
        with pytest.raises(asyncio.CancelledError):
            await nodes[0].identity.forget(ann.id)
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(1,)]
    await nodes[1].purge()
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(0,)]
    assert await execute(nodes[1], "SELECT count(*) FROM visitor") == [(1,)]
    assert await execute(nodes[1], "SELECT messages, visitors FROM ledger") == [(1, 1)]


async def test_a_room_that_a_node_began_to_burn_before_it_died_is_ended_by_another(
    nodes: list[Chat], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await gather_in(nodes[0], "night train", "Ann")
    await say(nodes[0], room, ann, "remember me")

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as trouble:
        trouble.setattr(nodes[0].rooms, "_delete_messages", die)
        with pytest.raises(asyncio.CancelledError):
            await nodes[0].rooms.burn(room.id, visitor_id=ann.id)
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(1,)]
    assert (await nodes[1].rooms.create("night train", visitor_id=ann.id)).id != room.id
    await nodes[1].purge()
    assert await execute(nodes[1], "SELECT count(*) FROM message") == [(0,)]
    assert await execute(nodes[1], "SELECT messages, rooms FROM ledger") == [(1, 1)]


async def test_whatever_is_done_at_once_nothing_fails_in_another_way_than_it_may(
    nodes: list[Chat], clock: FakeClock
) -> None:
    chance = random.Random(7)
    rooms = [(await gather_in(nodes[0], name, f"Owner {name}"))[0] for name in "abcd"]

    async def live(number: int) -> None:
        node = nodes[number % _NODES]
        visitor = await come_in(node, f"Visitor {number}")
        for turn in range(25):
            room = chance.choice(rooms)
            try:
                await _do_something(node, room, visitor, chance.random(), turn)
            except Unavailable:
                raise
            except ChatError:
                continue
        await node.identity.forget(visitor.id)

    await asyncio.gather(*(live(number) for number in range(12)))
    for room in rooms:
        seqs = [
            seq
            for (seq,) in await execute(
                nodes[0], f"SELECT seq FROM message WHERE room_id = '{room.id}' ORDER BY seq"
            )
        ]
        assert seqs == []
    assert await execute(nodes[0], "SELECT count(*) FROM visitor") == [(4,)]


async def _do_something(node: Chat, room: Room, visitor: Visitor, chance: float, turn: int) -> None:
    if chance < 0.5:
        said = await node.messages.post(room.id, visitor_id=visitor.id, text=f"{turn}")
        await node.memberships.mark_read(room.id, visitor_id=visitor.id, seq=said.seq)
        if chance < 0.1:
            await node.messages.delete(room.id, visitor_id=visitor.id, message_id=said.id)
    elif chance < 0.8:
        await node.memberships.join(room.id, visitor_id=visitor.id)
    elif chance < 0.9:
        await node.memberships.leave(room.id, visitor_id=visitor.id)
    elif chance < 0.95:
        await node.memberships.write_read_marks()
    else:
        await node.expiry.purge()


async def _settle(*acts: Awaitable[object]) -> list[object]:
    return await asyncio.gather(*acts, return_exceptions=True)


def _count(outcomes: list[object], kind: type) -> int:
    return sum(isinstance(outcome, kind) for outcome in outcomes)

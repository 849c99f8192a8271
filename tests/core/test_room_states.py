"""Plugins keep a state for each room, on all nodes, until the room ends."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import JsonValue
from sqlalchemy import event as sqlalchemy_event

from anonchat import Chat, LimitReached, NotFound, Room, RoomStateChanged, Unavailable, Visitor
from anonchat.services.room_states import STATE_BYTES_MAX
from anonchat.storage.conflicts import ConnectionLost
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    execute,
    running_chat,
)

pytestmark = pytest.mark.usefixtures("either_place")

State = dict[str, JsonValue]


@pytest.fixture
async def room(chat: Chat) -> Room:
    room, _ = await create_room_with_members(chat, "night train", "Ann")
    return room


@pytest.fixture
async def ann(chat: Chat, room: Room) -> Visitor:
    return await chat.identity.find("ann")


def _put(key: str, value: JsonValue) -> Callable[[State], None]:
    return lambda state: state.update({key: value})


def _count(state: State) -> None:
    votes = state.get("votes", 0)
    assert isinstance(votes, int)
    state["votes"] = votes + 1


async def test_state_is_read_as_it_was_changed(chat: Chat, room: Room) -> None:
    assert await chat.room_states.read(room.id, "poll") == {}
    votes: JsonValue = {"чай": [1, 2.5, None], "☕": {"by": True}}
    await chat.room_states.change(room.id, "poll", _put("votes", votes))
    await chat.room_states.change(room.id, "poll", _put("open", False))
    assert await chat.room_states.read(room.id, "poll") == {"votes": votes, "open": False}
    await chat.room_states.change(room.id, "poll", lambda state: state.pop("votes"))
    assert await chat.room_states.read(room.id, "poll") == {"open": False}


async def test_rooms_with_a_state_are_listed_by_plugin(
    chat: Chat, room: Room, ann: Visitor
) -> None:
    other = await chat.rooms.create("day train", visitor_id=ann.id)
    for each, plugin in ((room, "poll"), (other, "poll"), (other, "notes")):
        await chat.room_states.change(each.id, plugin, _put("open", True))
    assert sorted(await chat.room_states.list_rooms("poll")) == sorted([room.id, other.id])
    await chat.room_states.change(room.id, "poll", lambda state: state.clear())
    assert await chat.room_states.list_rooms("poll") == [other.id]
    assert await chat.room_states.read(room.id, "poll") == {}


async def test_states_of_plugins_and_rooms_are_separate(
    chat: Chat, room: Room, ann: Visitor
) -> None:
    other = await chat.rooms.open("day train", visitor_id=ann.id)
    await chat.room_states.change(room.id, "poll", _put("votes", 1))
    await chat.room_states.change(room.id, "dice", _put("votes", 2))
    await chat.room_states.change(other.id, "poll", _put("votes", 3))
    read = chat.room_states.read
    assert [
        await read(room.id, "poll"),
        await read(room.id, "dice"),
        await read(other.id, "poll"),
    ] == [
        {"votes": 1},
        {"votes": 2},
        {"votes": 3},
    ]


async def test_state_that_was_read_is_a_copy(chat: Chat, room: Room) -> None:
    await chat.room_states.change(room.id, "poll", _put("votes", []))
    state = await chat.room_states.read(room.id, "poll")
    state["votes"] = "mine"
    assert await chat.room_states.read(room.id, "poll") == {"votes": []}


async def test_state_survives_a_restart(
    chat: Chat, room: Room, clock: FakeClock, tmp_path: Path
) -> None:
    await chat.room_states.change(room.id, "poll", _put("votes", 1))
    await chat.stop()
    async with running_chat(tmp_path / "data", clock) as again:
        assert await again.room_states.read(room.id, "poll") == {"votes": 1}


async def test_concurrent_changes_do_not_undo_each_other(chat: Chat, room: Room) -> None:
    await asyncio.gather(*(chat.room_states.change(room.id, "poll", _count) for _ in range(20)))
    assert await chat.room_states.read(room.id, "poll") == {"votes": 20}


async def test_each_change_is_published_once_after_it_can_be_read(chat: Chat, room: Room) -> None:
    seen: list[State] = []

    async def on_event(event: object) -> None:
        if event == RoomStateChanged(room.id, "poll"):
            seen.append(await chat.room_states.read(room.id, "poll"))

    chat.bus.subscribe(on_event)
    await chat.room_states.read(room.id, "poll")
    for votes in (1, 2, 2):  # the last one changes nothing
        await chat.room_states.change(room.id, "poll", _put("votes", votes))
    assert seen == [{"votes": 1}, {"votes": 2}]


async def test_change_that_raises_stores_and_publishes_nothing(chat: Chat, room: Room) -> None:
    recorder = EventRecorder(chat)

    def fail(state: State) -> None:
        state["votes"] = 1
        raise KeyError("votes")

    with pytest.raises(KeyError):
        await chat.room_states.change(room.id, "poll", fail)
    assert await chat.room_states.read(room.id, "poll") == {}
    assert recorder.of_type(RoomStateChanged) == []


async def test_state_is_limited_to_64_kb_of_compact_json(chat: Chat, room: Room) -> None:
    empty = len('{"text":""}')
    for text in ("a" * (STATE_BYTES_MAX - empty), "я" * ((STATE_BYTES_MAX - empty) // 2)):
        await chat.room_states.change(room.id, "poll", _put("text", text))
        with pytest.raises(LimitReached):
            await chat.room_states.change(room.id, "poll", _put("text", text + "ab"))
        assert await chat.room_states.read(room.id, "poll") == {"text": text}


@pytest.mark.parametrize(
    "value", [{1, 2}, float("nan"), b"bytes", "\ud800"], ids=["set", "NaN", "bytes", "surrogate"]
)
async def test_value_that_is_not_json_is_refused(chat: Chat, room: Room, value: object) -> None:
    with pytest.raises(ValueError, match="what poll keeps for a room is not JSON: "):
        await chat.room_states.change(room.id, "poll", lambda state: state.update(it=value))  # type: ignore[arg-type]
    assert await chat.room_states.read(room.id, "poll") == {}


async def test_state_of_an_ended_room_is_not_found(
    chat: Chat, room: Room, ann: Visitor, clock: FakeClock
) -> None:
    await chat.room_states.change(room.id, "poll", _put("votes", 1))
    await chat.room_states.read(room.id, "poll")
    clock.advance(timedelta(days=60))
    await _assert_is_gone(chat, room)
    await chat.purge()
    await _assert_is_gone(chat, room)
    assert await execute(chat, "SELECT count(*) FROM room_state") == [(0,)]


async def test_state_of_a_burnt_room_is_not_found(chat: Chat, room: Room, ann: Visitor) -> None:
    await chat.room_states.change(room.id, "poll", _put("votes", 1))
    await chat.room_states.read(room.id, "poll")
    await chat.room_deletion.burn(room.id, visitor_id=ann.id)
    await _assert_is_gone(chat, room)
    assert await execute(chat, "SELECT count(*) FROM room_state") == [(0,)]


async def test_state_of_a_room_whose_key_is_destroyed_is_not_found(chat: Chat, room: Room) -> None:
    await chat.room_states.change(room.id, "poll", _put("votes", 1))
    await chat.room_states.read(room.id, "poll")
    await chat._keys.destroy([f"room {room.id}"])
    await _assert_is_gone(chat, room)


async def test_unknown_room_has_no_state(chat: Chat) -> None:
    with pytest.raises(NotFound):
        await chat.room_states.read("nowhere", "poll")
    with pytest.raises(NotFound):
        await chat.room_states.change("nowhere", "poll", _count)


async def test_room_that_lives_longer_keeps_its_state(
    chat: Chat, room: Room, ann: Visitor, clock: FakeClock
) -> None:
    await chat.room_states.change(room.id, "poll", _put("votes", 1))
    await chat.room_states.read(room.id, "poll")
    clock.advance(room.expires_at - clock() - timedelta(seconds=1))
    await chat.messages.post(room.id, visitor_id=ann.id, text="still here")
    clock.advance(timedelta(seconds=1))
    assert await chat.room_states.read(room.id, "poll") == {"votes": 1}


async def test_room_whose_lifetime_is_shortened_has_no_state_after_it(
    chat: Chat, room: Room, ann: Visitor, clock: FakeClock
) -> None:
    await chat.room_states.read(room.id, "poll")
    hour = timedelta(hours=1)
    await chat.room_editor.update(room.id, visitor_id=ann.id, message_ttl=hour / 2, room_ttl=hour)
    clock.advance(hour)
    await _assert_is_gone(chat, room)


async def test_many_readers_after_a_change_cost_one_query(chat: Chat, room: Room) -> None:
    await chat.bus.subscribe_room(room.id)
    await chat.room_states.change(room.id, "poll", _put("votes", 1))
    queries: list[str] = []

    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "room_state" in statement:
            queries.append(statement)

    engine = chat._database._engine.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", record)
    states = await asyncio.gather(*(chat.room_states.read(room.id, "poll") for _ in range(300)))
    sqlalchemy_event.remove(engine, "before_cursor_execute", record)
    assert states == [{"votes": 1}] * 300
    assert len(queries) == 1


async def test_change_whose_commit_was_not_confirmed_is_read_again(
    chat: Chat, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.room_states.read(room.id, "poll")
    transaction = chat._database.transaction

    class _LosingConnection:
        """A transaction that is committed, but the connection is lost before the answer."""

        def __init__(self, group: str = "") -> None:
            self._transaction = transaction(group)

        async def __aenter__(self) -> object:
            return await self._transaction.__aenter__()

        async def __aexit__(self, *_: object) -> None:
            await self._transaction.__aexit__(None, None, None)
            raise ConnectionLost

    monkeypatch.setattr(chat._database, "transaction", _LosingConnection)
    with pytest.raises(Unavailable):
        await chat.room_states.change(room.id, "poll", _put("votes", 1))
    assert await chat.room_states.read(room.id, "poll") == {"votes": 1}


async def _assert_is_gone(chat: Chat, room: Room) -> None:
    with pytest.raises(NotFound):
        await chat.room_states.read(room.id, "poll")
    with pytest.raises(NotFound):
        await chat.room_states.change(room.id, "poll", _count)

"""The bus delivers every event to all listeners."""

import asyncio
from pathlib import Path

import pytest

from anonchat import (
    Bus,
    Chat,
    Event,
    MessagePosted,
    MessagesDeleted,
    RoomEnded,
    RoomRead,
    VisitorForgotten,
)
from anonchat.bus import ValkeyBus
from anonchat.bus.client import Valkey
from tests.fakes import create_room_with_members
from tests.timeouts import DEADLINE
from tools.servers.redis import Redis


async def test_bus_delivers_events_to_all_listeners_in_order() -> None:
    bus = Bus()
    received: tuple[list[Event], list[Event]] = [], []

    async def first(event: Event) -> None:
        received[0].append(event)

    async def second(event: Event) -> None:
        received[1].append(event)

    bus.subscribe(first)
    bus.subscribe(second)
    events = [RoomEnded("a"), VisitorForgotten("b"), RoomEnded("c")]
    for event in events:
        await bus.publish(event)
    assert received == (events, events)


async def test_failing_listener_does_not_affect_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = Bus()
    received: list[Event] = []

    async def broken(event: Event) -> None:
        raise RuntimeError("broken")

    async def working(event: Event) -> None:
        received.append(event)

    bus.subscribe(broken)
    bus.subscribe(working)
    await bus.publish(RoomEnded("secret room"))
    assert received == [RoomEnded("secret room")]
    assert "event listener failed: RoomEnded" in caplog.text


async def test_listener_of_published_events_is_called_last_and_not_with_received_ones(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = Bus()
    received: list[tuple[str, Event]] = []

    async def first(event: Event) -> None:
        received.append(("publisher", event))
        raise RuntimeError("broken")

    async def second(event: Event) -> None:
        received.append(("all", event))

    bus.subscribe_published(first)
    bus.subscribe(second)
    await bus.publish(RoomEnded("a"))
    await bus.publish_local(RoomEnded("b"))
    assert received == [
        ("all", RoomEnded("a")),
        ("publisher", RoomEnded("a")),
        ("all", RoomEnded("b")),
    ]
    assert "event listener failed: RoomEnded" in caplog.text


async def test_posting_after_its_deletion_reaches_no_listener(chat: Chat) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    await chat.messages.flush()
    received: list[Event] = []

    async def record(event: Event) -> None:
        received.append(event)

    chat.bus.subscribe(record)
    chat.bus.subscribe_published(record)
    await chat.bus.publish_local(MessagesDeleted(room.id, (message.seq,)))
    await chat.bus.publish(MessagePosted(room, message, ann.id))
    assert received == [MessagesDeleted(room.id, (message.seq,))]


async def test_publish_without_listeners_raises_nothing() -> None:
    await Bus().publish(RoomEnded("a"))


async def test_read_marks_are_coalesced_before_sending_to_other_nodes(
    tmp_path: Path,
) -> None:
    redis = Redis(tmp_path / "redis")
    await redis.start()
    valkeys = [Valkey(redis.url) for _ in range(2)]
    sender, receiver = (
        ValkeyBus(valkey, secret="a secret of all nodes", encrypt_event=_keep, decrypt_event=_keep)
        for valkey in valkeys
    )
    received: list[Event] = []
    is_complete = asyncio.Event()

    async def record(event: Event) -> None:
        received.append(event)
        if event == RoomRead("bob", "room", 3):
            is_complete.set()

    receiver.subscribe(record)
    try:
        await sender.start()
        await receiver.start()
        for visitor, seq in (("ann", 1), ("ann", 2), ("bob", 3)):
            await sender.publish(RoomRead(visitor, "room", seq))
        async with asyncio.timeout(DEADLINE):
            await is_complete.wait()
        assert received == [RoomRead("ann", "room", 2), RoomRead("bob", "room", 3)]
    finally:
        for bus, valkey in zip((sender, receiver), valkeys, strict=True):
            await bus.stop()
            await valkey.close()
        await redis.stop()


async def _keep(event: Event) -> Event:
    return event

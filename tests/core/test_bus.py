"""The bus hands every event to everybody."""

import asyncio
from pathlib import Path

import pytest

from anonchat import Event, MemoryBus, RoomEnded, RoomRead, VisitorForgotten
from anonchat.bus import ValkeyBus
from anonchat.valkey import Valkey
from tools.cluster import Redis


async def test_everybody_hears_every_event_in_the_order_of_publishing() -> None:
    bus = MemoryBus()
    heard: tuple[list[Event], list[Event]] = [], []

    async def first(event: Event) -> None:
        heard[0].append(event)

    async def second(event: Event) -> None:
        heard[1].append(event)

    bus.subscribe(first)
    bus.subscribe(second)
    events = [RoomEnded("a"), VisitorForgotten("b"), RoomEnded("c")]
    for event in events:
        await bus.publish(event)
    assert heard == (events, events)


async def test_a_listener_that_fails_does_not_silence_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = MemoryBus()
    heard: list[Event] = []

    async def broken(event: Event) -> None:
        raise RuntimeError("broken")

    async def sound(event: Event) -> None:
        heard.append(event)

    bus.subscribe(broken)
    bus.subscribe(sound)
    await bus.publish(RoomEnded("secret room"))
    assert heard == [RoomEnded("secret room")]
    assert "a listener failed at RoomEnded" in caplog.text


async def test_an_event_without_listeners_is_no_error() -> None:
    await MemoryBus().publish(RoomEnded("a"))


async def test_up_to_where_people_have_read_is_told_to_other_nodes_many_at_once(
    tmp_path: Path,
) -> None:
    redis = Redis(tmp_path / "redis")
    await redis.prepare()
    await redis.start()
    valkeys = [Valkey(redis.url) for _ in range(2)]
    here, there = (
        ValkeyBus(valkey, secret="a secret of all nodes", conceal=_leave, reveal=_leave)
        for valkey in valkeys
    )
    heard: list[Event] = []
    is_whole = asyncio.Event()

    async def listen(event: Event) -> None:
        heard.append(event)
        if event == RoomRead("bob", "room", 3):
            is_whole.set()

    there.subscribe(listen)
    try:
        await here.start()
        await there.start()
        for visitor, seq in (("ann", 1), ("ann", 2), ("bob", 3)):
            await here.publish(RoomRead(visitor, "room", seq))
        async with asyncio.timeout(240):
            await is_whole.wait()
        assert heard == [RoomRead("ann", "room", 2), RoomRead("bob", "room", 3)]
    finally:
        for bus, valkey in zip((here, there), valkeys, strict=True):
            await bus.stop()
            await valkey.close()
        await redis.stop()


async def _leave(event: Event) -> Event:
    return event

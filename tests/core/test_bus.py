"""The bus hands every event to everybody."""

import pytest

from anonchat import Event, MemoryBus, RoomEnded, VisitorForgotten


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

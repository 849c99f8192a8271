"""Events and packets of open pages are limited and charged to the visitor and the network."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
import pytest_asyncio
from nicegui.event_listener import EventListener
from starlette.types import Message, Receive, Scope, Send

from anonchat import Chat, Cost, Visitor
from anonchat.rates import Rate
from pages.transport import packet_rate_limit
from pages.transport.packet_rate_limit import PacketRateLimitMiddleware
from tests.fakes import FakeClock, make_work_budget
from tests.pages.tab import Tab, event_of, open_tab, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Room:
    """A room page, opened by the only member of the room."""

    def __init__(self, chat: Chat, ann: Visitor, tab: Tab) -> None:
        self.chat = chat
        self.ann = ann
        self.tab = tab

    def hold(self) -> AbstractAsyncContextManager[object]:
        """Block the work of the visitor inside the context."""
        return self.chat.work_budget.run_exclusively(0, visitor_id=self.ann.id, address="127.0.0.1")

    async def fire_all(self, listener: EventListener, *args: object) -> None:
        """Send several events at once and wait until all have reached their handler."""
        for arg in args[:-1]:
            frame = json.dumps(["event", event_of(listener, self.tab.client, arg)])
            await self.tab.connection.send(f"42{frame}")
        await self.tab.fire(listener, args[-1])

    def listener(self, kind: str, channel: str = "messages") -> EventListener:
        """Return the listener for an event type."""
        return next(
            each
            for each in self.tab.listeners()
            if each.type == kind
            and self.tab.client.elements[each.element_id]._props.get("channel", channel) == channel
        )

    def answered(self, method: str) -> list[int]:
        """Return the numbers of the answered queries."""
        numbers = []
        for frame in self.tab.received:
            if method in frame:
                code = json.loads(frame[frame.index("[") :])[1]["code"]
                numbers.append(json.loads(code[code.index("[") : -1])[0]["question"])
        return numbers


@pytest_asyncio.fixture(loop_scope="session")
async def room(url: str, chat: Chat, request: pytest.FixtureRequest) -> AsyncIterator[Room]:
    name = f"{abs(hash(request.node.nodeid)) % 10**8}"
    ann, token = await chat.identity.sign_in(f"Ann {name}")
    await chat.identity.authenticate(token)
    found = await chat.rooms.open(f"room {name}", visitor_id=ann.id)
    for text in ("one", "two", "three"):
        await chat.messages.post(found.id, visitor_id=ann.id, text=text)
    async with open_tab(url, f"/r/{found.slug}", token=token) as tab:
        yield Room(chat, ann, tab)


@pytest.mark.parametrize(
    ("kind", "method", "channel"),
    [
        ("sync", "catchUp", "messages"),
        ("page", "showPage", "messages"),
        ("sync", "catchUp", "members"),
        ("sync", "catchUp", "sidebar"),
        ("sync", "catchUp", "facts"),
        ("sync", "catchUp", "present"),
    ],
)
async def test_list_answers_the_first_and_the_newest_query(
    room: Room, kind: str, method: str, channel: str
) -> None:
    queries = [{"question": 1_000 + number, "keys": []} for number in range(50)]
    async with room.hold():
        await room.fire_all(room.listener(kind, channel), *queries)
        assert room.answered(method) == []
    await wait_until(lambda: 1_049 in room.answered(method))
    assert room.answered(method) == [1_000, 1_049]
    await room.tab.fire(room.listener(kind, channel), {"question": 2_000, "keys": []})
    await wait_until(lambda: 2_000 in room.answered(method))


async def test_sixty_queued_queries_do_not_block_other_visitors(room: Room) -> None:
    async with room.hold():
        await room.fire_all(
            room.listener("page"), *({"question": number} for number in range(1, 61))
        )
        bob, _ = await room.chat.identity.sign_in(f"Bob {room.ann.id[:8]}")
        async with room.chat.work_budget.run_exclusively(1, visitor_id=bob.id, address="127.0.0.1"):
            assert room.answered("showPage") == []


async def test_action_over_the_budget_is_refused(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = round(Cost.DELETE) - 1
    monkeypatch.setattr(room.chat.limits.work_of_visitor, "_rate", Rate(budget, timedelta(hours=1)))
    await room.tab.fire(room.listener("act"), {"act": "delete", "key": "1"})
    await wait_until(lambda: any("too often" in frame for frame in room.tab.received))


async def test_search_over_the_budget_is_refused_with_the_reason(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = room.chat.limits.work_of_visitor
    monkeypatch.setattr(limit, "_rate", Rate(1, timedelta(days=1_000)))
    limit.reserve(room.ann.id, 1, max_wait=timedelta.max)
    client = room.tab.client  # not over the socket, whose packets would be refused too
    client.handle_event(event_of(room.listener("query"), client, "night train"))
    await wait_until(lambda: any("too often" in frame for frame in room.tab.received))


async def test_closed_page_answers_no_queued_query(room: Room) -> None:
    queries = [{"question": number, "keys": []} for number in range(1, 9)]
    async with room.hold():
        await room.fire_all(room.listener("sync"), *queries)
        room.tab.client.delete()
    async with room.hold():
        pass
    assert room.answered("catchUp") == []


def _packets(number: int) -> Receive:
    messages = iter([{"type": "websocket.receive", "text": "42[]"}] * number)

    async def receive() -> Message:
        return next(messages, {"type": "websocket.disconnect", "code": 1000})

    return receive


_SOCKET: Scope = {
    "type": "websocket",
    "path": "/_nicegui_ws/socket.io/",
    "query_string": b"client_id=unknown",
    "client": ("192.0.2.1", 7),
}


async def test_packets_over_the_budget_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anonchat.limits.rate_limits._BURST", 1)
    clock = FakeClock()
    work = make_work_budget(clock, work_per_visitor=f"{round(10 * Cost.PACKET)}/1h")
    read = 0

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        nonlocal read
        while (await receive())["type"] == "websocket.receive":
            read += 1

    async def send(_message: Message) -> None:
        pass

    reading = asyncio.create_task(
        PacketRateLimitMiddleware(app, budget=work)(_SOCKET, _packets(50), send)
    )
    await wait_until(lambda: "192.0.2.1" in work._anonymous_pool._queues)
    assert 8 <= read <= 10
    reading.cancel()
    await asyncio.wait([reading])


async def test_polls_over_the_budget_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anonchat.limits.rate_limits._BURST", 1)
    work = make_work_budget(FakeClock(), work_per_visitor=f"{round(3 * Cost.POLL)}/1h")
    statuses = []

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    for _ in range(4):
        query = b"EIO=4&transport=polling&sid=x"
        scope = {**_SOCKET, "type": "http", "query_string": query}
        await PacketRateLimitMiddleware(app, budget=work)(scope, _packets(0), send)
    assert statuses == [200, 200, 200, 429]


async def test_packet_is_charged_to_the_visitor_of_its_page(room: Room) -> None:
    query = f"client_id={room.tab.client.id}".encode()
    assert packet_rate_limit._find_holder({"query_string": query}).visitor_id == room.ann.id
    assert (
        packet_rate_limit._find_holder({"query_string": b"client_id=x&client_id=y"}).visitor_id
        == ""
    )

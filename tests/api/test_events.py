"""Event streams of rooms."""

import asyncio
from collections import Counter
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from anonchat import Bus, Chat, LimitReached
from anonchat.api.events import _subscribe
from anonchat.api.streams import StreamEvent, Streams, Subscriber
from tests.api.api_client import ApiClient, Event
from tests.api.apps import SignIn, api_client, running_app
from tests.fakes import FakeClock, create_room_with_members


@pytest.fixture
def streams(web: FastAPI) -> Streams:
    streams: Streams = web.state.streams
    return streams


def message_seqs(events: list[Event]) -> list[int]:
    """Return the seqs of the message events, in order of delivery."""
    messages = [event for event in events if event.kind == "message"]
    assert [event.id for event in messages] == [event.data["seq"] for event in messages]
    return [event.data["seq"] for event in messages]


async def test_stream_delivers_message_as_posted(ann: ApiClient, bob: ApiClient, slug: str) -> None:
    async with bob.listen(slug) as stream:
        assert await stream.ready() == 0
        (message,) = await ann.say(slug, "two\nlines: \u2028 and 🎉")
        event = (await stream.until("message"))[-1]
    html = "two<br>lines: <br> and 🎉"
    assert event == Event("message", 1, {**message, "html": html})


async def test_stream_without_start_begins_at_the_latest_message(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    await ann.say(slug, "one", "two")
    async with bob.listen(slug) as stream:
        ready = await stream.next()
        assert ready == Event("ready", 2, {"seq": 2})
        await ann.say(slug, "three")
        assert message_seqs(await stream.until("message")) == [3]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ({"after": 0}, [1, 2, 3]),
        ({"after": 1}, [2, 3]),
        ({"last_event_id": 0}, [1, 2, 3]),
        ({"last_event_id": 3}, []),
        ({"after": 0, "last_event_id": 2}, [3]),
    ],
)
async def test_stream_resumes_after_the_last_received_message(
    ann: ApiClient, slug: str, start: dict[str, int], expected: list[int]
) -> None:
    await ann.say(slug, "one", "two", "three")
    async with ann.listen(slug, **start) as stream:
        assert message_seqs(await stream.until("ready", seq=3)) == expected
        await ann.say(slug, "four")
        assert message_seqs(await stream.until("message")) == [4]


async def test_stream_replays_more_than_one_page_of_history(ann: ApiClient, slug: str) -> None:
    await asyncio.gather(*(ann.say(slug, str(number)) for number in range(450)))
    async with ann.listen(slug, after=0) as stream:
        assert message_seqs(await stream.until("ready")) == list(range(1, 451))


async def test_reconnecting_streams_deliver_every_message_exactly_once(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    async def post_all(program: ApiClient) -> None:
        for number in range(30):
            await program.say(slug, str(number))

    async def read_all(*, reconnect_after: int) -> list[int]:
        received: list[int] = []
        while len(received) < 60:
            start = {"last_event_id": received[-1]} if received else {"after": 0}
            async with bob.listen(slug, **start) as stream:
                for _ in range(reconnect_after):
                    received += message_seqs([await stream.next()])
                    if len(received) == 60:
                        break
        return received

    _, _, *received = await asyncio.gather(
        post_all(ann),
        post_all(bob),
        *(read_all(reconnect_after=number) for number in (1, 2, 5, 1_000)),
    )
    assert received == [list(range(1, 61))] * 4


async def test_stream_delivers_a_message_lost_by_the_bus_before_the_next(
    ann: ApiClient, bob: ApiClient, slug: str, chat: Chat, streams: Streams
) -> None:
    async with bob.listen(slug) as stream:
        await stream.ready()
        listeners = chat.bus._listeners
        listeners.remove(streams._on_event)
        await ann.say(slug, "one", "two")
        listeners.append(streams._on_event)
        await ann.say(slug, "three")
        assert message_seqs(await stream.until("message", seq=3)) == [1, 2, 3]


async def test_stream_delivers_membership_and_presence_events(
    ann: ApiClient, bob: ApiClient, slug: str, sign_in: SignIn
) -> None:
    cid = await sign_in("Cid")
    async with ann.listen(slug) as stream:
        me = (await stream.until("presence", nickname="Ann"))[-1].data["author"]
        membership = await cid.ask("PUT", f"/rooms/{slug}/membership")
        author = membership["author"]
        async with cid.listen(slug):
            assert (await ann.ask("GET", f"/rooms/{slug}"))["here"] == 2
        await cid.ask("DELETE", f"/rooms/{slug}/membership")
        events = await stream.until("left")
    assert me != author
    assert [(event.kind, event.data) for event in events] == [
        ("joined", {"author": author, "nickname": "Cid"}),
        ("presence", {"author": author, "nickname": "Cid", "present": True}),
        ("presence", {"author": author, "nickname": "Cid", "present": False}),
        ("left", {"author": author}),
    ]
    assert (await bob.ask("GET", f"/rooms/{slug}"))["here"] == 0


async def test_stream_delivers_changes_of_the_room(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    async with bob.listen(slug) as stream:
        await stream.ready()
        changes = {"name": "Day Train", "slow_mode": "10s", "unwanted": ["casino"]}
        room = await ann.ask("PATCH", f"/rooms/{slug}", json=changes)
        event = (await stream.until("changed"))[-1]
    others = {"slug", "here", "active_at", "members", "membership", "unwanted"}
    assert event == Event("changed", None, {key: room[key] for key in room.keys() - others})


async def test_stream_delivers_deletion_and_expiry_events(
    ann: ApiClient, bob: ApiClient, slug: str, chat: Chat, clock: FakeClock
) -> None:
    messages = await ann.say(slug, "one", "two", "three")
    async with bob.listen(slug) as stream:
        await stream.ready()
        await ann.ask("DELETE", f"/rooms/{slug}/messages/{messages[1]['id']}")
        assert (await stream.until("gone"))[-1].data == {"seqs": [2]}
        clock.advance(timedelta(days=1))
        await chat.expiry.purge()
        assert (await stream.until("gone"))[-1].data == {"seqs": [1, 3]}


async def test_resumed_stream_reports_messages_deleted_meanwhile(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    messages = await ann.say(slug, *"abcde")
    for message in (messages[1], messages[4]):
        await ann.ask("DELETE", f"/rooms/{slug}/messages/{message['id']}")
    async with bob.listen(slug, last_event_id=3) as stream:
        assert await stream.next() == Event("gone", None, {"seqs": [2]})
        assert message_seqs(await stream.until("ready")) == [4]


async def test_stream_replays_everything_if_last_event_id_is_too_high(
    ann: ApiClient, slug: str
) -> None:
    await ann.say(slug, "one", "two")
    async with ann.listen(slug, last_event_id=99) as stream:
        assert message_seqs(await stream.until("ready", seq=2)) == [1, 2]


@pytest.mark.parametrize("end", ["leave", "delete visitor", "expire"])
async def test_stream_ends_with_the_membership(
    ann: ApiClient, bob: ApiClient, slug: str, chat: Chat, clock: FakeClock, end: str
) -> None:
    await ann.say(slug, "hello")
    async with bob.listen(slug) as stream:
        await stream.until("presence")
        match end:
            case "leave":
                await bob.ask("DELETE", f"/rooms/{slug}/membership")
            case "delete visitor":
                await bob.ask("DELETE", "/visitors/me")
            case "expire":
                for _ in range(6):  # Ann keeps the room alive
                    clock.advance(timedelta(days=5))
                    await ann.say(slug, "still here")
                await chat.expiry.purge()
        events = await stream.rest()
        await ann.say(slug, "a secret")
    assert events[-1].kind == "left"
    assert "a secret" not in str(events)


async def test_streaming_visitor_is_not_deleted_as_inactive(
    bob: ApiClient, slug: str, chat: Chat, clock: FakeClock
) -> None:
    async with bob.listen(slug) as stream:
        await stream.until("presence")
        for _ in range(30):
            clock.advance(timedelta(hours=1))
            await chat.purge()
        assert (await bob.ask("GET", "/rooms/mine"))["items"]


async def test_stream_ends_with_the_room(
    ann: ApiClient, slug: str, chat: Chat, clock: FakeClock
) -> None:
    async with ann.listen(slug) as stream:
        await stream.until("presence")
        clock.advance(timedelta(days=7))
        await chat.room_directory.tick()
        assert await stream.rest() == [Event("ended", None, {})]


async def test_stream_ends_with_the_server(ann: ApiClient, slug: str, streams: Streams) -> None:
    async with ann.listen(slug) as stream:
        await stream.until("presence")
        streams.stop()
        assert message_seqs(await stream.rest()) == []
    async with ann.listen(slug, after=0) as stream:  # on an open connection, during shutdown
        assert "ready" in {event.kind for event in await stream.rest()}


async def test_stream_ends_if_the_member_leaves_while_it_starts(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    path = f"/rooms/{slug}"
    for _ in range(20):
        await bob.ask("PUT", f"{path}/membership")
        response, _ = await asyncio.gather(
            bob.get(f"{path}/events"), bob.ask("DELETE", f"{path}/membership")
        )  # the stream must end, otherwise `get` never returns
        assert response.status_code in (200, 403)


async def test_closed_stream_leaves_no_state(
    ann: ApiClient, bob: ApiClient, slug: str, streams: Streams
) -> None:
    await ann.say(slug, "one")
    for start in ({}, {"after": 0}, {"last_event_id": 1}):
        async with bob.listen(slug, **start):
            assert streams.count() == 1
        assert streams.count() == 0
        assert (streams._subscribers, len(streams._connections)) == ({}, 0)
    assert (await ann.ask("GET", f"/rooms/{slug}"))["here"] == 0


async def test_idle_stream_sends_heartbeats(ann: ApiClient, slug: str, streams: Streams) -> None:
    assert streams.heartbeat == 15
    streams.heartbeat = 0
    async with ann.listen(slug) as stream:
        while (line := await stream.next_line()) != ": still here":
            assert line is not None


async def test_stream_of_a_slow_reader_ends_and_can_be_resumed(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        running_app(tmp_path, clock, stream_backlog_max=65_536) as web,
        api_client(web) as http,
    ):
        visitor = await ApiClient(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = ApiClient(http, visitor["token"])
        await ann.open("room")
        async with ann.listen("room") as slow, ann.listen("room") as fast:
            await slow.ready()
            for number in range(1, 41):
                await ann.say("room", f"{number} ".ljust(4_000, "x"))
                await fast.until("message", seq=number)
            received = message_seqs(await slow.rest())
        assert len(received) < 40
        async with ann.listen("room", last_event_id=received[-1] if received else 0) as stream:
            received += message_seqs(await stream.until("ready", seq=40))
        assert received == list(range(1, 41))


async def test_stream_backlog_is_limited(clock: FakeClock) -> None:
    reader = Subscriber("visitor", clock=clock, backlog=100, heartbeat=0)
    for _ in range(10):
        reader.enqueue(StreamEvent(b"x" * 10))
    assert not reader.ended
    reader.enqueue(StreamEvent(b"x"))
    reader.enqueue(StreamEvent(b"x"))
    assert reader.ended
    assert await reader.receive() is None


async def test_message_that_expires_in_the_backlog_is_not_delivered(clock: FakeClock) -> None:
    reader = Subscriber("visitor", clock=clock, backlog=100, heartbeat=0)
    expiry = clock() + timedelta(seconds=10)
    reader.enqueue(StreamEvent(b"expiring", 1, expiry))
    reader.enqueue(lasting := StreamEvent(b"lasting", 2, expiry + timedelta(microseconds=1)))
    clock.advance(timedelta(seconds=10))
    assert await reader.receive() == [lasting]
    assert await reader.receive() == []


async def test_streams_are_limited_per_visitor(tmp_path: Path, clock: FakeClock) -> None:
    async with (
        running_app(tmp_path, clock, streams_per_visitor_max=1) as web,
        api_client(web) as http,
    ):
        ann, bob = [
            ApiClient(
                http,
                (await ApiClient(http).ask("POST", "/visitors", json={"nickname": name}))["token"],
            )
            for name in ("Ann", "Bob")
        ]
        for program in (ann, bob):
            await program.open("room")
        async with ann.listen("room") as stream:
            response = await ann.get("/rooms/room/events")
            assert (response.status_code, response.json()["type"]) == (
                429,
                "/api/v1/problems/limit-reached",
            )
            async with bob.listen("room"):
                await stream.until("presence", nickname="Bob")
        async with ann.listen("room") as stream:
            await stream.ready()


async def test_streams_of_one_network_are_limited_without_excluding_others(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        running_app(tmp_path, clock, sockets_per_ip_max=1) as web,
        api_client(web) as http,
    ):
        ann, bob = [
            ApiClient(
                http,
                (await ApiClient(http).ask("POST", "/visitors", json={"nickname": name}))["token"],
            )
            for name in ("Ann", "Bob")
        ]
        for program in (ann, bob):
            await program.open("room")
        async with AsyncExitStack() as streams:
            for _ in range(4):
                stream = await streams.enter_async_context(ann.listen("room"))
                await stream.ready()
            response = await ann.get("/rooms/room/events")
            assert (response.status_code, response.json()["type"]) == (
                429,
                "/api/v1/problems/limit-reached",
            )
            async with bob.listen("room") as stream:
                await stream.ready()
        async with ann.listen("room") as stream:
            await stream.ready()


async def test_streams_are_limited_per_ipv6_48(tmp_path: Path, clock: FakeClock) -> None:
    async with running_app(tmp_path, clock, connections_per_ip_max=10) as web:
        streams: Streams = web.state.streams
        chat: Chat = web.state.chat

        def listen(number: int, address: str) -> AbstractContextManager[Subscriber]:
            networks = chat.network_shares.networks_of_address(address)
            return streams.subscribe("room", visitor_id=f"visitor {number}", networks=networks)

        with ExitStack() as open_streams:
            for number in range(40):
                open_streams.enter_context(listen(number, f"2001:db8:0:{number}::1"))
            with pytest.raises(LimitReached), listen(40, "2001:db8:0:40::1"):
                pass
            with listen(41, "2001:db8:1::1"):
                pass


async def test_stream_ends_when_its_token_is_evicted(tmp_path: Path, clock: FakeClock) -> None:
    phrase = {"nickname": "Ann", "secret_phrase": "correct horse battery staple"}
    async with (
        running_app(tmp_path, clock, sessions_per_visitor_max=1) as web,
        api_client(web) as http,
    ):
        visitor = await ApiClient(http).ask("POST", "/visitors", json=phrase)
        ann = ApiClient(http, visitor["token"])
        await ann.open("room")
        async with ann.listen("room") as stream:
            await stream.ready()
            await ApiClient(http).ask("POST", "/visitors", json=phrase)
            await stream.rest()


async def test_stream_ends_when_its_token_is_signed_out(ann: ApiClient, chat: Chat) -> None:
    await ann.open("room")
    async with ann.listen("room") as stream:
        await stream.ready()
        await chat.identity.sign_out(ann.token)
        await stream.rest()
    assert (await ann.get("/rooms")).status_code == 401


@pytest.mark.parametrize(
    "options",
    [
        {"params": {"after": -1}},
        {"params": {"after": "x"}},
        {"headers": {"Last-Event-ID": "x"}},
        {"headers": {"Last-Event-ID": "-1"}},
        {"headers": {"Last-Event-ID": str(2**53)}},
    ],
)
async def test_invalid_stream_start_is_refused_and_leaves_no_state(
    ann: ApiClient, slug: str, streams: Streams, options: dict[str, dict[str, str]]
) -> None:
    response = await ann.get(f"/rooms/{slug}/events", **options)
    assert (response.status_code, response.json()["type"]) == (
        422,
        "/api/v1/problems/invalid-request",
    )
    assert streams.count() == 0
    assert (await ann.ask("GET", f"/rooms/{slug}"))["here"] == 0


class _HangingBus(Bus):
    """A bus whose `subscribe_room` never returns."""

    def __init__(self) -> None:
        super().__init__()
        self.subscriptions: Counter[str] = Counter()
        self.started = asyncio.Event()

    async def subscribe_room(self, room_id: str) -> None:
        self.subscriptions[room_id] += 1
        self.started.set()
        await asyncio.Event().wait()

    def unsubscribe_room(self, room_id: str) -> None:
        self.subscriptions[room_id] -= 1


async def test_stream_cancelled_while_starting_unsubscribes_from_the_room(
    web: FastAPI, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (visitor,) = await create_room_with_members(chat, "night train", "Nils")
    bus = _HangingBus()
    monkeypatch.setattr(chat, "bus", bus)
    events = _subscribe(chat, web.state.streams, visitor, room, "")
    starting = asyncio.ensure_future(anext(events))
    await bus.started.wait()
    starting.cancel()
    await asyncio.wait([starting])
    assert bus.subscriptions.total() == 0


async def test_resumed_stream_sends_what_was_edited_meanwhile(
    ann: ApiClient, bob: ApiClient, slug: str
) -> None:
    messages = await ann.say(slug, "1", "2", "3")
    for message in messages[1:]:
        path = f"/rooms/{slug}/messages/{message['id']}"
        await ann.ask("PATCH", path, json={"text": f"new {message['text']}"})
    async with bob.listen(slug, last_event_id=2) as stream:
        events = await stream.until("ready")
    assert [(event.kind, event.data.get("text")) for event in events] == [
        ("edited", "new 2"),
        ("message", "new 3"),
        ("ready", None),
    ]


async def test_slow_reader_receives_only_the_newest_text(
    chat: Chat, streams: Streams, clock: FakeClock
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    before = await chat.messages.post(room.id, visitor_id=ann.id, text="before")
    await chat.messages.flush()
    with streams.subscribe(room.id, visitor_id=ann.id) as subscriber:
        waiting = await chat.messages.post(room.id, visitor_id=ann.id, text="waiting")
        await chat.messages.flush()
        for text in ("second", "third"):
            for message in (before, waiting):
                await chat.messages.edit(
                    room.id, visitor_id=ann.id, message_id=message.id, text=f"{text} {message.text}"
                )
        await chat.messages.delete(room.id, visitor_id=ann.id, message_id=before.id)
        events = await subscriber.receive()
    assert events
    content = b"".join(event.data for event in events).decode()
    assert [event.seq for event in events] == [2, 0]
    assert '"text":"third waiting"' in content
    assert "before" not in content
    assert '"text":"waiting"' not in content
    assert "second" not in content

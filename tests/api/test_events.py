"""Hearing at once of what happens in a room."""

import asyncio
from collections import Counter
from contextlib import AbstractContextManager, AsyncExitStack, ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from anonchat import Chat, LimitReached, MemoryBus
from anonchat.api.events import _listen
from anonchat.api.streams import Notice, Reader, Streams
from tests.api.program import Event, Program
from tests.api.world import Settle, calling, running_app
from tests.fakes import FakeClock, gather_in


@pytest.fixture
def streams(web: FastAPI) -> Streams:
    streams: Streams = web.state.streams
    return streams


def told(events: list[Event]) -> list[int]:
    """Return which messages were told, in the order of telling."""
    messages = [event for event in events if event.kind == "message"]
    assert [event.id for event in messages] == [event.data["seq"] for event in messages]
    return [event.data["seq"] for event in messages]


async def test_a_message_is_heard_as_it_was_posted(ann: Program, bob: Program, slug: str) -> None:
    async with bob.listen(slug) as stream:
        assert await stream.ready() == 0
        (message,) = await ann.say(slug, "two\nlines: \u2028 and 🎉")
        event = (await stream.until("message"))[-1]
    assert event == Event("message", 1, message)


async def test_without_a_start_a_stream_begins_now(ann: Program, bob: Program, slug: str) -> None:
    await ann.say(slug, "one", "two")
    async with bob.listen(slug) as stream:
        ready = await stream.next()
        assert ready == Event("ready", 2, {"seq": 2})
        await ann.say(slug, "three")
        assert told(await stream.until("message")) == [3]


@pytest.mark.parametrize(
    ("where", "heard"),
    [
        ({"after": 0}, [1, 2, 3]),
        ({"after": 1}, [2, 3]),
        ({"last_event_id": 0}, [1, 2, 3]),
        ({"last_event_id": 3}, []),
        ({"after": 0, "last_event_id": 2}, [3]),
    ],
)
async def test_a_stream_resumes_after_what_was_heard(
    ann: Program, slug: str, where: dict[str, int], heard: list[int]
) -> None:
    await ann.say(slug, "one", "two", "three")
    async with ann.listen(slug, **where) as stream:
        assert told(await stream.until("ready", seq=3)) == heard
        await ann.say(slug, "four")
        assert told(await stream.until("message")) == [4]


async def test_more_history_than_fits_on_a_page_is_told_whole(ann: Program, slug: str) -> None:
    await asyncio.gather(*(ann.say(slug, str(number)) for number in range(450)))
    async with ann.listen(slug, after=0) as stream:
        assert told(await stream.until("ready")) == list(range(1, 451))


async def test_readers_that_come_and_go_miss_nothing_and_hear_nothing_twice(
    ann: Program, bob: Program, slug: str
) -> None:
    async def talk(program: Program) -> None:
        for number in range(30):
            await program.say(slug, str(number))

    async def follow(*, cut_after: int) -> list[int]:
        heard: list[int] = []
        while len(heard) < 60:
            start = {"last_event_id": heard[-1]} if heard else {"after": 0}
            async with bob.listen(slug, **start) as stream:
                for _ in range(cut_after):
                    heard += told([await stream.next()])
                    if len(heard) == 60:
                        break
        return heard

    _, _, *heard = await asyncio.gather(
        talk(ann), talk(bob), *(follow(cut_after=number) for number in (1, 2, 5, 1_000))
    )
    assert heard == [list(range(1, 61))] * 4


async def test_a_message_that_the_bus_has_lost_is_told_before_the_next(
    ann: Program, bob: Program, slug: str, chat: Chat, streams: Streams
) -> None:
    async with bob.listen(slug) as stream:
        await stream.ready()
        listeners = chat.bus._listeners  # type: ignore[attr-defined]
        listeners.remove(streams._on_event)
        await ann.say(slug, "one", "two")
        listeners.append(streams._on_event)
        await ann.say(slug, "three")
        assert told(await stream.until("message", seq=3)) == [1, 2, 3]


async def test_who_comes_goes_and_looks_is_heard_of(
    ann: Program, bob: Program, slug: str, come_in: Settle
) -> None:
    cid = await come_in("Cid")
    async with ann.listen(slug) as stream:
        me = (await stream.until("presence", nickname="Ann"))[-1].data["author"]
        cid_there = await cid.ask("PUT", f"/rooms/{slug}/membership")
        author = cid_there["author"]
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


async def test_what_is_deleted_or_expires_is_heard_of(
    ann: Program, bob: Program, slug: str, chat: Chat, clock: FakeClock
) -> None:
    messages = await ann.say(slug, "one", "two", "three")
    async with bob.listen(slug) as stream:
        await stream.ready()
        await ann.ask("DELETE", f"/rooms/{slug}/messages/{messages[1]['id']}")
        assert (await stream.until("gone"))[-1].data == {"seqs": [2]}
        clock.move(timedelta(days=1))
        await chat.expiry.purge()
        assert (await stream.until("gone"))[-1].data == {"seqs": [1, 3]}


async def test_what_has_gone_meanwhile_is_told_on_return(
    ann: Program, bob: Program, slug: str
) -> None:
    messages = await ann.say(slug, *"abcde")
    for message in (messages[1], messages[4]):
        await ann.ask("DELETE", f"/rooms/{slug}/messages/{message['id']}")
    async with bob.listen(slug, last_event_id=3) as stream:
        assert await stream.next() == Event("gone", None, {"seqs": [2]})
        assert told(await stream.until("ready")) == [4]


async def test_after_another_room_took_the_address_everything_is_told(
    ann: Program, slug: str
) -> None:
    await ann.say(slug, "one", "two")
    async with ann.listen(slug, last_event_id=99) as stream:
        assert told(await stream.until("ready", seq=2)) == [1, 2]


@pytest.mark.parametrize("way", ["leaving", "being forgotten", "expiring"])
async def test_a_stream_ends_with_the_membership(
    ann: Program, bob: Program, slug: str, chat: Chat, clock: FakeClock, way: str
) -> None:
    await ann.say(slug, "hello")
    async with bob.listen(slug) as stream:
        await stream.until("presence")
        match way:
            case "leaving":
                await bob.ask("DELETE", f"/rooms/{slug}/membership")
            case "being forgotten":
                await bob.ask("DELETE", "/visitors/me")
            case "expiring":
                for _ in range(6):  # Ann keeps the room alive
                    clock.move(timedelta(days=5))
                    await ann.say(slug, "still here")
                await chat.expiry.purge()
        events = await stream.rest()
        await ann.say(slug, "a secret")
    assert events[-1].kind == "left"
    assert "a secret" not in str(events)


async def test_who_listens_is_not_forgotten_though_they_never_post(
    bob: Program, slug: str, chat: Chat, clock: FakeClock
) -> None:
    async with bob.listen(slug) as stream:
        await stream.until("presence")
        for _ in range(30):
            clock.move(timedelta(hours=1))
            await chat.purge()
        assert (await bob.ask("GET", "/rooms/mine"))["items"]


async def test_a_stream_ends_with_the_room(
    ann: Program, slug: str, chat: Chat, clock: FakeClock
) -> None:
    async with ann.listen(slug) as stream:
        await stream.until("presence")
        clock.move(timedelta(days=7))
        await chat.lobby.turn()
        assert await stream.rest() == [Event("ended", None, {})]


async def test_a_stream_ends_with_the_server(ann: Program, slug: str, streams: Streams) -> None:
    async with ann.listen(slug) as stream:
        await stream.until("presence")
        streams.stop()
        assert told(await stream.rest()) == []
    async with ann.listen(slug, after=0) as stream:  # on a connection that is still open
        assert "ready" in {event.kind for event in await stream.rest()}


async def test_one_who_leaves_while_beginning_to_listen_hears_nothing_afterwards(
    ann: Program, bob: Program, slug: str
) -> None:
    path = f"/rooms/{slug}"
    for _ in range(20):
        await bob.ask("PUT", f"{path}/membership")
        answer, _ = await asyncio.gather(
            bob.get(f"{path}/events"), bob.ask("DELETE", f"{path}/membership")
        )  # ends in any case, or this would wait for ever
        assert answer.status_code in (200, 403)


async def test_nothing_is_kept_of_a_reader_who_went_away(
    ann: Program, bob: Program, slug: str, streams: Streams
) -> None:
    await ann.say(slug, "one")
    for where in ({}, {"after": 0}, {"last_event_id": 1}):
        async with bob.listen(slug, **where):
            assert streams.count() == 1
        assert streams.count() == 0
        assert (streams._readers, len(streams._open)) == ({}, 0)
    assert (await ann.ask("GET", f"/rooms/{slug}"))["here"] == 0


async def test_a_quiet_stream_says_that_it_is_there(
    ann: Program, slug: str, streams: Streams
) -> None:
    assert streams.heartbeat == 15
    streams.heartbeat = 0
    async with ann.listen(slug) as stream:
        while (line := await stream.next_line()) != ": still here":
            assert line is not None


async def test_a_reader_that_does_not_read_is_let_go_and_may_resume(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        running_app(tmp_path, clock, stream_backlog_max=65_536) as web,
        calling(web) as http,
    ):
        visitor = await Program(http).ask("POST", "/visitors", json={"nickname": "Ann"})
        ann = Program(http, visitor["token"])
        await ann.open("room")
        async with ann.listen("room") as slow, ann.listen("room") as quick:
            await slow.ready()
            for number in range(1, 41):
                await ann.say("room", f"{number} ".ljust(4_000, "x"))
                await quick.until("message", seq=number)
            heard = told(await slow.rest())
        assert len(heard) < 40
        async with ann.listen("room", last_event_id=heard[-1] if heard else 0) as stream:
            heard += told(await stream.until("ready", seq=40))
        assert heard == list(range(1, 41))


async def test_what_waits_for_a_reader_is_bounded(clock: FakeClock) -> None:
    reader = Reader("visitor", clock=clock, backlog=100, patience=0)
    for _ in range(10):
        reader.hear(Notice(b"x" * 10))
    assert not reader.ended
    reader.hear(Notice(b"x"))
    reader.hear(Notice(b"x"))
    assert reader.ended
    assert await reader.take() is None


async def test_what_expires_while_it_waits_is_told_to_nobody(clock: FakeClock) -> None:
    reader = Reader("visitor", clock=clock, backlog=100, patience=0)
    moment = clock() + timedelta(seconds=10)
    reader.hear(Notice(b"late", 1, moment))
    reader.hear(lasting := Notice(b"lasting", 2, moment + timedelta(microseconds=1)))
    clock.move(timedelta(seconds=10))
    assert await reader.take() == [lasting]
    assert await reader.take() == []


async def test_too_many_streams_of_one_visitor_are_refused(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        running_app(tmp_path, clock, streams_per_visitor_max=1) as web,
        calling(web) as http,
    ):
        ann, bob = [
            Program(
                http,
                (await Program(http).ask("POST", "/visitors", json={"nickname": name}))["token"],
            )
            for name in ("Ann", "Bob")
        ]
        for program in (ann, bob):
            await program.open("room")
        async with ann.listen("room") as stream:
            answer = await ann.get("/rooms/room/events")
            assert (answer.status_code, answer.json()["type"]) == (
                429,
                "/api/v1/problems/limit-reached",
            )
            async with bob.listen("room"):
                await stream.until("presence", nickname="Bob")
        async with ann.listen("room") as stream:
            await stream.ready()


async def test_streams_of_one_network_are_bounded_and_keep_no_other_visitor_out(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        running_app(tmp_path, clock, sockets_per_address_max=1) as web,
        calling(web) as http,
    ):
        ann, bob = [
            Program(
                http,
                (await Program(http).ask("POST", "/visitors", json={"nickname": name}))["token"],
            )
            for name in ("Ann", "Bob")
        ]
        for program in (ann, bob):
            await program.open("room")
        async with AsyncExitStack() as streams:
            for _ in range(4):
                stream = await streams.enter_async_context(ann.listen("room"))
                await stream.ready()
            answer = await ann.get("/rooms/room/events")
            assert (answer.status_code, answer.json()["type"]) == (
                429,
                "/api/v1/problems/limit-reached",
            )
            async with bob.listen("room") as stream:
                await stream.ready()
        async with ann.listen("room") as stream:
            await stream.ready()


async def test_many_ipv6_networks_of_one_48_may_have_so_many_streams(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_app(tmp_path, clock, connections_per_address_max=10) as web:
        streams: Streams = web.state.streams
        chat: Chat = web.state.chat

        def listen(number: int, address: str) -> AbstractContextManager[Reader]:
            networks = chat.network_shares.of_address(address)
            return streams.listen("room", visitor_id=f"visitor {number}", networks=networks)

        with ExitStack() as open_streams:
            for number in range(40):
                open_streams.enter_context(listen(number, f"2001:db8:0:{number}::1"))
            with pytest.raises(LimitReached), listen(40, "2001:db8:0:40::1"):
                pass
            with listen(41, "2001:db8:1::1"):
                pass


async def test_a_stream_ends_with_the_token_that_it_was_asked_for_with(
    tmp_path: Path, clock: FakeClock
) -> None:
    phrase = {"nickname": "Ann", "secret_phrase": "correct horse battery staple"}
    async with (
        running_app(tmp_path, clock, browsers_per_visitor_max=1) as web,
        calling(web) as http,
    ):
        visitor = await Program(http).ask("POST", "/visitors", json=phrase)
        ann = Program(http, visitor["token"])
        await ann.open("room")
        async with ann.listen("room") as stream:
            await stream.ready()
            await Program(http).ask("POST", "/visitors", json=phrase)
            await stream.rest()


async def test_a_stream_ends_when_its_token_is_signed_out(ann: Program, chat: Chat) -> None:
    await ann.open("room")
    async with ann.listen("room") as stream:
        await stream.ready()
        await chat.identity.sign_out(ann.token)
        await stream.rest()
    assert (await ann.get("/rooms")).status_code == 401


@pytest.mark.parametrize(
    "where",
    [
        {"params": {"after": -1}},
        {"params": {"after": "x"}},
        {"headers": {"Last-Event-ID": "x"}},
        {"headers": {"Last-Event-ID": "-1"}},
        {"headers": {"Last-Event-ID": str(2**53)}},
    ],
)
async def test_a_start_that_cannot_be_is_refused_and_leaves_nothing(
    ann: Program, slug: str, streams: Streams, where: dict[str, dict[str, str]]
) -> None:
    answer = await ann.get(f"/rooms/{slug}/events", **where)
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/v1/problems/invalid-request")
    assert streams.count() == 0
    assert (await ann.ask("GET", f"/rooms/{slug}"))["here"] == 0


class _Slow(MemoryBus):
    """A bus that takes for ever to attend a room."""

    def __init__(self) -> None:
        super().__init__()
        self.attended: Counter[str] = Counter()
        self.begun = asyncio.Event()

    async def attend(self, room_id: str) -> None:
        self.attended[room_id] += 1
        self.begun.set()
        await asyncio.Event().wait()

    def leave(self, room_id: str) -> None:
        self.attended[room_id] -= 1


async def test_who_goes_before_the_stream_has_begun_leaves_the_room_unattended(
    web: FastAPI, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (visitor,) = await gather_in(chat, "night train", "Nils")
    bus = _Slow()
    monkeypatch.setattr(chat, "bus", bus)
    listening = _listen(chat, web.state.streams, visitor, room, "")
    beginning = asyncio.ensure_future(anext(listening))
    await bus.begun.wait()
    beginning.cancel()
    await asyncio.wait([beginning])
    assert bus.attended.total() == 0

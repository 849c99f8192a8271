"""What a node pays for what it only hears of, and for what it does itself, one thing at a time."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory

from anonchat import Member, Message, Room
from anonchat.bus import ValkeyBus
from anonchat.event_sealing import EventSealing
from anonchat.events import (
    Event,
    MessagePosted,
    PresenceTold,
    RoomRead,
    RoomsStirred,
)
from anonchat.ids import new_id
from anonchat.keystore import span_of
from anonchat.persistence import PersistenceWatch
from anonchat.sharedkeys import SharedKeys
from anonchat.valkey import Line, Valkey
from anonchat.vault import Vault
from models import RoomRow
from tests.benchmarks.cluster.site import Seats, Site, building
from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Outcome, Table
from tests.benchmarks.town import Guest
from tools.cluster import Node

_CROWD = 20_000
_SPOKEN_IN = 1_000
_FULL = 10
_SINGLE = 40
_SETTLE_SECONDS = 5.0
_IDLE_SECONDS = 6.0
_SECONDS = 6.0
_TALK_SECONDS = 10.0
_EVENTS_RATE = 500
_STIRRED_AT_ONCE = 50
_HEARERS = 20
_PUBLISHED = 2_000
_LIFE = timedelta(hours=24)
_TEXT = "no one of them looked up when the train stood still"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the town holds: rooms nobody looks at, rooms with one screen each, and full ones."""

    quiet: list[Room]
    single: list[Room]
    full: list[Room]
    guest: Guest
    seats_of_single: Seats
    seats_of_full: Seats


async def measure(lab: Lab) -> Outcome:
    """Start a node on nothing, then on a town; let it hear, and let it do."""
    crowd = lab.sized(_CROWD, least=200)
    async with building(1) as site, Load() as load:
        (node,) = site.nodes
        bare_start, bare = await _start(node)
        await node.stop()
        redis = site.redis.memory()
        scene = await _furnish(site, lab, crowd)
        stored = site.redis.memory() - redis
        start, weight = await _start(node)
        async with _speaking_as_another_node(site) as (bus, keys):
            bench = Bench(lab, site, bus)
            await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
            await bench.learn_idle()
            stirred = await bench.hear(_stir(scene.quiet), each=_STIRRED_AT_ONCE)
            presence = await bench.hear(_come_and_go(scene.quiet, scene.guest))
            read = await bench.hear(_read(scene.quiet, scene.guest))
            url = f"http://{node.address}"
            await load.open("anonchat", url, scene.seats_of_single)
            await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
            await bench.learn_idle()
            post = await bench.do(load, by=len(scene.single))
            await load.open("anonchat", url, scene.seats_of_full)
            await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
            await bench.learn_idle()
            await _make_span_keys(keys)
            single = await bench.attend(scene.single, scene.guest)
            full = await bench.attend(scene.full, scene.guest)
        hearing = await _measure_redis(site)
    delivery = (full - single) / (len(scene.seats_of_full) / len(scene.full) - 1)
    costs = {
        "stirred room": stirred,
        "presence": presence,
        "read mark": read,
        "attended message": single - delivery,
        "delivery": delivery,
        "post": post - delivery,
        "hearing in Redis": hearing,
        "bytes per room and visitor": (weight - bare) / crowd,
        "bytes per room and visitor in Redis": stored / crowd,
        "start per room and visitor": (start - bare_start) / crowd,
    }
    return Outcome(tables=[_draw(crowd, len(scene.single), costs)], costs=costs)


class Bench:
    """A node at work, and what it takes when there is nothing to do."""

    def __init__(self, lab: Lab, site: Site, bus: ValkeyBus) -> None:
        self._lab = lab
        self._node = site.nodes[0]
        self._bus = bus
        self._idle = 0.0

    async def learn_idle(self) -> None:
        """Look at what the node takes while nothing happens."""
        seconds = self._lab.lasting(_IDLE_SECONDS)
        before = self._node.processor()
        await asyncio.sleep(seconds)
        self._idle = (self._node.processor() - before) / seconds

    async def hear(
        self,
        events: Iterator[Event],
        *,
        rate: float = _EVENTS_RATE,
        seconds: float = _SECONDS,
        each: int = 1,
    ) -> float:
        """Let another node tell it of so many things a second; return the seconds for each.

        An event may be about more than one thing.
        """

        async def tell() -> int:
            started = time.monotonic()
            number = int(rate * self._lab.lasting(seconds) / each)
            for event in islice(events, number):
                self._bus.send(event)
                told = next(tellings)
                await asyncio.sleep(max(0.0, started + told * each / rate - time.monotonic()))
            return number * each

        tellings = count(1)
        return await self._spend(tell)

    async def attend(self, rooms: Sequence[Room], guest: Guest) -> float:
        """Let another node tell it of a message a second in each room."""
        return await self.hear(_say(rooms, guest), rate=len(rooms), seconds=_TALK_SECONDS)

    async def do(self, load: Load, *, by: int) -> float:
        """Let its screens post, each once a second; return the seconds for each post."""

        async def talk() -> int:
            seconds = self._lab.lasting(_TALK_SECONDS)
            return (await load.talk(rate=by, seconds=seconds, by=by)).posted

        return await self._spend(talk)

    async def _spend(self, act: Callable[[], Awaitable[int]]) -> float:
        started, before = time.monotonic(), self._node.processor()
        number = await act()
        await asyncio.sleep(2.0)  # what it draws once a second is a part of it
        idle = self._idle * (time.monotonic() - started)
        return max(0.0, self._node.processor() - before - idle) / number


async def _start(node: Node) -> tuple[float, int]:
    """Start a node; return the processor time until it is ready, and the memory it holds then."""
    await node.start()
    return node.processor(), node.memory()


async def _furnish(site: Site, lab: Lab, crowd: int) -> Scene:
    async with site.founding() as town:
        guests = await town.come_in(crowd)
        rows = await town.open_rooms(crowd)
        spoken, single_rows = lab.sized(_SPOKEN_IN, least=20), lab.sized(_SINGLE, least=10)
        quiet, single = rows[:spoken], rows[spoken : spoken + single_rows]
        full = rows[spoken + single_rows :][:single_rows]
        await town.say(quiet, guests[:1], 1)
        crowded = [room for room in full for _ in range(_FULL)]
        pairs = list(zip([*single, *crowded], guests, strict=False))
        await town.join(pairs)
        seats = [{"room": town.name(room.id), "token": guest.token} for room, guest in pairs]
        opened = {room.id: room for room in town.look(rows)}
    return Scene(
        quiet=_find(opened, quiet),
        single=_find(opened, single),
        full=_find(opened, full),
        guest=guests[0],
        seats_of_single=seats[: len(single)],
        seats_of_full=seats[len(single) :],
    )


def _find(opened: dict[str, Room], rows: Sequence[RoomRow]) -> list[Room]:
    return [opened[row.id] for row in rows]


@asynccontextmanager
async def _speaking_as_another_node(site: Site) -> AsyncIterator[tuple[ValkeyBus, SharedKeys]]:
    """Give a bus, and the keys with which texts travel over it."""
    valkey, secret = Valkey(site.shared["bus_url"]), site.shared["secret_key"]
    bus = ValkeyBus(
        valkey,
        secret=secret,
        conceal=lambda event: sealing.conceal(event),
        reveal=lambda event: sealing.reveal(event),
    )
    with TemporaryDirectory() as folder:
        keys = SharedKeys(
            Path(folder) / "keys",
            secret,
            node="another",
            valkey=valkey,
            persistence=PersistenceWatch(valkey),
            bus=bus,
            agreement=bus.agreement,
            clock=_now,
        )
        sealing = EventSealing(Vault(keys))
        keys.open()
        await bus.start()
        try:
            await keys.meet()
            await keys.join()
            yield bus, keys
        finally:
            await keys.finish()
            await bus.stop()
            await valkey.close()
            keys.close()


async def _make_span_keys(keys: SharedKeys) -> None:
    """Make the keys for what will be said in the next minutes."""
    first = span_of(_now() + _LIFE)
    await keys.obtain(*(keys.own_of_span(number, 0) for number in range(first, first + 10)))


def _now() -> datetime:
    return datetime.now(UTC)


def _stir(rooms: Sequence[Room]) -> Iterator[Event]:
    every = cycle(rooms)
    for seq in count(2):
        some = islice(every, _STIRRED_AT_ONCE)
        yield RoomsStirred(tuple(replace(room, last_seq=seq) for room in some), {})


def _come_and_go(rooms: Sequence[Room], guest: Guest) -> Iterator[Event]:
    for room in cycle(rooms):
        member = Member(room.id, guest.id, _pseudonym(), guest.nickname, badge="", read_seq=0)
        for present in (True, False):
            yield PresenceTold("another", member, present)


def _read(rooms: Sequence[Room], guest: Guest) -> Iterator[Event]:
    for number, room in enumerate(cycle(rooms)):
        yield RoomRead(guest.id, room.id, 1 + number // len(rooms))


def _say(rooms: Sequence[Room], guest: Guest) -> Iterator[Event]:
    author = _pseudonym()
    for number, room in enumerate(cycle(rooms)):
        seq, now = room.last_seq + 1_000 + number // len(rooms), _now()
        message = Message(
            id=new_id(),
            room_id=room.id,
            seq=seq,
            author=author,
            nickname=guest.nickname,
            badge="",
            text=_TEXT,
            dedup_id=new_id(),
            posted_at=now,
            expires_at=now + _LIFE,
        )
        yield MessagePosted(replace(room, last_seq=seq, active_at=now), message, guest.id)


def _pseudonym() -> str:
    return secrets.token_hex(9)


async def _measure_redis(site: Site) -> float:
    """Return what Redis takes to bring one message to one who hears it."""
    valkey = Valkey(site.shared["bus_url"])
    data = b"x" * 300

    async def hear(line: Line, heard: asyncio.Event) -> None:
        await line.ask("SUBSCRIBE", "bench")
        await line.hear()
        heard.set()
        for _ in range(_PUBLISHED):
            await line.hear()

    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(valkey.listening()) for _ in range(_HEARERS)]
        heard = [asyncio.Event() for _ in lines]
        hearing = [asyncio.create_task(hear(*each)) for each in zip(lines, heard, strict=True)]
        await asyncio.gather(*(each.wait() for each in heard))
        before = site.redis.processor()
        for _ in range(_PUBLISHED // 100):
            await valkey.call_all([("PUBLISH", "bench", data)] * 100)
        await asyncio.gather(*hearing)
        spent = site.redis.processor() - before
    await valkey.close()
    return spent / _HEARERS / _PUBLISHED


def _draw(crowd: int, single: int, costs: dict[str, float]) -> Table:
    words = {
        "stirred room": "hearing that something was said in a room that nobody here looks at",
        "presence": "hearing that somebody came or went elsewhere",
        "read mark": "hearing up to where somebody has read elsewhere",
        "attended message": "a message from elsewhere into a room that is looked at here",
        "delivery": "bringing it to one more screen, with what that screen answers",
        "post": "a post made here, with its way to the others",
        "hearing in Redis": "Redis: bringing one event to one node",
    }
    rows = [[what, f"{costs[name] * 1e6:.1f} µs"] for name, what in words.items()]
    sizes = {
        "bytes per room and visitor": "a room and a visitor, on each node: memory",
        "bytes per room and visitor in Redis": "their keys, in Redis: memory",
    }
    rows += [[what, f"{costs[name] / 1000:.1f} kB"] for name, what in sizes.items()]
    starts = costs["start per room and visitor"] * 1e6
    return Table(
        "What a node pays for one thing",
        ["thing", "processor time or memory of the node, unless it says otherwise"],
        [*rows, ["what one room and one visitor add to the start of a node", f"{starts:.0f} µs"]],
        f"One node in a town of {crowd:,} rooms and as many visitors, told over Redis as by "
        "another node; what it takes at rest is taken off. Of messages there is one a second in "
        f"each of {single} rooms: the fewer there are, the fewer share a waking of the process.",
    )

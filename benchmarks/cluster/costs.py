"""Costs of a node for events of other nodes and for its own work, one operation at a time."""

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
from anonchat.bus.client import Subscription, Valkey
from anonchat.bus.persistence import PersistenceMonitor
from anonchat.events import Event, MessagePosted, PeerPresence, RoomActivity, RoomRead
from anonchat.ids import new_id
from anonchat.security.event_cipher import EventCipher
from anonchat.security.key_names import span_at
from anonchat.security.message_cipher import MessageCipher
from anonchat.security.replicated_keystore import ReplicatedKeyStore
from anonchat.security.row_cipher import RowCipher
from benchmarks.cluster.site import ScreenSpecs, Site, running_stores
from benchmarks.database_seeder import Guest
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Outcome, Table
from models import RoomRow
from tools.servers.node import Node

_SIZE = 20_000
_QUIET_ROOMS = 1_000
_SCREENS_PER_FULL_ROOM = 10
_SINGLE_ROOMS = 40
_SETTLE_SECONDS = 5.0
_IDLE_SECONDS = 6.0
_SECONDS = 6.0
_TALK_SECONDS = 10.0
_EVENTS_RATE = 500
_ROOMS_PER_EVENT = 50
_SUBSCRIBERS = 20
_PUBLISHED = 2_000
_TTL = timedelta(hours=24)
_TEXT = "no one of them looked up when the train stood still"


@dataclass(frozen=True, slots=True)
class Scene:
    """The seeded rooms: without screens (`quiet`), with one screen each (`single`), and `full`."""

    quiet: list[Room]
    single: list[Room]
    full: list[Room]
    guest: Guest
    single_specs: ScreenSpecs
    full_specs: ScreenSpecs


async def measure(lab: Lab) -> Outcome:
    """Start a node on an empty and on a full database; measure events, then its own work."""
    size = lab.scaled(_SIZE, minimum=200)
    async with running_stores(1) as site, Load() as load:
        (node,) = site.nodes
        empty_start, empty = await _start(node)
        await node.stop()
        redis = site.redis.resident_bytes()
        scene = await _seed(site, lab, size)
        stored = site.redis.resident_bytes() - redis
        start, memory = await _start(node)
        async with _run_remote_bus(site) as (bus, keys):
            bench = Bench(lab, site, bus)
            await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
            await bench.measure_idle()
            activity = await bench.measure_events(
                _room_activity(scene.quiet), each=_ROOMS_PER_EVENT
            )
            presence = await bench.measure_events(_presence_changes(scene.quiet, scene.guest))
            read = await bench.measure_events(_read_marks(scene.quiet, scene.guest))
            url = f"http://{node.address}"
            await load.open("anonchat", url, scene.single_specs)
            await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
            await bench.measure_idle()
            post = await bench.measure_posts(load, speakers=len(scene.single))
            await load.open("anonchat", url, scene.full_specs)
            await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
            await bench.measure_idle()
            await _make_span_keys(keys)
            single = await bench.measure_messages(scene.single, scene.guest)
            full = await bench.measure_messages(scene.full, scene.guest)
        redis_delivery = await _measure_redis(site)
    delivery = (full - single) / (len(scene.full_specs) / len(scene.full) - 1)
    costs = {
        "room activity": activity,
        "presence": presence,
        "read mark": read,
        "message in an open room": single - delivery,
        "delivery": delivery,
        "post": post - delivery,
        "delivery by Redis": redis_delivery,
        "bytes per room and visitor": (memory - empty) / size,
        "bytes per room and visitor in Redis": stored / size,
        "start per room and visitor": (start - empty_start) / size,
    }
    return Outcome(tables=[_make_table(size, len(scene.single), costs)], costs=costs)


class Bench:
    """Measures the processor time of a node, minus its idle load."""

    def __init__(self, lab: Lab, site: Site, bus: ValkeyBus) -> None:
        self._lab = lab
        self._node = site.nodes[0]
        self._bus = bus
        self._idle = 0.0

    async def measure_idle(self) -> None:
        """Measure the idle load of the node."""
        seconds = self._lab.scaled_seconds(_IDLE_SECONDS)
        before = self._node.processor_seconds()
        await asyncio.sleep(seconds)
        self._idle = (self._node.processor_seconds() - before) / seconds

    async def measure_events(
        self,
        events: Iterator[Event],
        *,
        rate: float = _EVENTS_RATE,
        seconds: float = _SECONDS,
        each: int = 1,
    ) -> float:
        """Publish `rate` items a second from a remote bus; return the node's seconds per item.

        `each` is the number of items per event.
        """

        async def publish() -> int:
            started = time.monotonic()
            number = int(rate * self._lab.scaled_seconds(seconds) / each)
            for event in islice(events, number):
                self._bus.publish_remote(event)
                published = next(numbers)
                await asyncio.sleep(max(0.0, started + published * each / rate - time.monotonic()))
            return number * each

        numbers = count(1)
        return await self._measure(publish)

    async def measure_messages(self, rooms: Sequence[Room], guest: Guest) -> float:
        """Publish a message a second in each room from a remote bus."""
        return await self.measure_events(
            _posted_messages(rooms, guest), rate=len(rooms), seconds=_TALK_SECONDS
        )

    async def measure_posts(self, load: Load, *, speakers: int) -> float:
        """Post by its screens, each once a second; return the node's seconds per post."""

        async def talk() -> int:
            seconds = self._lab.scaled_seconds(_TALK_SECONDS)
            return (await load.talk(rate=speakers, seconds=seconds, speakers=speakers)).posted

        return await self._measure(talk)

    async def _measure(self, work: Callable[[], Awaitable[int]]) -> float:
        started, before = time.monotonic(), self._node.processor_seconds()
        number = await work()
        await asyncio.sleep(2.0)  # includes what it renders once a second
        idle = self._idle * (time.monotonic() - started)
        return max(0.0, self._node.processor_seconds() - before - idle) / number


async def _start(node: Node) -> tuple[float, int]:
    """Start a node; return its processor time until it is ready, and its memory then."""
    await node.start()
    return node.processor_seconds(), node.resident_bytes()


async def _seed(site: Site, lab: Lab, size: int) -> Scene:
    async with site.seeding() as seeder:
        guests = await seeder.add_visitors(size)
        rows = await seeder.add_rooms(size)
        quiet_count = lab.scaled(_QUIET_ROOMS, minimum=20)
        single_count = lab.scaled(_SINGLE_ROOMS, minimum=10)
        quiet, single = rows[:quiet_count], rows[quiet_count : quiet_count + single_count]
        full = rows[quiet_count + single_count :][:single_count]
        await seeder.add_messages(quiet, guests[:1], 1)
        repeated = [room for room in full for _ in range(_SCREENS_PER_FULL_ROOM)]
        pairs = list(zip([*single, *repeated], guests, strict=False))
        await seeder.add_members(pairs)
        specs = [{"room": seeder.room_name(room.id), "token": guest.token} for room, guest in pairs]
        entities = {room.id: room for room in seeder.decrypt_rooms(rows)}
    return Scene(
        quiet=_find(entities, quiet),
        single=_find(entities, single),
        full=_find(entities, full),
        guest=guests[0],
        single_specs=specs[: len(single)],
        full_specs=specs[len(single) :],
    )


def _find(entities: dict[str, Room], rows: Sequence[RoomRow]) -> list[Room]:
    return [entities[row.id] for row in rows]


@asynccontextmanager
async def _run_remote_bus(
    site: Site,
) -> AsyncIterator[tuple[ValkeyBus, ReplicatedKeyStore]]:
    """Yield a bus of a second node, and the keys of its events."""
    valkey, secret = Valkey(site.shared["bus_url"]), site.shared["secret_key"]
    bus = ValkeyBus(
        valkey,
        secret=secret,
        encrypt_event=lambda event: cipher.encrypt_event(event),
        decrypt_event=lambda event: cipher.decrypt_event(event),
    )
    with TemporaryDirectory() as folder:
        keys = ReplicatedKeyStore(
            Path(folder) / "keys",
            secret,
            node="another",
            valkey=valkey,
            persistence=PersistenceMonitor(valkey),
            bus=bus,
            agreement=bus.agreement,
            clock=_now,
        )
        cipher = EventCipher(RowCipher(keys), MessageCipher(keys))
        keys.open()
        await bus.start()
        try:
            await keys.agree_hash_key()
            await keys.sync()
            yield bus, keys
        finally:
            await keys.flush()
            await bus.stop()
            await valkey.close()
            keys.close()


async def _make_span_keys(keys: ReplicatedKeyStore) -> None:
    """Create the span keys of the messages of the next minutes."""
    first = span_at(_now() + _TTL)
    await keys.get_or_create(*(keys.own_span_key(number, 0) for number in range(first, first + 10)))


def _now() -> datetime:
    return datetime.now(UTC)


def _room_activity(rooms: Sequence[Room]) -> Iterator[Event]:
    all_rooms = cycle(rooms)
    for seq in count(2):
        some = islice(all_rooms, _ROOMS_PER_EVENT)
        yield RoomActivity(tuple(replace(room, last_seq=seq) for room in some), {})


def _presence_changes(rooms: Sequence[Room], guest: Guest) -> Iterator[Event]:
    for room in cycle(rooms):
        member = Member(room.id, guest.id, _pseudonym(), guest.nickname, badge="", read_seq=0)
        for present in (True, False):
            yield PeerPresence("another", member, present)


def _read_marks(rooms: Sequence[Room], guest: Guest) -> Iterator[Event]:
    for number, room in enumerate(cycle(rooms)):
        yield RoomRead(guest.id, room.id, 1 + number // len(rooms))


def _posted_messages(rooms: Sequence[Room], guest: Guest) -> Iterator[Event]:
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
            expires_at=now + _TTL,
        )
        yield MessagePosted(replace(room, last_seq=seq, active_at=now), message, guest.id)


def _pseudonym() -> str:
    return secrets.token_hex(9)


async def _measure_redis(site: Site) -> float:
    """Return the processor time of Redis per message and subscriber."""
    valkey = Valkey(site.shared["bus_url"])
    data = b"x" * 300

    async def receive(subscription: Subscription, subscribed: asyncio.Event) -> None:
        await subscription.send_command("SUBSCRIBE", "bench")
        await subscription.receive()
        subscribed.set()
        for _ in range(_PUBLISHED):
            await subscription.receive()

    async with AsyncExitStack() as stack:
        subscriptions = [
            await stack.enter_async_context(valkey.open_subscription()) for _ in range(_SUBSCRIBERS)
        ]
        subscribed = [asyncio.Event() for _ in subscriptions]
        receivers = [
            asyncio.create_task(receive(*each))
            for each in zip(subscriptions, subscribed, strict=True)
        ]
        await asyncio.gather(*(each.wait() for each in subscribed))
        before = site.redis.processor_seconds()
        for _ in range(_PUBLISHED // 100):
            await valkey.call_pipeline([("PUBLISH", "bench", data)] * 100)
        await asyncio.gather(*receivers)
        spent = site.redis.processor_seconds() - before
    await valkey.close()
    return spent / _SUBSCRIBERS / _PUBLISHED


def _make_table(size: int, single: int, costs: dict[str, float]) -> Table:
    labels = {
        "room activity": "receiving the activity of a room that is not open on the node",
        "presence": "receiving a join or leave from another node",
        "read mark": "receiving a read mark from another node",
        "message in an open room": "receiving a message of a room that is open on the node",
        "delivery": "delivering it to one more screen, with that screen's read mark",
        "post": "a post on the node, published to the other nodes",
        "delivery by Redis": "Redis: delivering one event to one node",
    }
    rows = [[label, f"{costs[name] * 1e6:.1f} µs"] for name, label in labels.items()]
    sizes = {
        "bytes per room and visitor": "a room and a visitor, on each node: memory",
        "bytes per room and visitor in Redis": "their keys, in Redis: memory",
    }
    rows += [[label, f"{costs[name] / 1000:.1f} kB"] for name, label in sizes.items()]
    starts = costs["start per room and visitor"] * 1e6
    return Table(
        "Costs of a node per operation",
        ["operation", "processor time or memory of the node, unless stated otherwise"],
        [*rows, ["a room and a visitor: startup time of a node", f"{starts:.0f} µs"]],
        f"One node of a site with {size:,} rooms and as many visitors, which receives events over "
        "Redis as from another node; its idle cost is subtracted. Messages are posted once a "
        f"second in each of {single} rooms: at lower rates fewer events share one wake-up of the "
        "process.",
    )

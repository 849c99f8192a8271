"""What crosses the bus opens with no file and no secret, neither then nor later."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from anonchat import Chat, MessagesGone
from anonchat.bus import GroupKey, ValkeyBus
from anonchat.bus.codec import Codec
from anonchat.events import (
    Event,
    KeysMade,
    MemberJoined,
    MessagePosted,
    PresenceTold,
    RollTold,
    RoomOpened,
    RoomsStirred,
)
from anonchat.seal import BrokenSeal, derive_key, unseal
from tests.fakes import Ear, FakeClock, come_in, running_chat
from tests.forgetting.canaries import canary, find
from tests.forgetting.recorder import Recorder, recording
from tests.pages.tab import until
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis

SECRET = "known to whoever listens"
ROOT = Path(__file__).parents[2]
_PURPOSE = re.compile(r'purpose="([^"]+)"')


@asynccontextmanager
async def _running_nodes(
    postgres: Postgres, server: Redis, folder: Path, clock: FakeClock
) -> AsyncIterator[tuple[Chat, Chat]]:
    shared = {"database_url": postgres.take(), "bus_url": server.url, "secret_key": SECRET}
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                running_chat(folder / name, clock, node_id=name, message_ttl="10m", **shared)
            )
            for name in ("n1", "n2")
        ]
        yield first, second
    postgres.give_all_back()


def _group(node: Chat) -> GroupKey:
    assert isinstance(node.bus, ValkeyBus)
    assert node.bus.agreement.current
    return node.bus.agreement.current


def _read_events(recorder: Recorder, group: GroupKey) -> list[Event]:
    """Return all events, as whoever has the group key reads them."""
    codec = Codec(SECRET)
    opened = [
        codec.unpack(data[16:], group, channel=channel)  # after the name of the line
        for channel, data in recorder.published()
        if channel != "anonchat:group key"
    ]
    return [event for event in opened if event]


async def _live(first: Chat, second: Chat, words: dict[str, str]) -> str:
    """Do everything that nodes tell each other of; return the id of a message."""
    ann, ben = [await come_in(node, words[node.settings.node_id]) for node in (first, second)]
    room = await first.rooms.create(words["room"], visitor_id=ann.id, topic=words["topic"])
    await until(lambda: second._keys.get(f"room {room.id}") is not None)
    ben_in = await second.memberships.join(room.id, visitor_id=ben.id)
    ear = Ear(first)
    await first.bus.attend(room.id)
    await second.presence.enter(ben_in, screen="one")
    first.presence.ask()
    message = await second.messages.post(
        room.id, visitor_id=ben.id, text=words["text"], dedup_id=words["dedup"].split()[-1]
    )
    await until(lambda: bool(ear.all(MessagePosted) and ear.all(RoomsStirred)))
    heard = ear.all(MessagePosted)[0]
    assert (heard.message, heard.visitor_id) == (message, ben.id)
    assert heard.room.name == words["room"]
    await until(lambda: any(each.members for each in ear.all(RollTold)))
    await until(lambda: first.presence.list_present(room.id) == {ben_in.author})
    await second.presence.leave(ben_in, screen="one")
    await until(lambda: not first.presence.list_present(room.id))
    hidden = await second.rooms.create(words["hidden"], visitor_id=ben.id, listed=False)
    await until(lambda: first.lobby.glance(hidden.id) is not None)
    assert (await first.lobby.find(hidden.slug)).name == words["hidden"]
    words["address"] = hidden.slug
    return message.id


async def test_no_text_crosses_the_bus_even_for_who_has_the_group_key(
    postgres: Postgres, server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    words = {name: canary(name) for name in ("room", "topic", "text", "hidden", "dedup")}
    words |= {name: canary(name)[:24] for name in ("n1", "n2")}
    async with recording(server.port) as recorder:
        async with _running_nodes(postgres, server, tmp_path, clock) as (first, second):
            message_id = await _live(first, second, words)
            events = _read_events(recorder, _group(first))
    words["dedup"] = words["dedup"].split()[-1]
    kinds = {type(event) for event in events}
    assert kinds >= {
        RoomOpened, MemberJoined, MessagePosted, RoomsStirred, PresenceTold, RollTold, KeysMade
    }  # fmt: skip
    place = tmp_path / "recorded"
    place.mkdir()
    (place / "events").write_text("\n".join(map(repr, events)))
    (place / "words").write_bytes(b"\0".join(recorder.words()))
    assert find([message_id], place) == [message_id], "a scan that is blind"
    assert find(words.values(), place) == []


async def test_recorded_traffic_and_the_secret_key_open_nothing(
    postgres: Postgres, server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    words = {name: canary(name) for name in ("room", "topic", "text", "hidden", "dedup")}
    words |= {name: canary(name)[:24] for name in ("n1", "n2")}
    keys: set[bytes] = set()
    async with recording(server.port) as recorder:
        async with _running_nodes(postgres, server, tmp_path, clock) as (first, second):
            await _live(first, second, words)
            for node in (first, second):
                keys |= {key for name in node._keys.names() if (key := node._keys.get(name))}
                keys.add(node._keys.hash_key)
            keys.add(_group(first).key)
            ear = Ear(first)
            clock.move(timedelta(minutes=11))
            for node in (first, second):
                await node.purge()
            await until(lambda: bool(ear.all(MessagesGone)))
    assert any(command[0] == b"HSET" for command in recorder.commands), "keys were stored"
    opened = _open_all(recorder)
    assert opened, "the questions and answers by which nodes agree can be read"
    for key in keys:
        for text in opened | recorder.words():
            assert key not in text
            assert key.hex().encode() not in text


def _open_all(recorder: Recorder) -> set[bytes]:
    """Return all that any key opens that follows from the secret, wherever it may begin."""
    purposes = {"bus", "travelling keys", "hash", "wrap"}
    for path in (ROOT / "anonchat").rglob("*.py"):
        purposes |= set(_PURPOSE.findall(path.read_text()))
    every_key = [SECRET.encode()[:32].ljust(32)]
    every_key += [derive_key(SECRET.encode(), purpose=purpose) for purpose in purposes]
    found: set[bytes] = set()
    for command in recorder.commands:
        places = {word.decode() for word in command if word.isascii()}
        for word in command:
            for begin in (0, 16, 32, 48):
                for key in every_key:
                    for place in (*places, "anonchat:group key id"):
                        try:
                            found.add(unseal(key, word[begin:], place=place))
                        except BrokenSeal:
                            continue
    return found

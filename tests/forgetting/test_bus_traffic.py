"""Recorded bus traffic contains no plaintext, and the secret key decrypts none of it later."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

from anonchat import Chat, MessagesDeleted, Post
from anonchat.bus import GroupKey, ValkeyBus
from anonchat.bus.codec import Codec
from anonchat.crypto import DecryptionError, decrypt, derive_key
from anonchat.events import (
    Event,
    KeysCreated,
    MemberChanged,
    MemberJoined,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    PeerPresence,
    PresenceSnapshot,
    RoomActivity,
    RoomChanged,
    RoomOpened,
    TypingSignalled,
    VisitorTold,
)
from tests.fakes import EventRecorder, FakeClock, running_chat, sign_in
from tests.forgetting.canaries import canary, find
from tests.forgetting.recorder import Recorder, recording
from tests.pages.tab import wait_until
from tests.servers.postgres import PostgresPool
from tools.servers.redis import Redis

SECRET = "known to the eavesdropper"
ROOT = Path(__file__).parents[2]
_WORDS = ("room", "topic", "text", "data", "hidden", "dedup")
_PURPOSE = re.compile(r'purpose="([^"]+)"')


@asynccontextmanager
async def _running_nodes(
    postgres: PostgresPool, server: Redis, folder: Path, clock: FakeClock
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
    postgres.release_all()


def _group(node: Chat) -> GroupKey:
    assert isinstance(node.bus, ValkeyBus)
    assert node.bus.agreement.current
    return node.bus.agreement.current


def _read_events(recorder: Recorder, group: GroupKey) -> list[Event]:
    """Return all published events, decrypted with the group key."""
    codec = Codec(SECRET)
    events = [
        codec.decode(data[16:], group, channel=channel)  # after the name of the connection
        for channel, data in recorder.published()
        if channel != "anonchat:group key"
    ]
    return [event for event in events if event]


async def _trigger_events(first: Chat, second: Chat, words: dict[str, str]) -> str:
    """Trigger all events that nodes exchange; return the id of a message."""
    ann, ben = [await sign_in(node, words[node.settings.node_id]) for node in (first, second)]
    room = await first.rooms.create(words["room"], visitor_id=ann.id, topic=words["topic"])
    await wait_until(lambda: second._keys.get(f"room {room.id}") is not None)
    await first.memberships.join(room.id, visitor_id=ann.id)
    ben_in = await second.memberships.join(room.id, visitor_id=ben.id)
    event_recorder = EventRecorder(first)
    await first.bus.subscribe_room(room.id)
    await second.presence.enter(ben_in, page_id="one")
    first.presence.publish_snapshot(asks=True)
    message = await second.messages.post(
        room.id,
        visitor_id=ben.id,
        post=Post(words["text"], kind="canary", data={"word": words["data"]}),
        dedup_id=words["dedup"].split()[-1],
    )
    await wait_until(
        lambda: bool(event_recorder.of_type(MessagePosted) and event_recorder.of_type(RoomActivity))
    )
    received = event_recorder.of_type(MessagePosted)[0]
    assert (received.message, received.visitor_id) == (message, ben.id)
    assert received.room.name == words["room"]
    plain = await second.messages.post(room.id, visitor_id=ben.id, text="to be edited")
    words["edited"] = canary("edited")
    edited = await second.messages.edit(
        room.id, visitor_id=ben.id, message_id=plain.id, text=words["edited"]
    )
    await wait_until(lambda: bool(event_recorder.of_type(MessageEdited)))
    assert event_recorder.of_type(MessageEdited) == [MessageEdited(edited, ben.id)]
    words["emoji"] = "👩🏾‍🚀"
    reacted = await second.messages.react(
        room.id, visitor_id=ann.id, message_id=message.id, emoji=words["emoji"], on=True
    )
    assert reacted.reactions
    await wait_until(lambda: bool(event_recorder.of_type(MessageReacted)))
    assert event_recorder.of_type(MessageReacted) == [MessageReacted(reacted, ben.id)]
    words["once"] = canary("once")
    once = Post(words["once"], once=True)
    cid = await sign_in(first, "Cid")
    await first.memberships.join(room.id, visitor_id=cid.id)
    message_once = await second.messages.post(room.id, visitor_id=ben.id, post=once)
    opened = await second.messages.open_once(room.id, visitor_id=ann.id, message_id=message_once.id)
    assert opened == words["once"]
    await wait_until(lambda: bool(event_recorder.of_type(MessageOpened)))
    (event,) = event_recorder.of_type(MessageOpened)
    assert (event.message.text, event.message.opened) == ("", 1)
    await second.typing.signal(room.id, visitor_id=ben.id)
    await wait_until(lambda: bool(event_recorder.of_type(TypingSignalled)))
    await wait_until(lambda: any(each.members for each in event_recorder.of_type(PresenceSnapshot)))
    await wait_until(lambda: first.presence.list_present(room.id) == {ben_in.author})
    await second.presence.leave(ben_in, page_id="one")
    await wait_until(lambda: not first.presence.list_present(room.id))
    hidden = await second.rooms.create(words["hidden"], visitor_id=ben.id, listed=False)
    await wait_until(lambda: first.room_directory.summary(hidden.id) is not None)
    assert (await first.room_directory.find(hidden.slug)).name == words["hidden"]
    words["told"] = canary("told")
    told = VisitorTold(room.id, ann.id, words["told"])
    await second.bus.publish(told)
    await wait_until(lambda: event_recorder.of_type(VisitorTold) == [told])
    order = first.moderation
    await order.mute(room.id, ben_in.author, None, visitor_id=ann.id)
    await wait_until(lambda: bool(event_recorder.of_type(MemberChanged)))
    assert event_recorder.of_type(MemberChanged)[0].member.nickname == ben.nickname
    words["address"] = hidden.slug
    words["new name"] = canary("new name")
    words["unwanted"] = canary("unwanted")
    await second.room_editor.update(
        hidden.id, visitor_id=ben.id, name=words["new name"], unwanted=[words["unwanted"]]
    )
    await wait_until(lambda: bool(event_recorder.of_type(RoomChanged)))
    assert (await first.room_directory.find(hidden.slug)).name == words["new name"]
    return message.id


async def test_bus_traffic_contains_no_text_even_with_the_group_key(
    postgres: PostgresPool, server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    words = {name: canary(name) for name in _WORDS}
    words |= {name: canary(name)[:24] for name in ("n1", "n2")}
    async with recording(server.port) as recorder:
        async with _running_nodes(postgres, server, tmp_path, clock) as (first, second):
            message_id = await _trigger_events(first, second, words)
            events = _read_events(recorder, _group(first))
    words["dedup"] = words["dedup"].split()[-1]
    kinds = {type(event) for event in events}
    assert kinds >= {
        RoomOpened, RoomChanged, MemberJoined, MessagePosted, RoomActivity, PeerPresence,
        PresenceSnapshot, VisitorTold, KeysCreated, MessageEdited,
        MessageReacted, MemberChanged, MessageOpened, TypingSignalled,
    }  # fmt: skip
    folder = tmp_path / "recorded"
    folder.mkdir()
    (folder / "events").write_text("\n".join(map(repr, events)))
    (folder / "arguments").write_bytes(b"\0".join(recorder.arguments()))
    assert find([message_id], folder) == [message_id], "the search finds nothing that is recorded"
    assert find(words.values(), folder) == []


async def test_recorded_traffic_and_the_secret_key_reveal_no_key(
    postgres: PostgresPool, server: Redis, tmp_path: Path, clock: FakeClock
) -> None:
    words = {name: canary(name) for name in _WORDS}
    words |= {name: canary(name)[:24] for name in ("n1", "n2")}
    keys: set[bytes] = set()
    async with recording(server.port) as recorder:
        async with _running_nodes(postgres, server, tmp_path, clock) as (first, second):
            await _trigger_events(first, second, words)
            for node in (first, second):
                keys |= {key for name in node._keys.names() if (key := node._keys.get(name))}
                keys.add(node._keys.hash_key)
            keys.add(_group(first).key)
            event_recorder = EventRecorder(first)
            clock.advance(timedelta(minutes=11))
            for node in (first, second):
                await node.purge()
            await wait_until(lambda: bool(event_recorder.of_type(MessagesDeleted)))
    assert any(command[0] == b"HSET" for command in recorder.commands), "no keys were stored"
    plaintexts = _decrypt_all(recorder)
    assert plaintexts, "no request or response of the key agreement was decrypted"
    for key in keys:
        for text in plaintexts | recorder.arguments():
            assert key not in text
            assert key.hex().encode() not in text


def _decrypt_all(recorder: Recorder) -> set[bytes]:
    """Return all that keys derived from the secret decrypt, at several offsets."""
    purposes = {"bus", "group key", "hash", "wrap"}
    for path in (ROOT / "anonchat").rglob("*.py"):
        purposes |= set(_PURPOSE.findall(path.read_text()))
    every_key = [SECRET.encode()[:32].ljust(32)]
    every_key += [derive_key(SECRET.encode(), purpose=purpose) for purpose in purposes]
    found: set[bytes] = set()
    for command in recorder.commands:
        names = {word.decode() for word in command if word.isascii()}
        for word in command:
            for offset in (0, 16, 32, 48):
                for key in every_key:
                    for name in (*names, "anonchat:group key id"):
                        try:
                            found.add(decrypt(key, word[offset:], associated_data=name))
                        except DecryptionError:
                            continue
    return found

"""No file contains plaintext at any time, and deleted texts cannot be decrypted later."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from anonchat import Chat, Event, Message, MessagesDeleted, Post, Visitor
from anonchat.security.key_names import SPAN
from tests.fakes import (
    FakeClock,
    crash,
    make_settings,
    read,
    read_all_bytes,
    running_chat,
    sign_in,
)
from tests.forgetting.canaries import SHAPES, canary, find
from tests.forgetting.canary_site import HOUR, CanarySite, populate
from tests.forgetting.disk_copies import SECRET, DiskCopies
from tests.forgetting.unencrypted import disable_encryption
from tests.timeouts import DEADLINE

MINUTE = timedelta(minutes=1)
_EMOJI = "👩🏾‍🚀"


def as_state(text: str) -> str:
    """Return the room state that keeps this text."""
    return f'{{"text":"{text}"}}'


async def say(chat: Chat, site: CanarySite) -> Message:
    """Let Ann say a text in the room with the longer lifetime; return the message."""
    site.canaries.append(text := canary("said"))
    return await chat.messages.post(site.long.id, visitor_id=site.ann.id, text=text)


async def say_once(chat: Chat, site: CanarySite) -> Message:
    """Let Ann say a text that Ben can open once; return the message."""
    site.canaries.append(text := canary("once"))
    return await chat.messages.post(
        site.long.id, visitor_id=site.ann.id, post=Post(text, once=True)
    )


async def open_once(chat: Chat, site: CanarySite, message: Message) -> str:
    """Let Ben open a message once."""
    return await chat.messages.open_once(
        site.long.id, visitor_id=site.ben.id, message_id=message.id
    )


async def edit(chat: Chat, site: CanarySite, message: Message, text: str) -> None:
    """Let Ann change the text of a message."""
    site.canaries.append(text)
    await chat.messages.edit(site.long.id, visitor_id=site.ann.id, message_id=message.id, text=text)


async def ban(chat: Chat, site: CanarySite) -> Visitor:
    """Let Ann make Ben a helper, who mutes and bans a newcomer; return that visitor."""
    visitor = await sign_in(chat, canary("cid")[:24])
    site.canaries.append(visitor.nickname)
    room_id = site.long.id
    author = (await chat.memberships.join(room_id, visitor_id=visitor.id)).author
    ben = await chat.memberships.require(room_id, visitor_id=site.ben.id)
    order = chat.moderation
    await order.set_role(room_id, ben.author, "helper", visitor_id=site.ann.id)
    await order.mute(room_id, author, None, visitor_id=site.ben.id)
    await order.ban(room_id, author, visitor_id=site.ben.id)
    return visitor


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def disk_copies(data: Path, tmp_path: Path) -> DiskCopies:
    return DiskCopies(data, tmp_path / "copy")


@pytest.fixture
async def chat(data: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        yield chat


@pytest.fixture
async def site(chat: Chat, disk_copies: DiskCopies) -> CanarySite:
    site = await populate(chat)
    disk_copies.copy_database()
    assert disk_copies.decrypt() >= {
        *(message.text for message in site.messages.values()),
        *map(_data_as_stored, site.messages.values()),
        *(site.long.name, site.long.topic, site.long.slug, site.short.name),
        *map(as_state, site.states.values()),
    }, "the copies and keys have to decrypt what is live"
    return site


async def test_no_plaintext_is_in_any_file_at_any_time(data: Path, clock: FakeClock) -> None:
    def assert_no_plaintext(when: str) -> None:
        assert site.long.id.encode() in read_all_bytes(data) or when == "purged", (
            "the search finds nothing that is stored"
        )
        assert find(site.canaries, data) == [], when

    chat = Chat(make_settings(data), clock=clock)
    await chat.start()
    site = await populate(chat)
    assert (data / "anonchat.db-wal").stat().st_size > 0
    assert_no_plaintext("while it runs")
    await chat.messages.delete(
        site.long.id, visitor_id=site.ben.id, message_id=site.messages["ben-0-long"].id
    )
    assert_no_plaintext("after a deletion")
    said = await say(chat, site)
    await edit(chat, site, said, canary("edited"))
    await chat.messages.react(
        site.long.id, visitor_id=site.ben.id, message_id=said.id, emoji=_EMOJI, on=True
    )
    site.canaries.append(_EMOJI)
    assert_no_plaintext("after an edit")
    once = await say_once(chat, site)
    assert_no_plaintext("after a post that can be opened once")
    await open_once(chat, site, once)
    assert_no_plaintext("after it was opened")
    name, topic = canary("new name"), canary("new topic")
    unwanted = canary("unwanted")
    site.canaries += [name, topic, unwanted]
    await chat.room_editor.update(
        site.long.id, visitor_id=site.ann.id, name=name, topic=topic, unwanted=[unwanted]
    )
    assert_no_plaintext("after a room was changed")
    await ban(chat, site)
    assert_no_plaintext("after a ban")
    invite = await chat.doors.invite(
        site.long.id, visitor_id=site.ann.id, lifetime=timedelta(hours=1)
    )
    site.canaries.append(invite.code)
    assert_no_plaintext("after an invitation")
    await site.keep(chat, site.long, canary("new state"))
    assert_no_plaintext("after a room state was changed")
    await crash(chat)
    assert_no_plaintext("after a crash")
    async with running_chat(data, clock) as chat:
        assert_no_plaintext("after a start")
        clock.advance(site.short.message_ttl)
        await chat.expiry.purge()
        assert_no_plaintext("after the first messages")
        await chat.identity.forget(site.ben.id)
        assert_no_plaintext("after a visitor was deleted")
        await chat.room_deletion.burn(site.short.id, visitor_id=site.ann.id)
        assert_no_plaintext("after a room was burnt")
        clock.advance(chat.settings.visitor_ttl)
        await chat.expiry.purge()
        assert_no_plaintext("purged")
    assert_no_plaintext("purged")


@pytest.mark.parametrize("shape", SHAPES)
async def test_scan_finds_every_field_if_nothing_is_encrypted(
    data: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    disable_encryption(monkeypatch, SHAPES[shape])
    async with running_chat(data, clock) as chat:
        site = await populate(chat)
        hashed = ("phrase", *(text for text in site.canaries if len(text) >= 43))
        encrypted = [
            text for text in site.canaries if len(text) > 5 and not text.startswith(hashed)
        ]
        assert len(encrypted) == 25
        assert set(find(site.canaries, data)) >= set(encrypted), "the search misses encodings"


async def test_expired_message_cannot_be_decrypted_after_a_minute(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies, clock: FakeClock
) -> None:
    clock.advance(site.short.message_ttl + MINUTE)
    await chat.expiry.purge()
    left = disk_copies.decrypt()
    expired = [message for word, message in site.messages.items() if word.endswith("short")]
    gone = {message.text for message in expired} | {*map(_data_as_stored, expired)}
    assert len(gone) == 8
    assert left.isdisjoint(gone)
    live = [message for word, message in site.messages.items() if word.endswith("long")]
    assert left >= {message.text for message in live} | {*map(_data_as_stored, live)}


async def test_deleted_message_cannot_be_decrypted_and_others_are_kept(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies
) -> None:
    await chat.messages.delete(
        site.long.id, visitor_id=site.ann.id, message_id=site.messages["ben-0-long"].id
    )
    left = disk_copies.decrypt()
    assert site.text("ben-0-long") not in left
    assert _data_as_stored(site.messages["ben-0-long"]) not in left
    assert site.text("ann-0-long") not in left, "the old key of the span has to be destroyed"
    disk_copies.copy_database()
    living = {message.text for word, message in site.messages.items() if word != "ben-0-long"}
    assert disk_copies.decrypt() & {message.text for message in site.messages.values()} == living
    assert set(await read(chat, site.long, site.ann)) == {
        site.text(word) for word in site.messages if word.endswith("long") and word != "ben-0-long"
    }


async def test_replaced_text_cannot_be_decrypted_and_others_are_kept(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies
) -> None:
    said = await say(chat, site)
    versions = [said.text, canary("second"), canary("third")]
    for old, new in pairwise(versions):
        disk_copies.copy_database()
        assert old in disk_copies.decrypt()
        await edit(chat, site, said, new)
        assert disk_copies.decrypt().isdisjoint(versions), "no copy has the newest one yet"
    disk_copies.copy_database()
    others = {message.text for message in site.messages.values()}
    assert disk_copies.decrypt() >= {versions[-1], *others}
    assert disk_copies.decrypt().isdisjoint(versions[:-1])


@pytest.mark.parametrize("act", ["delete", "edit", "expire", "burn", "forget", "forget author"])
async def test_reaction_to_what_is_gone_or_of_whom_is_gone_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies, clock: FakeClock, act: str
) -> None:
    said, room_id = await say(chat, site), site.long.id
    await chat.messages.react(
        room_id, visitor_id=site.ben.id, message_id=said.id, emoji="🦜", on=True
    )
    disk_copies.copy_database()
    assert "🦜" in disk_copies.decrypt()
    match act:
        case "delete":
            await chat.messages.delete(room_id, visitor_id=site.ann.id, message_id=said.id)
        case "edit":  # the reaction stays, but what copies of the database have is gone
            await edit(chat, site, said, canary("edited"))
        case "expire":
            clock.advance(site.long.message_ttl + MINUTE)
            await chat.expiry.purge()
        case "burn":
            await chat.room_deletion.burn(room_id, visitor_id=site.ann.id)
        case "forget":
            await chat.identity.forget(site.ben.id)
        case "forget author":
            await chat.identity.forget(site.ann.id)
    assert "🦜" not in disk_copies.decrypt()
    disk_copies.copy_database()
    assert ("🦜" in disk_copies.decrypt()) == (act == "edit")


@pytest.mark.parametrize("name", ["long", "short"])
async def test_previous_name_and_topic_of_a_room_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies, name: str
) -> None:
    room = getattr(site, name)
    changes: list[dict[str, Any]] = [
        {"name": canary("new name")},
        {"topic": canary("new topic")},
    ]
    for change in changes:
        changed = await chat.room_editor.update(room.id, visitor_id=site.ann.id, **change)
        left = disk_copies.decrypt()
        assert left.isdisjoint({room.name, room.topic, changed.name} - {""})
        assert left >= {message.text for message in site.messages.values()}
        disk_copies.copy_database()
        assert disk_copies.decrypt() >= {changed.name, changed.topic, changed.slug}
    assert room.name not in disk_copies.decrypt()


async def test_previous_rules_of_a_room_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies
) -> None:
    words = [canary("unwanted"), canary("also unwanted")]
    for word in words:
        await chat.room_editor.update(site.long.id, visitor_id=site.ann.id, unwanted=[word])
        disk_copies.copy_database()
    left = " ".join(disk_copies.decrypt())
    assert words[1] in left
    assert words[0] not in left
    await chat.room_deletion.burn(site.long.id, visitor_id=site.ann.id)
    assert words[1] not in " ".join(disk_copies.decrypt())


@pytest.mark.parametrize("act", ["forget", "burn", "expire"])
async def test_ban_and_standings_cannot_be_decrypted_without_room_or_visitor(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies, clock: FakeClock, act: str
) -> None:
    def find_kept() -> set[str]:
        return {text for text in disk_copies.decrypt() if text in banned or '"role"' in text}

    cid = await ban(chat, site)
    banned = {cid.nickname}
    disk_copies.copy_database()
    assert len(find_kept()) == 3
    match act:
        case "forget":
            await chat.identity.forget(cid.id)
            await chat.identity.forget(site.ben.id)
        case "burn":
            await chat.room_deletion.burn(site.long.id, visitor_id=site.ann.id)
            await chat.identity.forget(cid.id)  # else the nickname is that of the visitor
        case "expire":
            clock.advance(chat.settings.visitor_ttl + MINUTE)
            await chat.expiry.purge()
    assert find_kept() == set()


async def test_invitation_to_a_burnt_room_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies
) -> None:
    invite = await chat.doors.invite(
        site.long.id, visitor_id=site.ann.id, lifetime=timedelta(hours=1)
    )
    disk_copies.copy_database()
    assert invite.code in disk_copies.decrypt()
    await chat.room_deletion.burn(site.long.id, visitor_id=site.ann.id)
    assert invite.code not in disk_copies.decrypt()


async def test_data_of_a_forgotten_visitor_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies
) -> None:
    await chat.identity.forget(site.ben.id)
    left = disk_copies.decrypt()
    assert left.isdisjoint(site.text(word) for word in site.messages if word.startswith("ben"))
    assert site.ben.nickname not in left
    assert left >= {site.text(word) for word in site.messages if word.startswith("ann")}


async def test_burnt_room_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies
) -> None:
    await chat.room_deletion.burn(site.long.id, visitor_id=site.ann.id)
    left = disk_copies.decrypt()
    assert left.isdisjoint(site.text(word) for word in site.messages if word.endswith("long"))
    assert site.long.name not in left
    assert site.long.topic not in left
    assert as_state(site.states["long"]) not in left
    assert left >= {site.text(word) for word in site.messages if word.endswith("short")}
    assert as_state(site.states["short"]) in left


async def test_state_of_an_expired_room_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies, clock: FakeClock
) -> None:
    await site.keep(chat, site.long, later := canary("later state"))
    disk_copies.copy_database()
    assert disk_copies.decrypt() >= {as_state(site.states["long"]), as_state(later)}
    clock.advance(site.long.room_ttl)
    await chat.expiry.purge()
    kept = {as_state(text) for text in (*site.states.values(), later)}
    assert disk_copies.decrypt().isdisjoint(kept)


async def test_long_read_keeps_ciphertext_in_the_journal_but_no_key(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies, data: Path, clock: FakeClock
) -> None:
    reader = sqlite3.connect(data / "anonchat.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM message").fetchone() == (8,)
    clock.advance(site.short.message_ttl + MINUTE)
    await chat.expiry.purge()
    assert (data / "anonchat.db-wal").stat().st_size > 0, (
        "the read transaction has to keep the journal"
    )
    assert reader.execute("SELECT count(*) FROM message").fetchone() == (8,)
    disk_copies.copy_database()
    gone = {site.text(word) for word in site.messages if word.endswith("short")}
    assert disk_copies.decrypt().isdisjoint(gone)
    assert find(site.canaries, data) == []
    reader.close()
    await chat.expiry.purge()


async def test_stopped_scheduler_is_replaced_by_the_watchdog(
    data: Path, clock: FakeClock, disk_copies: DiskCopies
) -> None:
    async with running_chat(
        data, clock, secret_key=SECRET, janitor_interval="1s", message_ttl_min="1s"
    ) as chat:
        chat.janitor._scheduler.remove_all_jobs()
        site = await populate(chat)
        disk_copies.copy_database()
        clock.advance(site.short.message_ttl + SPAN)
        async with asyncio.timeout(DEADLINE):
            await _wait_for_deletion(chat)
        gone = {site.text(word) for word in site.messages if word.endswith("short")}
        assert disk_copies.decrypt().isdisjoint(gone)


async def test_expired_messages_are_not_returned_even_without_a_purge(
    chat: Chat, site: CanarySite, clock: FakeClock
) -> None:
    chat.janitor._scheduler.remove_all_jobs()
    chat.janitor._watchdog.stop()
    clock.advance(site.short.message_ttl)
    assert await read(chat, site.short, site.ann) == []
    clock.advance(5 * HOUR)
    assert await read(chat, site.long, site.ann) == []


def _data_as_stored(message: Message) -> str:
    """Return the data of a message as it is encrypted."""
    return json.dumps(message.data, ensure_ascii=False)


async def _wait_for_deletion(chat: Chat) -> None:
    gone = asyncio.Event()

    async def on_event(event: Event) -> None:
        if isinstance(event, MessagesDeleted):
            gone.set()

    chat.bus.subscribe(on_event)
    await gone.wait()


async def test_message_that_all_have_opened_cannot_be_decrypted(
    chat: Chat, site: CanarySite, disk_copies: DiskCopies
) -> None:
    message = await say_once(chat, site)
    text = site.canaries[-1]
    disk_copies.copy_database()
    assert text in disk_copies.decrypt()
    assert await open_once(chat, site, message) == text
    disk_copies.copy_database()
    assert text not in disk_copies.decrypt()

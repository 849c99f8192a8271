"""Nothing that a person has written can be read in any file, at any time; and nothing later."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Chat, Event, MessagesGone
from anonchat.keystore import SPAN
from tests.fakes import FakeClock, bytes_in, crash, make_settings, read, running_chat
from tests.forgetting.canaries import SHAPES, find
from tests.forgetting.thief import SECRET, Thief
from tests.forgetting.town import HOUR, Town, settle
from tests.forgetting.unsealed import seal_nothing

MINUTE = timedelta(minutes=1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def thief(data: Path, tmp_path: Path) -> Thief:
    return Thief(data, tmp_path / "loot")


@pytest.fixture
async def chat(data: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        yield chat


@pytest.fixture
async def town(chat: Chat, thief: Thief) -> Town:
    town = await settle(chat)
    thief.copies()
    assert thief.reads() >= {message.text for message in town.said.values()}, (
        "a thief who cannot read what is alive proves nothing"
    )
    return town


async def test_nothing_is_readable_at_any_time(data: Path, clock: FakeClock) -> None:
    def look(when: str) -> None:
        assert town.long.id.encode() in bytes_in(data) or when == "purged", "a scan that is blind"
        assert find(town.canaries, data) == [], when

    chat = Chat(make_settings(data), clock=clock)
    await chat.start()
    town = await settle(chat)
    assert (data / "anonchat.db-wal").stat().st_size > 0
    look("while it runs")
    await chat.messages.delete(
        town.long.id, visitor_id=town.ben.id, message_id=town.said["ben-0-long"].id
    )
    look("after a deletion")
    await crash(chat)
    look("after a crash")
    async with running_chat(data, clock) as chat:
        look("after a start")
        clock.move(town.short.message_ttl)
        await chat.expiry.purge()
        look("after the first messages")
        await chat.identity.forget(town.ben.id)
        look("after somebody was forgotten")
        await chat.rooms.burn(town.short.id, visitor_id=town.ann.id)
        look("after a room was burnt")
        clock.move(chat.settings.visitor_ttl)
        await chat.expiry.purge()
        look("purged")
    look("purged")


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_scan_finds_every_field_when_nothing_is_sealed(
    data: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    seal_nothing(monkeypatch, SHAPES[shape])
    async with running_chat(data, clock) as chat:
        town = await settle(chat)
        hashed = ("phrase", *(text for text in town.canaries if len(text) >= 43))
        sealed = [text for text in town.canaries if len(text) > 5 and not text.startswith(hashed)]
        assert len(sealed) == 15
        assert set(find(town.canaries, data)) >= set(sealed), "the scan is blind"


async def test_what_has_expired_opens_with_no_key_after_a_minute(
    chat: Chat, town: Town, thief: Thief, clock: FakeClock
) -> None:
    clock.move(town.short.message_ttl + MINUTE)
    await chat.expiry.purge()
    left = thief.reads()
    gone = {message.text for word, message in town.said.items() if word.endswith("short")}
    assert len(gone) == 4
    assert left.isdisjoint(gone)
    assert left >= {message.text for word, message in town.said.items() if word.endswith("long")}


async def test_a_deleted_message_opens_with_no_key_at_once_and_its_neighbours_live(
    chat: Chat, town: Town, thief: Thief
) -> None:
    await chat.messages.delete(
        town.long.id, visitor_id=town.ann.id, message_id=town.said["ben-0-long"].id
    )
    left = thief.reads()
    assert town.text("ben-0-long") not in left
    assert town.text("ann-0-long") not in left, "the old key has to be gone for everybody"
    thief.copies()
    living = {message.text for word, message in town.said.items() if word != "ben-0-long"}
    assert thief.reads() & {message.text for message in town.said.values()} == living
    assert set(await read(chat, town.long, town.ann)) == {
        town.text(word) for word in town.said if word.endswith("long") and word != "ben-0-long"
    }


async def test_who_is_forgotten_opens_with_no_key_at_once(
    chat: Chat, town: Town, thief: Thief
) -> None:
    await chat.identity.forget(town.ben.id)
    left = thief.reads()
    assert left.isdisjoint(town.text(word) for word in town.said if word.startswith("ben"))
    assert town.ben.nickname not in left
    assert left >= {town.text(word) for word in town.said if word.startswith("ann")}


async def test_a_burnt_room_opens_with_no_key_at_once(chat: Chat, town: Town, thief: Thief) -> None:
    await chat.rooms.burn(town.long.id, visitor_id=town.ann.id)
    left = thief.reads()
    assert left.isdisjoint(town.text(word) for word in town.said if word.endswith("long"))
    assert town.long.name not in left
    assert town.long.topic not in left
    assert left >= {town.text(word) for word in town.said if word.endswith("short")}


async def test_a_busy_reader_keeps_ciphertext_in_the_journal_and_no_key(
    chat: Chat, town: Town, thief: Thief, data: Path, clock: FakeClock
) -> None:
    reader = sqlite3.connect(data / "anonchat.db", isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM message").fetchone() == (8,)
    clock.move(town.short.message_ttl + MINUTE)
    await chat.expiry.purge()
    assert (data / "anonchat.db-wal").stat().st_size > 0, "the reader has to be in the way"
    assert reader.execute("SELECT count(*) FROM message").fetchone() == (8,)
    thief.copies()
    gone = {town.text(word) for word in town.said if word.endswith("short")}
    assert thief.reads().isdisjoint(gone)
    assert find(town.canaries, data) == []
    reader.close()
    await chat.expiry.purge()


async def test_a_dead_scheduler_is_replaced_by_the_watchdog(
    data: Path, clock: FakeClock, thief: Thief
) -> None:
    async with running_chat(
        data, clock, secret_key=SECRET, janitor_interval="1s", message_ttl_min="1s"
    ) as chat:
        chat.janitor._scheduler.remove_all_jobs()
        town = await settle(chat)
        thief.copies()
        clock.move(town.short.message_ttl + SPAN)
        async with asyncio.timeout(240):
            await _until_gone(chat)
        gone = {town.text(word) for word in town.said if word.endswith("short")}
        assert thief.reads().isdisjoint(gone)


async def test_nobody_is_given_what_has_expired_even_if_nobody_purges(
    chat: Chat, town: Town, clock: FakeClock
) -> None:
    chat.janitor._scheduler.remove_all_jobs()
    chat.janitor._watchdog.cancel()
    clock.move(town.short.message_ttl)
    assert await read(chat, town.short, town.ann) == []
    clock.move(5 * HOUR)
    assert await read(chat, town.long, town.ann) == []


async def _until_gone(chat: Chat) -> None:
    gone = asyncio.Event()

    async def hear(event: Event) -> None:
        if isinstance(event, MessagesGone):
            gone.set()

    chat.bus.subscribe(hear)
    await gone.wait()

"""Nothing that a person has written can be read in any file, at any time."""

import base64
import shutil
import sqlite3
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from anonchat import Chat
from anonchat.keystore import KeyStore
from anonchat.seal import BrokenSeal, derive_key, unseal_texts
from tests.fakes import FakeClock, bytes_in, crash, make_settings, running_chat

NICKNAME = "Canary Nick"
NAME = "Canary Room 4711"
HIDDEN = "Canary Hidden 4712"
TOPIC = "the canary topic of this room"
TEXT = "the canary text, posted with care"
PHRASE = "the canary phrase"
HOUR = timedelta(hours=1)
CANARIES = [NICKNAME, NAME, HIDDEN, TOPIC, TEXT, PHRASE, "canary-room-4711"]


async def test_nothing_is_readable_at_any_time(tmp_path: Path, clock: FakeClock) -> None:
    data = tmp_path / "data"
    canaries = list(CANARIES)

    def look(when: str) -> None:
        stored = bytes_in(data)
        assert room.id.encode() in stored or when == "purged", "a scan that finds nothing is blind"
        assert [canary for canary in canaries if _is_in(stored, canary)] == [], when

    chat = Chat(make_settings(data), clock=clock)
    await chat.start()
    visitor, token = await chat.identity.come_in(NICKNAME, phrase=PHRASE)
    room = await chat.rooms.create(NAME, visitor_id=visitor.id, topic=TOPIC)
    hidden = await chat.rooms.create(HIDDEN, visitor_id=visitor.id, listed=False)
    canaries += [token, visitor.badge, hidden.slug]
    for each in (room, hidden):
        await chat.memberships.join(each.id, visitor_id=visitor.id)
        for number in range(50):
            await chat.messages.post(each.id, visitor_id=visitor.id, text=f"{TEXT} {number}")
    assert (data / "anonchat.db-wal").stat().st_size > 0
    look("while it runs")
    await crash(chat)
    look("after a crash")
    async with running_chat(data, clock) as chat:
        look("after a start")
        clock.move(room.message_ttl)
        await chat.expiry.purge()
        look("after the messages")
        clock.move(chat.settings.visitor_ttl)
        await chat.expiry.purge()
        look("purged")
    look("purged")


def test_the_scan_finds_what_is_there(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "plain.db")
    connection.execute("CREATE TABLE message (text)")
    connection.executemany("INSERT INTO message VALUES (?)", [(canary,) for canary in CANARIES])
    connection.commit()
    connection.close()
    assert all(_is_in(bytes_in(tmp_path), canary) for canary in CANARIES)


@pytest.mark.parametrize("end", ["message", "room", "visitor"])
async def test_no_key_is_left_for_a_copy_that_was_made_in_time(
    tmp_path: Path, clock: FakeClock, end: str
) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    async with running_chat(data, clock, secret_key="known to the thief") as chat:
        visitor, _ = await chat.identity.come_in(NICKNAME)
        brief = {"message_ttl": HOUR, "room_ttl": HOUR} if end == "room" else {}
        room = await chat.rooms.create(NAME, visitor_id=visitor.id, **brief)
        await chat.memberships.join(room.id, visitor_id=visitor.id)
        for number in range(5):
            await chat.messages.post(room.id, visitor_id=visitor.id, text=f"{TEXT} {number}")
        shutil.copytree(data, copy)
        assert len(_read(copy, copy / "keys")) == 5 + 2, "the thief has to be able to read at all"
        if end == "message":
            clock.move(room.message_ttl * 1.01)
            await chat.expiry.purge()
        elif end == "room":
            clock.move(HOUR)
            await chat.expiry.purge()
            assert any(name.startswith("span") for name in chat._keys.names())
        else:
            await chat.identity.forget(visitor.id)
    shutil.copy(data / "keys", tmp_path / "keys")
    left = _read(copy, tmp_path / "keys")
    assert not [texts for texts in left if any(TEXT in text for text in texts)]
    assert len(left) == {"message": 2, "room": 1, "visitor": 1}[end]


def _is_in(stored: bytes, canary: str) -> bool:
    plain = canary.encode()
    shifted = (base64.b64encode(b"." * shift + plain)[4:-4] for shift in range(3))
    forms = [
        plain,
        canary.lower().encode(),
        canary.upper().encode(),
        canary[::-1].encode(),
        canary.encode("utf-16-le"),
        canary.encode("utf-16-be"),
        plain.hex().encode(),
        *shifted,
    ]
    return any(form in stored for form in forms if len(form) > 4)


def _read(folder: Path, keys_path: Path) -> list[list[str]]:
    """Return all that can be unsealed of a stolen database with any keys of a key store."""
    keys = KeyStore(keys_path, "known to the thief")
    keys.open()
    singles = [key for name in keys.names() if (key := keys.get(name))]
    keys.close()
    every_key = [
        *singles,
        *(derive_key(*three, purpose="message") for three in product(singles, repeat=3)),
    ]
    connection = sqlite3.connect(folder / "anonchat.db")
    sealed = [
        *connection.execute("SELECT sealed, id FROM room"),
        *connection.execute("SELECT sealed, id FROM visitor"),
        *connection.execute("SELECT sealed, room_id || ' ' || id FROM message"),
    ]
    connection.close()
    found = []
    for (content, place), key in product(sealed, every_key):
        try:
            found.append(unseal_texts(key, content, place=place))
        except BrokenSeal:
            continue
    return found

"""Seeds a database: rows as the chat writes them, but thousands in one commit."""

import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlmodel import SQLModel

from anonchat import Chat
from anonchat.crypto import Hasher, fingerprint
from anonchat.entities import Message, Room
from anonchat.ids import new_id
from anonchat.security.key_names import room_key_name, span_at, visitor_key_name
from anonchat.security.message_cipher import MessageCipher
from anonchat.security.row_cipher import RowCipher
from models import MemberRow, MessageRow, RoomRow, TokenRow, VisitorRow
from tests.fakes import make_settings

_BATCH = 10_000
_MULTIPLY = """
    WITH RECURSIVE
        numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :number),
        samples AS (
            SELECT
                row_number() OVER (ORDER BY room_id) - 1 AS number,
                room_id, visitor_id, author, length(sealed) AS length, posted_at, expires_at
            FROM message GROUP BY room_id
        )
    INSERT INTO message
        (id, room_id, visitor_id, seq, author, dedup_key, sealed, posted_at, expires_at)
    SELECT
        hex(randomblob(8)), room_id, visitor_id, last_seq + 1 + n / :rooms, author,
        randomblob(32), randomblob(length), posted_at, samples.expires_at
    FROM numbers JOIN samples ON samples.number = n % :rooms JOIN room ON room.id = samples.room_id
"""
_TEXT = "no one of them looked up when the train stood still"


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor and their session token."""

    id: str
    nickname: str
    token: str


class DatabaseSeeder:
    """Writes rows while no server is running; encryption is the chat's own."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._numbers = count(1)

    async def add_visitors(self, number: int) -> list[Guest]:
        """Create visitors with one session each."""
        now = datetime.now(UTC)
        names = [f"Guest {next(self._numbers)}" for _ in range(number)]
        guests = [Guest(new_id(), name, self._chat.identity._tokens.make_token()) for name in names]
        await self._chat._keys.get_or_create(*(visitor_key_name(guest.id) for guest in guests))
        rows = []
        for guest in guests:
            keys = self._chat.nicknames.make_keys(guest.nickname)
            sealed = await self._cipher.encrypt_visitor(guest.id, nickname=guest.nickname, badge="")
            rows.append(
                VisitorRow(
                    id=guest.id,
                    nickname_key=keys.shape,
                    folded_key=keys.folded,
                    phrase_key=None,
                    sealed=sealed,
                    seen_at=now,
                    expires_at=now + timedelta(days=30),
                )
            )
        tokens = [
            TokenRow(hash=fingerprint(guest.token), visitor_id=guest.id, created_at=now)
            for guest in guests
        ]
        await self._write(rows)
        await self._write(tokens)
        return guests

    async def add_rooms(
        self, number: int, *, message_ttl: timedelta = timedelta(hours=24)
    ) -> list[RoomRow]:
        """Create listed rooms; the slug of each is its name."""
        now = datetime.now(UTC)
        ids = [new_id() for _ in range(number)]
        await self._chat._keys.get_or_create(*map(room_key_name, ids))
        rows = []
        for id in ids:
            name = self.room_name(id)
            rows.append(
                RoomRow(
                    id=id,
                    name_key=self._chat.room_names.name_key(name),
                    slug_key=self._chat.room_names.slug_key(name),
                    sealed=self._cipher.encrypt_room(id, "", name=name, topic="", slug=name),
                    listed=True,
                    owner="",
                    message_ttl=int(message_ttl.total_seconds()),
                    room_ttl=int(timedelta(days=7).total_seconds()),
                    last_seq=0,
                    created_at=now,
                    active_at=now,
                    expires_at=now + timedelta(days=7),
                )
            )
        await self._write(rows)
        return rows

    def room_name(self, room_id: str) -> str:
        """Return the name of a room, which is also its slug."""
        return "room-" + room_id.encode().hex()

    async def add_members(self, pairs: Sequence[tuple[RoomRow, Guest]]) -> None:
        """Add each guest as a member of the room, with all messages read."""
        now = datetime.now(UTC)
        await self._write(
            [
                MemberRow(
                    room_id=room.id,
                    visitor_id=guest.id,
                    author=self._author(room, guest),
                    read_seq=room.last_seq,
                    joined_at=now,
                )
                for room, guest in pairs
            ]
        )

    async def add_messages(
        self, rooms: Sequence[RoomRow], guests: Sequence[Guest], number: int, *, text: str = _TEXT
    ) -> None:
        """Add messages to each room, by the guests in turn; members added later have read them."""
        now = datetime.now(UTC)
        for room in rooms:
            expires_at = now + timedelta(seconds=room.message_ttl)
            await self._message_cipher.create_span_keys({span_at(expires_at): 0})
            authors = {guest.id: self._author(room, guest) for guest in guests}
            rows = (
                self._make_row(
                    Message(
                        id=new_id(),
                        room_id=room.id,
                        seq=seq,
                        author=authors[(guest := guests[seq % len(guests)]).id],
                        nickname=guest.nickname,
                        badge="",
                        text=text,
                        dedup_id=new_id(),
                        posted_at=now,
                        expires_at=expires_at,
                    ),
                    guest,
                )
                for seq in range(room.last_seq + 1, room.last_seq + 1 + number)
            )
            while batch := list(islice(rows, _BATCH)):
                await self._insert(MessageRow, batch)
            room.last_seq += number
        async with self._chat._database.transaction() as session:
            for room in rooms:
                await session.merge(room)

    def decrypt_rooms(self, rooms: Sequence[RoomRow]) -> list[Room]:
        """Return these rooms as entities."""
        return [room for row in rooms if (room := self._cipher.decrypt_room(row))]

    def _make_row(self, message: Message, guest: Guest) -> dict[str, Any]:
        return {
            "id": message.id,
            "room_id": message.room_id,
            "visitor_id": guest.id,
            "seq": message.seq,
            "author": message.author,
            "dedup_key": self._hasher.hash("dedup", message.id),
            "sealed": self._message_cipher.encrypt_message(message, guest.id),
            "posted_at": message.posted_at,
            "expires_at": message.expires_at,
        }

    def _author(self, room: RoomRow, guest: Guest) -> str:
        return self._hasher.pseudonym(room.id, guest.id)

    async def _write(self, rows: Sequence[SQLModel]) -> None:
        await self._insert(type(rows[0]), [row.model_dump() for row in rows])

    async def _insert(self, kind: type[SQLModel], rows: list[dict[str, Any]]) -> None:
        async with self._chat._database.transaction() as session:
            connection = await session.connection()
            await connection.execute(insert(kind), rows)

    @property
    def _hasher(self) -> Hasher:
        return self._chat.messages._hasher

    @property
    def _cipher(self) -> RowCipher:
        return self._chat.rooms._cipher

    @property
    def _message_cipher(self) -> MessageCipher:
        return self._chat.key_rotation._cipher


@asynccontextmanager
async def seeding(data: Path, **settings: str) -> AsyncIterator[DatabaseSeeder]:
    """Yield a seeder to fill; after the block a server can use the data folder."""
    chat = Chat(make_settings(data, **settings))
    await chat.start()
    try:
        yield DatabaseSeeder(chat)
    finally:
        await chat.stop()


def multiply_messages(data: Path, number: int, *, expires_in: timedelta) -> datetime:
    """Multiply the messages of the database; return the expiry time that all then have.

    Their ciphertexts are random bytes: a purge does not decrypt, and encrypting a million messages
    takes a minute.
    """
    with closing(sqlite3.connect(data / "anonchat.db")) as database:
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY", "cache_size=-1000000"):
            database.execute(f"PRAGMA {pragma}")
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'index' AND tbl_name = 'message' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:  # rebuilding them at the end is faster
            database.execute(f"DROP INDEX {name}")
        (rooms,) = database.execute("SELECT count(*) FROM room").fetchone()
        database.execute(_MULTIPLY, {"number": number, "rooms": rooms})
        database.execute(
            "UPDATE room SET last_seq = (SELECT max(seq) FROM message WHERE room_id = room.id)"
        )
        expires_at = datetime.now(UTC) + expires_in
        database.execute(
            "UPDATE message SET expires_at = ?", [f"{expires_at:%Y-%m-%d %H:%M:%S.%f}"]
        )
        for _, sql in indexes:
            database.execute(sql)
        database.commit()
        database.execute("PRAGMA journal_mode=WAL")
    return expires_at

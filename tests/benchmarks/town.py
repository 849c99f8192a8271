"""A site that is full already: rows as the chat writes them, but thousands in one commit."""

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
from anonchat.ids import new_id
from anonchat.keystore import room_key, span_of, visitor_key
from anonchat.nouns import Message, Room
from anonchat.seal import Hasher, fingerprint
from anonchat.vault import Vault
from models import MemberRow, MessageRow, RoomRow, TokenRow, VisitorRow
from tests.fakes import make_settings

_BATCH = 10_000
_MULTIPLY = """
    WITH RECURSIVE
        numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :number),
        said AS (
            SELECT
                row_number() OVER (ORDER BY room_id) - 1 AS place,
                room_id, visitor_id, author, length(sealed) AS length, posted_at, expires_at
            FROM message GROUP BY room_id
        )
    INSERT INTO message
        (id, room_id, visitor_id, seq, author, dedup_key, sealed, posted_at, expires_at)
    SELECT
        hex(randomblob(8)), room_id, visitor_id, last_seq + 1 + n / :rooms, author,
        randomblob(32), randomblob(length), posted_at, said.expires_at
    FROM numbers JOIN said ON said.place = n % :rooms JOIN room ON room.id = said.room_id
"""
_TEXT = "no one of them looked up when the train stood still"


@dataclass(frozen=True, slots=True)
class Guest:
    """A visitor, and the token by which the server knows them."""

    id: str
    nickname: str
    token: str


class Town:
    """Fills a site that no server has open; sealing is the chat's own."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._numbers = count(1)

    async def come_in(self, number: int) -> list[Guest]:
        """Make so many visitors."""
        now = datetime.now(UTC)
        names = [f"Guest {next(self._numbers)}" for _ in range(number)]
        guests = [Guest(new_id(), name, self._chat.identity._tokens.make_token()) for name in names]
        await self._chat._keys.obtain(*(visitor_key(guest.id) for guest in guests))
        rows = []
        for guest in guests:
            keys = self._chat.identity._nickname_keys(guest.nickname)
            sealed = await self._vault.seal_visitor(guest.id, nickname=guest.nickname, badge="")
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

    async def open_rooms(
        self, number: int, *, message_ttl: timedelta = timedelta(hours=24)
    ) -> list[RoomRow]:
        """Make so many listed rooms; their address is their name."""
        now = datetime.now(UTC)
        ids = [new_id() for _ in range(number)]
        await self._chat._keys.obtain(*map(room_key, ids))
        rows = []
        for id in ids:
            name = self.name(id)
            rows.append(
                RoomRow(
                    id=id,
                    name_key=self._chat.rooms._name_key(name),
                    slug_key=self._chat.rooms._slug_key(name),
                    sealed=await self._vault.seal_room(id, name=name, topic="", slug=name),
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

    def name(self, room_id: str) -> str:
        """Return the name and the address of a room."""
        return "room-" + room_id.encode().hex()

    async def join(self, pairs: Sequence[tuple[RoomRow, Guest]]) -> None:
        """Make each guest a member of the room."""
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

    async def say(
        self, rooms: Sequence[RoomRow], guests: Sequence[Guest], number: int, *, text: str = _TEXT
    ) -> None:
        """Let them say so much in each room, in turn; it counts as read by those who join later."""
        now = datetime.now(UTC)
        for room in rooms:
            expires_at = now + timedelta(seconds=room.message_ttl)
            await self._vault.prepare_spans({span_of(expires_at): 0})
            authors = {guest.id: self._author(room, guest) for guest in guests}
            rows = (
                self._message(
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

    def look(self, rooms: Sequence[RoomRow]) -> list[Room]:
        """Return these rooms as the chat sees them."""
        return [room for row in rooms if (room := self._vault.open_room(row))]

    def _message(self, message: Message, guest: Guest) -> dict[str, Any]:
        return {
            "id": message.id,
            "room_id": message.room_id,
            "visitor_id": guest.id,
            "seq": message.seq,
            "author": message.author,
            "dedup_key": self._hasher.hash("dedup", message.id),
            "sealed": self._vault.seal_message(message, guest.id),
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
    def _vault(self) -> Vault:
        return self._chat.messages._vault


@asynccontextmanager
async def founding(data: Path, **settings: str) -> AsyncIterator[Town]:
    """Give a town to fill; at the end of the block its folder is ready for a server."""
    chat = Chat(make_settings(data, **settings))
    await chat.start()
    try:
        yield Town(chat)
    finally:
        await chat.stop()


def multiply(data: Path, number: int, *, lasting: timedelta) -> datetime:
    """Make so many messages of those that are there, and return the one end that all now have.

    What they say is noise: whoever purges does not read, and sealing a million takes a minute.
    """
    with closing(sqlite3.connect(data / "anonchat.db")) as database:
        for pragma in ("synchronous=OFF", "journal_mode=MEMORY", "cache_size=-1000000"):
            database.execute(f"PRAGMA {pragma}")
        indexes = database.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'index' AND tbl_name = 'message' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:  # filling them at the end is quicker
            database.execute(f"DROP INDEX {name}")
        (rooms,) = database.execute("SELECT count(*) FROM room").fetchone()
        database.execute(_MULTIPLY, {"number": number, "rooms": rooms})
        database.execute(
            "UPDATE room SET last_seq = (SELECT max(seq) FROM message WHERE room_id = room.id)"
        )
        end = datetime.now(UTC) + lasting
        database.execute("UPDATE message SET expires_at = ?", [f"{end:%Y-%m-%d %H:%M:%S.%f}"])
        for _, sql in indexes:
            database.execute(sql)
        database.commit()
        database.execute("PRAGMA journal_mode=WAL")
    return end

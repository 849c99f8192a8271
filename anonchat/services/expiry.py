"""Removing what has expired: keys first, rows after, in batches that anyone may interrupt."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, delete, select

from models import MessageRow, RoomRow, VisitorRow

from ..bus import Bus
from ..clock import Clock
from ..database import Database
from ..events import MessagesGone, RoomEnded
from ..keystore import KeyStore, ended_spans, room_key, visitor_key

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Purge:
    """What one purge removed: counts only."""

    at: datetime
    messages: int
    rooms: int
    visitors: int


class Expiry:
    """Purges. Nothing here decides what a reader sees: reading never returns the expired."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        keys: KeyStore,
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._keys = keys
        self._forget = forget
        self.last: Purge | None = None

    async def purge(self) -> Purge:
        """Remove every expired message, room and visitor; return how many there were."""
        now = self._clock()
        rooms, visitors = await self._destroy_keys(now)
        messages = await self._purge_messages(now)
        await self._purge_rooms(rooms)
        for visitor_id in visitors:
            await self._forget(visitor_id)
        self.last = Purge(now, messages, len(rooms), len(visitors))
        if messages or rooms or visitors:
            await self._database.truncate_journal()
        return self.last

    async def reconcile(self) -> None:
        """Finish what a crash has interrupted: rows without their key go, keys without rows too."""
        async with self._database.transaction() as session:
            rooms = set((await session.exec(select(RoomRow.id))).all())
            visitors = set((await session.exec(select(VisitorRow.id))).all())
            for id in rooms:
                if self._keys.get(room_key(id)) is None:
                    await session.exec(delete(RoomRow).where(col(RoomRow.id) == id))
            for id in visitors:
                if self._keys.get(visitor_key(id)) is None:
                    await session.exec(delete(VisitorRow).where(col(VisitorRow.id) == id))
        owned = {room_key(id) for id in rooms} | {visitor_key(id) for id in visitors}
        await self._keys.destroy(
            name
            for name in self._keys.names()
            if name.startswith(("room ", "visitor ")) and name not in owned
        )

    async def _destroy_keys(self, now: datetime) -> tuple[Sequence[str], Sequence[str]]:
        """Destroy the keys of all that has expired; return the rooms and visitors among it.

        This writes no rows, for a full disk would refuse them. It is a transaction nevertheless, so
        that nothing is given a longer life in the moment in which it ends.
        """
        ended = select(RoomRow.id).where(col(RoomRow.expires_at) <= now)
        expired = select(VisitorRow.id).where(col(VisitorRow.expires_at) <= now)
        async with self._database.transaction() as session:
            rooms = (await session.exec(ended)).all()
            visitors = (await session.exec(expired)).all()
            await self._keys.destroy(
                [
                    *ended_spans(self._keys.spans(), now),
                    *map(room_key, rooms),
                    *map(visitor_key, visitors),
                ]
            )
        return rooms, visitors

    async def _purge_messages(self, now: datetime) -> int:
        count = 0
        while batch := await self._delete_messages(col(MessageRow.expires_at) <= now):
            count += batch
        return count

    async def _purge_rooms(self, ended: Sequence[str]) -> None:
        for id in ended:
            await self._bus.publish(RoomEnded(id))
            while await self._delete_messages(col(MessageRow.room_id) == id):
                pass
            async with self._database.transaction() as session:
                await session.exec(delete(RoomRow).where(col(RoomRow.id) == id))

    async def _delete_messages(self, condition: ColumnElement[bool]) -> int:
        query = select(MessageRow.id, MessageRow.room_id, MessageRow.seq).where(condition)
        gone: dict[str, list[int]] = {}
        async with self._database.transaction() as session:
            batch = (await session.exec(query.limit(_BATCH))).all()
            ids = [id for id, _, _ in batch]
            await session.exec(delete(MessageRow).where(col(MessageRow.id).in_(ids)))
        for _, room_id, seq in batch:
            gone.setdefault(room_id, []).append(seq)
        for room_id, seqs in gone.items():
            await self._bus.publish(MessagesGone(room_id, tuple(seqs)))
        return len(batch)

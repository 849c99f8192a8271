"""The oldest message of each room, and when it expires."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ScalarSelect
from sqlalchemy.orm import Mapped
from sqlmodel import col, select

from models import MessageRow, RoomRow

from ..entities import Message, Room
from ..runtime.clock import Clock
from .database import Database

_T = TypeVar("_T")


class OldestMessages:
    """Remembers the `seq` of each room's oldest message and the next expiry, once it is read."""

    def __init__(self, rooms: Mapping[str, Room], *, database: Database, clock: Clock) -> None:
        """`rooms` are the live rooms by id; they may change at any time."""
        self._rooms = rooms
        self._database = database
        self._clock = clock
        # Without messages the next `seq` and `None`.
        self._oldest: dict[str, tuple[int, datetime | None]] = {}
        self._stale: set[str] = set()  # rooms that have to be read again

    def get(self, room: Room) -> tuple[int, datetime | None]:
        """Return the `seq` of a room's oldest message, and the next expiry, as far as known."""
        return self._oldest.get(room.id, (room.last_seq + 1, None))

    def add_room(self, room: Room) -> None:
        """Add a new room."""
        if not room.last_seq:
            self._oldest.setdefault(room.id, (1, None))

    def add_message(self, message: Message) -> None:
        """Consider a message that was posted."""
        if oldest := self._oldest.get(message.room_id):
            first_seq, next_expiry = oldest
            is_first = next_expiry is None
            self._oldest[message.room_id] = (
                message.seq if is_first else first_seq,
                min(message.expires_at, next_expiry or message.expires_at),
            )

    def remove_room(self, room_id: str) -> None:
        """Remove a room that has ended."""
        self._oldest.pop(room_id, None)

    def mark_stale(self, room_ids: Iterable[str]) -> None:
        """Read these rooms again at the next `refresh`: messages were deleted or missed there."""
        self._stale.update(room_ids)

    async def refresh(self) -> set[str]:
        """Read stale rooms and those with an expired message again; return their ids."""
        now = self._clock()
        expired = {id for id, (_, end) in self._oldest.items() if end and end <= now}
        changed = expired | (self._stale & self._oldest.keys())
        self._stale.clear()
        await self._read(changed)
        return changed

    async def read_unknown(self, room_ids: Iterable[str]) -> None:
        """Read those of these rooms that are live and unknown."""
        await self._read([id for id in room_ids if id in self._rooms and id not in self._oldest])

    async def _read(self, room_ids: Collection[str]) -> None:
        if not room_ids:
            return
        last_seqs = {id: self._rooms[id].last_seq for id in room_ids if id in self._rooms}
        query = select(
            RoomRow.id, self._least(col(MessageRow.seq)), self._least(col(MessageRow.expires_at))
        ).where(col(RoomRow.id).in_(room_ids))
        async with self._database.read_session() as session:
            found = {id: (seq, end) for id, seq, end in await session.exec(query) if end}
        for id, last_seq in last_seqs.items():
            room = self._rooms.get(id)
            if room and (id in found or room.last_seq == last_seq):
                self._oldest[id] = found.get(id, (last_seq + 1, None))
            elif room:  # a message was posted meanwhile
                self._stale.add(id)

    def _least(self, column: Mapped[_T]) -> ScalarSelect[_T]:
        """Select the least value of a column among the live messages of a room."""
        return (
            select(column)
            .where(MessageRow.room_id == RoomRow.id, col(MessageRow.expires_at) > self._clock())
            .order_by(column)
            .limit(1)  # uses an index: a room may have 100,000 messages
            .correlate(RoomRow)
            .scalar_subquery()
        )

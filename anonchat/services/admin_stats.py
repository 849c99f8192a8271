"""Statistics for the operator: counts of visitors, rooms, members and messages."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, PurgeStatsRow, RoomRow, VisitorRow

from ..entities import Room
from ..runtime.clock import Clock
from ..security.row_cipher import RowCipher
from ..storage.database import Database

_BATCH = 200


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of live rows, the oldest message's time and the last purge's time."""

    visitors: int
    rooms: int
    members: int
    messages: int
    oldest: datetime | None
    purged_at: datetime | None


@dataclass(frozen=True, slots=True)
class RoomCounts:
    """A live room with its numbers of members and messages."""

    room: Room
    members: int
    messages: int


class AdminStats:
    """Counts unexpired rows."""

    def __init__(self, *, database: Database, clock: Clock, cipher: RowCipher) -> None:
        self._database = database
        self._clock = clock
        self._cipher = cipher

    async def count(self) -> Counts:
        """Return the counts over all rooms."""
        now = self._clock()
        async with self._database.read_session() as session:
            return Counts(
                visitors=await _count(session, col(VisitorRow.expires_at) > now),
                rooms=await _count(session, col(RoomRow.expires_at) > now),
                members=await _count(session, col(MemberRow.room_id).is_not(None)),
                messages=await _count(session, col(MessageRow.expires_at) > now),
                oldest=(
                    await session.exec(
                        select(func.min(MessageRow.posted_at)).where(MessageRow.expires_at > now)
                    )
                ).one(),
                purged_at=(await session.exec(select(PurgeStatsRow.purged_at))).one(),
            )

    async def list_rooms(self) -> list[RoomCounts]:
        """Return all live rooms with their counts."""
        counts: list[RoomCounts] = []
        after = ""
        while page := await self._read_page(after):
            counts += [
                RoomCounts(room, members, messages)
                for row, members, messages in page
                if (room := self._cipher.decrypt_room(row))
            ]
            after = page[-1][0].id
            await asyncio.sleep(0)  # do not block the event loop
        return counts

    async def _read_page(self, after: str) -> Sequence[tuple[RoomRow, int, int]]:
        now = self._clock()
        members = select(func.count()).where(MemberRow.room_id == RoomRow.id)
        messages = select(func.count()).where(
            MessageRow.room_id == RoomRow.id, col(MessageRow.expires_at) > now
        )
        query = select(RoomRow, members.scalar_subquery(), messages.scalar_subquery())
        query = query.where(col(RoomRow.id) > after, col(RoomRow.expires_at) > now)
        async with self._database.read_session() as session:
            return (await session.exec(query.order_by(col(RoomRow.id)).limit(_BATCH))).all()


async def _count(session: AsyncSession, condition: ColumnElement[bool]) -> int:
    return (await session.exec(select(func.count()).where(condition))).one()

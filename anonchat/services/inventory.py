"""What there is, counted for an operator."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import LedgerRow, MemberRow, MessageRow, RoomRow, VisitorRow

from ..clock import Clock
from ..database import Database
from ..nouns import Room
from ..vault import Vault

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Stock:
    """How much there is of everything that lives."""

    visitors: int
    rooms: int
    members: int
    messages: int
    oldest: datetime | None
    purged_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A living room, with how many members and messages it has."""

    room: Room
    members: int
    messages: int


class Inventory:
    """Counts what lives."""

    def __init__(self, *, database: Database, clock: Clock, vault: Vault) -> None:
        self._database = database
        self._clock = clock
        self._vault = vault

    async def count(self) -> Stock:
        """Return how much there is of everything."""
        now = self._clock()
        async with self._database.reading() as session:
            return Stock(
                visitors=await _count(session, col(VisitorRow.expires_at) > now),
                rooms=await _count(session, col(RoomRow.expires_at) > now),
                members=await _count(session, col(MemberRow.room_id).is_not(None)),
                messages=await _count(session, col(MessageRow.expires_at) > now),
                oldest=(
                    await session.exec(
                        select(func.min(MessageRow.posted_at)).where(MessageRow.expires_at > now)
                    )
                ).one(),
                purged_at=(await session.exec(select(LedgerRow.purged_at))).one(),
            )

    async def list_rooms(self) -> list[Entry]:
        """Return every living room."""
        entries: list[Entry] = []
        rows: Sequence[RoomRow] = ()
        while page := await self._read_page(after=rows[-1].id if rows else ""):
            rows, members, messages = page
            entries += [
                Entry(room, members.get(room.id, 0), messages.get(room.id, 0))
                for row in rows
                if (room := self._vault.open_room(row))
            ]
            await asyncio.sleep(0)  # there may be many
        return entries

    async def _read_page(
        self, *, after: str
    ) -> tuple[Sequence[RoomRow], Mapping[str, int], Mapping[str, int]] | None:
        now = self._clock()
        query = select(RoomRow).where(col(RoomRow.id) > after, col(RoomRow.expires_at) > now)
        async with self._database.reading() as session:
            rows = (await session.exec(query.order_by(col(RoomRow.id)).limit(_AT_ONCE))).all()
            ids = [row.id for row in rows]
            members = select(MemberRow.room_id, func.count()).where(col(MemberRow.room_id).in_(ids))
            messages = select(MessageRow.room_id, func.count()).where(
                col(MessageRow.room_id).in_(ids), col(MessageRow.expires_at) > now
            )
            if not rows:
                return None
            return (
                rows,
                dict((await session.exec(members.group_by(col(MemberRow.room_id)))).all()),
                dict((await session.exec(messages.group_by(col(MessageRow.room_id)))).all()),
            )


async def _count(session: AsyncSession, condition: ColumnElement[bool]) -> int:
    return (await session.exec(select(func.count()).where(condition))).one()

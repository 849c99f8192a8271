"""Standings: roles and mutes of members, and mutes of those who have left."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, RoomRow, StandingRow

from ..entities import FOR_GOOD, Standing
from ..errors import NotFound
from ..mutes import find_mute
from ..runtime.coarse_time import ceil_to_minute
from ..security.standing_cipher import StandingCipher

_ORDINARY = Standing()
_REMOVAL_KEPT = timedelta(days=1)


class Standings:
    """Reads and writes standings, each as part of a transaction that has locked the room."""

    def __init__(self, cipher: StandingCipher) -> None:
        self._cipher = cipher

    async def read(self, session: AsyncSession, room_id: str, visitor_id: str) -> Standing:
        """Return the standing of a visitor in a room."""
        row = await session.get(StandingRow, (room_id, visitor_id))
        return (await self._decrypt(room_id, [row] if row else [])).get(visitor_id, _ORDINARY)

    async def read_all(self, session: AsyncSession, room_id: str) -> dict[str, Standing]:
        """Return the standings in a room that are not those of everybody, by visitor."""
        query = select(StandingRow).where(StandingRow.room_id == room_id)
        return await self._decrypt(room_id, (await session.exec(query)).all())

    async def write(
        self,
        session: AsyncSession,
        room_id: str,
        visitor_id: str,
        standing: Standing,
        *,
        kept_until: datetime | None = None,
    ) -> None:
        """Store a standing; raise `NotFound` if a key of the room or visitor was destroyed."""
        row = await session.get(StandingRow, (room_id, visitor_id))
        if standing == _ORDINARY:
            if row:
                await session.delete(row)
            return
        await self._cipher.fetch_keys(room_id, [visitor_id])
        sealed = self._cipher.encrypt_standing(room_id, visitor_id, standing)
        if sealed is None:
            raise NotFound
        row = row or StandingRow(room_id=room_id, visitor_id=visitor_id, sealed=sealed)
        row.sealed, row.kept_until = sealed, kept_until
        session.add(row)

    async def keep(
        self, session: AsyncSession, room_id: str, visitor_id: str, *, removed: bool, now: datetime
    ) -> None:
        """Reduce the standing of a member who leaves to what is kept: a mute, and a removal."""
        before = await self.read(session, room_id, visitor_id)
        mute = find_mute(before.muted_until, now)
        until = max(mute or now, now + _REMOVAL_KEPT if removed else now)
        await self.write(
            session,
            room_id,
            visitor_id,
            Standing(muted_until=mute, was_removed=removed),
            kept_until=FOR_GOOD if until == FOR_GOOD else ceil_to_minute(until),
        )

    async def take_back(
        self, session: AsyncSession, room_id: str, visitor_id: str, now: datetime
    ) -> Standing:
        """Return the standing of a visitor who joins: a mute that has not ended is kept."""
        before = await self.read(session, room_id, visitor_id)
        standing = Standing(muted_until=find_mute(before.muted_until, now))
        await self.write(session, room_id, visitor_id, standing)
        return standing

    async def _decrypt(self, room_id: str, rows: Sequence[StandingRow]) -> dict[str, Standing]:
        if rows:
            await self._cipher.fetch_keys(room_id, [row.visitor_id for row in rows])
        return {
            row.visitor_id: self._cipher.decrypt_standing(room_id, row.visitor_id, row.sealed)
            for row in rows
        }


async def delete_ended_standings(session: AsyncSession, *, now: datetime) -> None:
    """Delete what was kept of former members until now."""
    ended = select(StandingRow.room_id, StandingRow.visitor_id)
    ended = ended.where(col(StandingRow.kept_until) <= now).with_for_update(skip_locked=True)
    for room_id, visitor_id in (await session.exec(ended)).all():
        own = delete(StandingRow).where(col(StandingRow.room_id) == room_id)
        await session.exec(own.where(col(StandingRow.visitor_id) == visitor_id))


def role_of_row(room: RoomRow, row: MemberRow | None, standing: Standing) -> str:
    """Return `"owner"`, `HELPER`, or `""` for ordinary members and those who have left."""
    if row is None:
        return ""
    return "owner" if row.author == room.owner else standing.role

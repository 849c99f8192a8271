"""Ends of memberships: who leaves, what is kept of them, and who owns the room afterwards."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, RoomRow

from ..entities import HELPER, Standing
from ..events import Event, MemberChanged, MemberLeft, RoomChanged
from ..mutes import find_mute
from ..runtime.clock import Clock
from ..security.row_cipher import RowCipher
from .database import Database
from .standings import Standings
from .stored_members import StoredMembers

_FOR_NO_KEY_UPDATE = {"key_share": True}


class Departures:
    """Ends memberships as part of transactions that have locked the room.

    The methods return the events to publish after the commit.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        cipher: RowCipher,
        standings: Standings,
        members: StoredMembers,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cipher = cipher
        self._standings = standings
        self._members = members

    async def end(
        self,
        session: AsyncSession,
        room: RoomRow,
        row: MemberRow,
        *,
        requested: bool = False,
        removed: bool = False,
    ) -> list[Event]:
        """End a membership. An owner is followed by the longest-standing helper, else member.

        A mute that has not ended is kept for when they join again.
        """
        await session.delete(row)
        await self._standings.keep(
            session, room.id, row.visitor_id, removed=removed, now=self._clock()
        )
        left = MemberLeft(room.id, row.visitor_id, row.author, requested, removed)
        if row.author != room.owner:
            return [left]
        return [left, *await self._follow(session, room, row.visitor_id)]

    async def end_owned(self, visitor_id: str) -> AsyncIterator[Event]:
        """End a visitor's memberships of rooms that they own, one by one; yield the events."""
        query = (
            select(MemberRow.room_id)
            .join(RoomRow, col(RoomRow.id) == MemberRow.room_id)
            .where(MemberRow.visitor_id == visitor_id, MemberRow.author == RoomRow.owner)
        )
        async with self._database.read_session(visitor_id) as session:
            owned = (await session.exec(query)).all()
        for room_id in owned:
            events: list[Event] = []
            async with self._database.transaction(visitor_id) as session:
                room = await session.get(RoomRow, room_id, with_for_update=_FOR_NO_KEY_UPDATE)
                row = await session.get(MemberRow, (room_id, visitor_id), with_for_update=True)
                if room and row:
                    events = await self.end(session, room, row)
            for event in events:
                yield event

    async def give(self, session: AsyncSession, room: RoomRow, row: MemberRow) -> list[Event]:
        """Make a member the owner of the room."""
        room.owner = row.author
        room.revision += 1
        session.add(room)
        await self._standings.write(session, room.id, row.visitor_id, Standing())
        await session.flush()
        changed = self._cipher.decrypt_room(room)
        member = await self._members.read(session, room.id, row.visitor_id)
        events: list[Event] = [RoomChanged(changed, changed.listed)] if changed else []
        return [*events, MemberChanged(member)] if member else events

    async def _follow(self, session: AsyncSession, room: RoomRow, former: str) -> list[Event]:
        """Give the room of a former owner to another member, if there is one."""
        query = select(MemberRow).where(MemberRow.room_id == room.id)
        query = query.where(MemberRow.visitor_id != former).order_by(col(MemberRow.joined_at))
        rows = (await session.exec(query)).all()
        if not rows:  # it stays theirs: they may come back
            return []
        standings, now = await self._standings.read_all(session, room.id), self._clock()

        def preference(row: MemberRow) -> tuple[bool, bool, datetime]:
            standing = standings.get(row.visitor_id, Standing())
            is_muted = find_mute(standing.muted_until, now) is not None
            return standing.role != HELPER, is_muted, row.joined_at

        return await self.give(session, room, min(rows, key=preference))

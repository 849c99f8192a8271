"""Memberships: joining and leaving rooms, lists of members, and read positions."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, ScalarSelect, SQLColumnExpression, case
from sqlmodel import col, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, RoomRow, StandingRow, VisitorRow

from ..bus import Bus
from ..crypto import Hasher
from ..entities import Member, Membership, Standing, Unread
from ..errors import NotAMember, NotFound, Unavailable, UnknownVisitor
from ..events import (
    BadgeChanged,
    Event,
    EventsLost,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    RoomEnded,
    RoomRead,
)
from ..lifetimes import room_lifetime
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.row_cipher import RowCipher
from ..settings import Settings
from ..storage.bans import Bans
from ..storage.database import Database
from ..storage.departures import Departures
from ..storage.mentions import find_latest_mentions
from ..storage.pseudonyms import choose_pseudonym
from ..storage.read_marks import ReadMarks
from ..storage.room_cache import RoomCache
from ..storage.room_doors import RoomDoors
from ..storage.room_places import RoomPlaces
from ..storage.standings import Standings
from ..storage.stored_members import StoredMembers, select_members, with_standing

_MEMBERS_CACHED_MAX = 50_000
_UNREAD_MAX = 1_000
_MICROSECOND = timedelta(microseconds=1)
# Row locks: against concurrent updates, and against deletion.
_FOR_NO_KEY_UPDATE = {"key_share": True}
_FOR_KEY_SHARE = {"read": True, "key_share": True}


class Memberships:
    """Manages the members of rooms and how far each has read."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        cipher: RowCipher,
        hasher: Hasher,
        places: RoomPlaces,
        stored: StoredMembers,
        standings: Standings,
        departures: Departures,
        bans: Bans,
        doors: RoomDoors,
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._cipher = cipher
        self._hasher = hasher
        self._places = places
        self._stored = stored
        self._standings = standings
        self._departures = departures
        self._bans = bans
        self._doors = doors
        self._read_marks = ReadMarks(database)
        self._member_lists: RoomCache[dict[str, Member]] = RoomCache(
            _MEMBERS_CACHED_MAX, bus.room_epoch, measure=lambda members: 1 + len(members)
        )
        bus.subscribe(self._on_event)

    async def join(
        self,
        room_id: str,
        *,
        visitor_id: str,
        password: str = "",
        invite: str = "",
        address: str = "",
    ) -> Member:
        """Make the visitor a member of the room; an existing membership is returned unchanged.

        Earlier messages count as read. The room gets its full lifetime once a member other than its
        creator has joined. A mute that has not ended goes on. `invite` is the code of an
        invitation; wrong passwords are limited by the network of `address`, the client. Raises
        `NotFound`, `UnknownVisitor`, `Banned`, `DoorClosed`, `InviteGone`, `LimitReached`, or
        `Unavailable`, also while only another node has the keys of the room or the visitor.
        """
        password_key = await self._doors.try_password(
            room_id, visitor_id=visitor_id, password=password, address=address
        )
        displaced, standing = None, Standing()
        events: list[Event] = []
        async with self._database.transaction(visitor_id) as session:
            room_row = await session.get(RoomRow, room_id, with_for_update=_FOR_NO_KEY_UPDATE)
            visitor_row = await session.get(VisitorRow, visitor_id, with_for_update=_FOR_KEY_SHARE)
            now = self._clock()  # after locking, when the room cannot be ended
            row = await session.get(MemberRow, (room_id, visitor_id))
            if room_row is None or room_row.expires_at <= now:
                raise NotFound
            if visitor_row is None:
                raise UnknownVisitor
            await self._require_keys(room_row, visitor_id)
            is_new = row is None
            if row is None:
                await self._bans.require_admitted(session, room_id, visitor_row)
                events = await self._doors.admit(
                    session, room_row, visitor_id, password_key=password_key, invite=invite
                )
                displaced = await self._places.reserve_member(session, room_row, visitor_id)
                self._limits.joins.hit(visitor_id)
                row = MemberRow(
                    room_id=room_id,
                    visitor_id=visitor_id,
                    author=await choose_pseudonym(session, self._hasher, room_row, visitor_row),
                    read_seq=room_row.last_seq,
                    joined_at=await self._choose_joined_at(session, room_id, now),
                )
                session.add(row)
                standing = await self._standings.take_back(session, room_id, visitor_id, now)
                room_row.active_at = now
                room_row.was_entered = room_row.was_entered or row.author != room_row.owner
                room_row.expires_at = max(room_row.expires_at, now + self._lifetime(room_row))
            else:
                standing = await self._standings.read(session, room_id, visitor_id)
        for event in events:
            await self._bus.publish(event)
        if displaced:
            await self._bus.publish(MemberLeft(room_id, displaced.visitor_id, displaced.author))
        room = self._cipher.decrypt_room(room_row)
        member = self._cipher.decrypt_member(row, visitor_row)
        if room is None or member is None:
            raise NotFound
        member = with_standing(member, standing)
        if is_new:
            await self._bus.publish(MemberJoined(room, member))
        return member

    async def _choose_joined_at(
        self, session: AsyncSession, room_id: str, now: datetime
    ) -> datetime:
        """Return a time later than that of all members, even of those of the same minute."""
        last = select(func.max(MemberRow.joined_at)).where(MemberRow.room_id == room_id)
        joined_at = (await session.exec(last)).one()
        return max(ceil_to_minute(now), joined_at + _MICROSECOND if joined_at else now)

    async def _require_keys(self, room: RoomRow, visitor_id: str) -> None:
        """Raise `Unavailable` while only another node has the keys of this room or this visitor.

        Called before the row is added, because the event of joining needs both decrypted.
        """
        await self._cipher.fetch_room_keys([room])
        await self._cipher.fetch_visitor_keys([visitor_id])
        if self._cipher.may_room_keys_exist_on_peers(
            room
        ) or self._cipher.may_visitor_key_exist_on_peers(visitor_id):
            raise Unavailable

    async def leave(self, room_id: str, *, visitor_id: str) -> None:
        """End the membership; does nothing if the visitor is not a member.

        A room whose owner leaves is given to the longest-standing helper, else member.
        """
        async with self._database.transaction(visitor_id) as session:
            room = await session.get(RoomRow, room_id, with_for_update=_FOR_NO_KEY_UPDATE)
            row = await session.get(MemberRow, (room_id, visitor_id), with_for_update=True)
            if room is None or row is None:
                return
            events = await self._departures.end(session, room, row, requested=True)
        for event in events:
            await self._bus.publish(event)

    def current(self, member: Member) -> Member:
        """Return a member as they are now, as far as this node knows the room."""
        return (self._member_lists.get(member.room_id) or {}).get(member.visitor_id, member)

    async def get(self, room_id: str, visitor_id: str) -> Member | None:
        """Return the visitor as a member of the room, or `None` if not a member."""
        member = (self._member_lists.get(room_id) or {}).get(visitor_id)
        if member is None:  # may have just joined on another node
            query = select_members(room_id).where(MemberRow.visitor_id == visitor_id)
            async with self._database.read_session(visitor_id) as session:
                found = (await session.exec(query)).all()
            member = next(iter(await self._stored.decrypt(room_id, found)), None)
        if member is None or not self._cipher.has_visitor_key(visitor_id):
            return None
        marked = self._read_marks.get(room_id, visitor_id)
        return replace(member, read_seq=marked) if marked > member.read_seq else member

    async def require(self, room_id: str, visitor_id: str) -> Member:
        """Return the visitor as a member of the room; raise `NotAMember` if not a member."""
        member = await self.get(room_id, visitor_id=visitor_id)
        if member is None:
            raise NotAMember
        return member

    async def find_by_author(self, room_id: str, author: str) -> Member:
        """Return the member with this pseudonym; raise `NotAMember` if nobody in the room has it.

        The pseudonym of a member who left is free until they return.
        """
        by_visitor = self._member_lists.get(room_id) or {}
        visitor_id = next(
            (id for id, member in by_visitor.items() if member.author == author), None
        )
        if visitor_id is None:  # may have just joined on another node
            query = select(MemberRow.visitor_id).where(
                MemberRow.room_id == room_id, MemberRow.author == author
            )
            async with self._database.read_session() as session:
                visitor_id = (await session.exec(query)).first()
        if visitor_id is None:
            raise NotAMember
        return await self.require(room_id, visitor_id)

    async def is_member(self, room_id: str, visitor_id: str) -> bool:
        """Return whether the visitor is a member of the room."""
        return await self.get(room_id, visitor_id=visitor_id) is not None

    async def count(self, room_id: str) -> int:
        """Return the number of members of the room."""
        query = select(func.count()).where(MemberRow.room_id == room_id)
        async with self._database.read_session() as session:
            return (await session.exec(query)).one()

    async def list_members(self, room_id: str, *, visitor_id: str) -> list[Member]:
        """Return all members, sorted by nickname; raise `NotAMember` if the visitor is not one."""
        by_visitor = await self._read_members(room_id)
        if visitor_id not in by_visitor:
            member = await self.require(room_id, visitor_id=visitor_id)
            by_visitor = {**by_visitor, visitor_id: member}
        return self._list_known(by_visitor)

    async def list_all(self, room_id: str) -> list[Member]:
        """Return all members, sorted by nickname, for those who are not members: plugins."""
        return self._list_known(await self._read_members(room_id))

    async def _read_members(self, room_id: str) -> dict[str, Member]:
        return await self._member_lists.get_or_load(room_id, lambda: self._load_members(room_id))

    def _list_known(self, by_visitor: dict[str, Member]) -> list[Member]:
        members = [
            member
            for member in by_visitor.values()
            if self._cipher.has_visitor_key(member.visitor_id)
        ]
        return sorted(members, key=lambda member: member.nickname.casefold())

    async def list_of_visitor(self, visitor_id: str) -> list[Membership]:
        """Return a visitor's memberships and unread counts, the most recently active room first."""
        await self._write_visitor_marks(visitor_id)
        now = self._clock()
        query = (
            select(
                MemberRow, VisitorRow, RoomRow, _count_unread(now, after=col(MemberRow.read_seq))
            )
            .join(VisitorRow, col(VisitorRow.id) == MemberRow.visitor_id)
            .join(RoomRow, col(RoomRow.id) == MemberRow.room_id)
            .where(MemberRow.visitor_id == visitor_id, col(RoomRow.expires_at) > now)
            .order_by(col(RoomRow.active_at).desc())
        )
        async with self._database.read_session(visitor_id) as session:
            found = (await session.exec(query)).all()
            own = select(StandingRow).where(StandingRow.visitor_id == visitor_id)
            sealed = {row.room_id: row.sealed for row in await session.exec(own)}
        await self._cipher.fetch_room_keys(room_row for *_, room_row, _ in found)
        memberships = []
        for member_row, visitor_row, room_row, count in found:
            standing = sealed.get(room_row.id)
            member = self._stored.decrypt_one(member_row, visitor_row, standing)
            room = self._cipher.decrypt_room(room_row)
            if member and room:
                memberships.append(Membership(room, member, count))
        return memberships

    async def list_unread(self, visitor_id: str) -> dict[str, Unread]:
        """Return what is unread in each room of a visitor, the most recently active room first."""
        await self._write_visitor_marks(visitor_id)
        now = self._clock()
        lowest = col(RoomRow.last_seq) - _UNREAD_MAX
        read_seq = case((col(MemberRow.read_seq) > lowest, MemberRow.read_seq), else_=lowest)
        query = (
            select(
                MemberRow,
                RoomRow.last_seq,
                _count_unread(now, after=read_seq),
                _find_next_expiry(now, after=read_seq),
            )
            .join(RoomRow, col(RoomRow.id) == MemberRow.room_id)
            .where(MemberRow.visitor_id == visitor_id, col(RoomRow.expires_at) > now)
            .order_by(col(RoomRow.active_at).desc())
        )
        async with self._database.read_session(visitor_id) as session:
            found = (await session.exec(query)).all()
            authors = {row.room_id: row.author for row, *_ in found}
            mentions = await find_latest_mentions(session, self._hasher, authors)
        return {
            row.room_id: Unread(
                last_seq - count,
                next_expiry,
                mention if (mention := mentions.get(row.room_id, 0)) > row.read_seq else 0,
            )
            for row, last_seq, count, next_expiry in found
        }

    async def mark_read(self, room_id: str, *, visitor_id: str, seq: int) -> None:
        """Set a member's read mark to `seq`, unless it is higher already.

        The mark is kept in memory until the next `write_read_marks`; if it is lost, the unread
        count is too high.
        """
        if self._read_marks.add_own(room_id, visitor_id, seq):
            await self._bus.publish(RoomRead(visitor_id, room_id, seq))

    async def write_read_marks(self) -> None:
        """Write all read marks of this node to the database. Raises `Unavailable`."""
        self._update_read_seqs(await self._read_marks.write_own())

    async def _write_visitor_marks(self, visitor_id: str) -> None:
        with suppress(Unavailable):  # the caller can still read from the database
            self._update_read_seqs(await self._read_marks.write_of_visitor(visitor_id))

    def _update_read_seqs(self, written: Iterable[tuple[str, str, int]]) -> None:
        for room_id, visitor_id, seq in written:
            self._member_lists.update(
                room_id, partial(_set_read_seq, visitor_id=visitor_id, seq=seq)
            )

    async def _load_members(self, room_id: str) -> dict[str, Member]:
        async with self._database.read_session() as session:
            found = (await session.exec(select_members(room_id))).all()
        members = await self._stored.decrypt(room_id, found)
        return {member.visitor_id: member for member in members}

    async def _on_event(self, event: Event) -> None:
        match event:
            case MemberJoined(room, member):  # the creator joins with the room's creation
                self._member_lists.update(
                    room.id, lambda members: members.update({member.visitor_id: member})
                )
            case MemberLeft(room_id, visitor_id, _):
                self._read_marks.drop(room_id, visitor_id)
                self._member_lists.update(room_id, lambda members: members.pop(visitor_id, None))
            case MemberChanged(member):
                self._member_lists.update(member.room_id, partial(_set_standing, changed=member))
            case RoomEnded(room_id):
                self._member_lists.invalidate(room_id)
            case EventsLost() | BadgeChanged():
                self._member_lists.clear()
            case RoomRead(visitor_id, room_id, seq):
                self._read_marks.add(room_id, visitor_id, seq)

    def _lifetime(self, room: RoomRow) -> timedelta:
        ttl = timedelta(seconds=room.room_ttl)
        return room_lifetime(self._settings, ttl, was_entered=room.was_entered)


def _count_unread(now: datetime, *, after: SQLColumnExpression[int]) -> ScalarSelect[int]:
    """Count unexpired messages of others after a `seq`."""
    return select(func.count()).where(*_unread(now, after)).scalar_subquery()


def _find_next_expiry(
    now: datetime, *, after: SQLColumnExpression[int]
) -> ScalarSelect[datetime | None]:
    """Find when the first of the unexpired messages of others after a `seq` expires."""
    return select(func.min(MessageRow.expires_at)).where(*_unread(now, after)).scalar_subquery()


def _unread(now: datetime, after: SQLColumnExpression[int]) -> list[ColumnElement[bool]]:
    """Return the conditions of unread messages; both bounds, so that an index is used."""
    return [
        col(MessageRow.room_id) == RoomRow.id,
        col(MessageRow.visitor_id) != MemberRow.visitor_id,
        col(MessageRow.expires_at) > now,
        col(MessageRow.seq) > after,
        col(MessageRow.seq) <= RoomRow.last_seq,
    ]


def _set_read_seq(members: dict[str, Member], *, visitor_id: str, seq: int) -> None:
    if member := members.get(visitor_id):
        members[visitor_id] = replace(member, read_seq=max(member.read_seq, seq))


def _set_standing(members: dict[str, Member], *, changed: Member) -> None:
    if member := members.get(changed.visitor_id):
        members[changed.visitor_id] = replace(
            member, role=changed.role, muted_until=changed.muted_until
        )

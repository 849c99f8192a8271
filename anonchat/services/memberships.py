"""Being in rooms: joining, leaving, who is in, and how far one has read."""

import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ScalarSelect, SQLColumnExpression, case
from sqlmodel import col, delete, func, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from ..bus import Bus
from ..clock import Clock
from ..coarse_time import minute_after
from ..database import Database
from ..errors import N_, LimitReached, NotAMember, NotFound, Unavailable, UnknownVisitor
from ..events import BadgeChanged, Event, MemberJoined, MemberLeft, NewsMissed, RoomEnded, RoomRead
from ..lifetimes import room_lifetime
from ..limits import Limits
from ..network_shares import NetworkShares
from ..nouns import Member, Membership
from ..seal import Hasher
from ..settings import Settings
from ..shelf import Shelf
from ..vault import Vault

_ROLLS_KEPT = 100
_UNREAD_MOST = 1_000
_MARKS_MOST = 200_000
_MARKS_AT_ONCE = 500  # nobody shall wait long to post
_IDLE_AFTER = timedelta(minutes=1)
# How rows are locked: nobody else changes it; nobody ends it.
_FOR_CHANGE = {"key_share": True}
_TO_STAY = {"read": True, "key_share": True}


class Memberships:
    """Who is in which room."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        shares: NetworkShares,
        vault: Vault,
        hasher: Hasher,
        list_present: Callable[[str], Collection[str]],
    ) -> None:
        """`list_present` tells who has a room open now, on any node."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._shares = shares
        self._list_present = list_present
        self._vault = vault
        self._hasher = hasher
        self._read: dict[tuple[str, str], int] = {}  # notes of this node and of others
        self._unwritten: set[tuple[str, str]] = set()  # those of this one
        self._rolls: Shelf[dict[str, Member]] = Shelf(_ROLLS_KEPT, bus.hearing)
        bus.subscribe(self._on_event)

    async def join(self, room_id: str, *, visitor_id: str) -> Member:
        """Make the visitor a member; one who is in already stays as they are.

        What was said before counts as read. Once somebody but its maker is in, a room lives as long
        as it was made for. Raises `NotFound`, `UnknownVisitor`, `LimitReached`, or `Unavailable`,
        also while only another node has the keys to open the room or the visitor.
        """
        displaced = None
        async with self._database.transaction(visitor_id) as session:
            room_row = await session.get(RoomRow, room_id, with_for_update=_FOR_CHANGE)
            visitor_row = await session.get(VisitorRow, visitor_id, with_for_update=_TO_STAY)
            now = self._clock()  # once nobody else can end the room any more
            row = await session.get(MemberRow, (room_id, visitor_id))
            if room_row is None or room_row.expires_at <= now:
                raise NotFound(N_("There is no such room, or it has ended."))
            if visitor_row is None:
                raise UnknownVisitor(N_("Please come in again."))
            await self._require_keys(room_id, visitor_id)
            known = row is not None
            if row is None:
                displaced = await self._make_place(session, room_row, visitor_id)
                self._limits.joins.spend(visitor_id)
                row = MemberRow(
                    room_id=room_id,
                    visitor_id=visitor_id,
                    author=self._hasher.pseudonym(room_id, visitor_id),
                    read_seq=room_row.last_seq,
                    joined_at=minute_after(now),
                )
                session.add(row)
                room_row.active_at = now
                room_row.was_entered = room_row.was_entered or row.author != room_row.owner
                room_row.expires_at = max(room_row.expires_at, now + self._lifetime(room_row))
        if displaced:
            await self._bus.publish(MemberLeft(room_id, displaced.visitor_id, displaced.author))
        room = self._vault.open_room(room_row)
        member = self._vault.open_member(row, visitor_row)
        if room is None or member is None:
            raise NotFound(N_("There is no such room, or it has ended."))
        if not known:
            await self._bus.publish(MemberJoined(room, member))
        return member

    async def _require_keys(self, room_id: str, visitor_id: str) -> None:
        """Raise `Unavailable` while only another node has the keys of this room or this visitor.

        Before the row is added: a membership that could not be opened would never be announced.
        """
        await self._vault.learn_rooms([room_id])
        await self._vault.learn_visitors([visitor_id])
        if self._vault.is_room_strange(room_id) or self._vault.is_visitor_strange(visitor_id):
            raise Unavailable(N_("That could not be kept just now. Please try again."))

    async def leave(self, room_id: str, *, visitor_id: str) -> None:
        """End the membership; leaving a room one is not in changes nothing."""
        async with self._database.transaction(visitor_id) as session:
            await session.get(RoomRow, room_id, with_for_update=_FOR_CHANGE)
            row = await session.get(MemberRow, (room_id, visitor_id), with_for_update=True)
            if row is None:
                return
            await session.delete(row)
        await self._bus.publish(MemberLeft(room_id, visitor_id, row.author))

    async def get(self, room_id: str, *, visitor_id: str) -> Member | None:
        """Return the visitor as a member of the room, or `None` if they are not in."""
        member = (self._rolls.peek(room_id) or {}).get(visitor_id)
        if member is None:  # of one who has just joined on another node this one may not know yet
            query = _members().where(
                MemberRow.room_id == room_id, MemberRow.visitor_id == visitor_id
            )
            async with self._database.reading(visitor_id) as session:
                found = (await session.exec(query)).first()
            await self._vault.learn_visitors([visitor_id] if found else [])
            member = self._vault.open_member(*found) if found else None
        if member is None or not self._vault.knows(visitor_id):
            return None
        noted = self._read.get((room_id, visitor_id), 0)
        return replace(member, read_seq=max(member.read_seq, noted))

    async def require(self, room_id: str, *, visitor_id: str) -> Member:
        """Return the visitor as a member of the room; raise `NotAMember` if they are not in."""
        member = await self.get(room_id, visitor_id=visitor_id)
        if member is None:
            raise NotAMember(N_("Only members can do that. Join the room first."))
        return member

    async def has(self, room_id: str, visitor_id: str) -> bool:
        """Tell whether the visitor is a member of the room."""
        return await self.get(room_id, visitor_id=visitor_id) is not None

    async def count(self, room_id: str) -> int:
        """Return how many members the room has."""
        query = select(func.count()).where(MemberRow.room_id == room_id)
        async with self._database.reading() as session:
            return (await session.exec(query)).one()

    async def list_members(self, room_id: str, *, visitor_id: str) -> list[Member]:
        """Return all members of the room, by nickname, to one of them; raise `NotAMember`."""
        roll = await self._rolls.obtain(room_id, lambda: self._call_roll(room_id))
        if visitor_id not in roll:
            roll = {**roll, visitor_id: await self.require(room_id, visitor_id=visitor_id)}
        members = [member for member in roll.values() if self._vault.knows(member.visitor_id)]
        return sorted(members, key=lambda member: member.nickname.casefold())

    async def list_mine(self, visitor_id: str) -> list[Membership]:
        """Return the rooms a visitor is in, the liveliest first, with what is unread in each."""
        await self._write_marks_of(visitor_id)
        now = self._clock()
        query = (
            select(MemberRow, VisitorRow, RoomRow, _unread(now, after=col(MemberRow.read_seq)))
            .join(VisitorRow, col(VisitorRow.id) == MemberRow.visitor_id)
            .join(RoomRow, col(RoomRow.id) == MemberRow.room_id)
            .where(MemberRow.visitor_id == visitor_id, col(RoomRow.expires_at) > now)
            .order_by(col(RoomRow.active_at).desc())
        )
        async with self._database.reading(visitor_id) as session:
            found = (await session.exec(query)).all()
        await self._vault.learn_rooms(room_row.id for *_, room_row, _ in found)
        mine = []
        for member_row, visitor_row, room_row, count in found:
            member = self._vault.open_member(member_row, visitor_row)
            room = self._vault.open_room(room_row)
            if member and room:
                mine.append(Membership(room, member, count))
        return mine

    async def read_marks(self, visitor_id: str) -> dict[str, int]:
        """Return up to where each room of a visitor counts as read, the liveliest room first.

        What comes after that is as much as is unread, as far as anybody would count.
        """
        await self._write_marks_of(visitor_id)
        now = self._clock()
        least = col(RoomRow.last_seq) - _UNREAD_MOST
        read_seq = case((col(MemberRow.read_seq) > least, MemberRow.read_seq), else_=least)
        query = (
            select(RoomRow.id, RoomRow.last_seq, _unread(now, after=read_seq))
            .join(MemberRow, col(MemberRow.room_id) == RoomRow.id)
            .where(MemberRow.visitor_id == visitor_id, col(RoomRow.expires_at) > now)
            .order_by(col(RoomRow.active_at).desc())
        )
        async with self._database.reading(visitor_id) as session:
            found = (await session.exec(query)).all()
        return {room_id: last_seq - unread for room_id, last_seq, unread in found}

    async def mark_read(self, room_id: str, *, visitor_id: str, seq: int) -> None:
        """Note that a member has read up to `seq`.

        The note is kept in memory and written with the next `write_read_marks`: losing it costs
        nobody more than a number that is too large.
        """
        if self._read.get((room_id, visitor_id), 0) < seq <= sys.maxsize:
            if self._has_space(room_id, visitor_id):
                self._unwritten.add((room_id, visitor_id))
            await self._bus.publish(RoomRead(visitor_id, room_id, seq))

    async def write_read_marks(self) -> None:
        """Write the notes of `mark_read` down, all at once.

        A note stays until it is written; one beyond the last message of its room says nothing.
        Those of other nodes are written there.
        """
        self._read = {place: seq for place, seq in self._read.items() if place in self._unwritten}
        await self._write(dict(self._read))

    async def _write(self, marks: dict[tuple[str, str], int], *, group: str = "") -> None:
        places = sorted(marks)
        written = []
        for begin in range(0, len(places), _MARKS_AT_ONCE):
            written += await self._write_marks(
                marks, places[begin : begin + _MARKS_AT_ONCE], group=group
            )
        for room_id, visitor_id, seq in written:
            self._rolls.change(room_id, partial(_note_read, visitor_id=visitor_id, seq=seq))
        for (room_id, visitor_id), seq in marks.items():
            if self._read.get((room_id, visitor_id)) == seq:  # else more was read meanwhile
                self._forget_mark(room_id, visitor_id)

    async def _write_marks_of(self, visitor_id: str) -> None:
        """Write down what is known to be read by one visitor, whichever node has noted it."""
        marks = {place: seq for place, seq in self._read.items() if place[1] == visitor_id}
        with suppress(Unavailable):  # what can only be read now shall be read
            await self._write(marks, group=visitor_id)

    def _forget_mark(self, room_id: str, visitor_id: str) -> None:
        self._read.pop((room_id, visitor_id), None)
        self._unwritten.discard((room_id, visitor_id))

    async def _write_marks(
        self, marks: dict[tuple[str, str], int], places: list[tuple[str, str]], *, group: str
    ) -> list[tuple[str, str, int]]:
        place = tuple_(col(MemberRow.room_id), col(MemberRow.visitor_id))
        query = (
            select(MemberRow, RoomRow.last_seq)
            .join(RoomRow, col(RoomRow.id) == MemberRow.room_id)
            .where(place.in_(places))
            .order_by(col(MemberRow.room_id), col(MemberRow.visitor_id))
            .with_for_update(of=MemberRow, key_share=True)
        )
        written = []
        async with self._database.transaction(group) as session:
            for row, last_seq in await session.exec(query):
                seq = marks[row.room_id, row.visitor_id]
                if row.read_seq < seq <= last_seq:
                    row.read_seq = seq
                    written.append((row.room_id, row.visitor_id, seq))
        return written

    async def _call_roll(self, room_id: str) -> dict[str, Member]:
        async with self._database.reading() as session:
            found = (await session.exec(_members().where(MemberRow.room_id == room_id))).all()
        await self._vault.learn_visitors(visitor.id for _, visitor in found)
        members = [member for row in found if (member := self._vault.open_member(*row))]
        return {member.visitor_id: member for member in members}

    async def _on_event(self, event: Event) -> None:
        match event:
            case MemberJoined(room, member):  # a room's first member joins by making it
                self._rolls.change(room.id, lambda roll: roll.update({member.visitor_id: member}))
            case MemberLeft(room_id, visitor_id, _):
                self._forget_mark(room_id, visitor_id)
                self._rolls.change(room_id, lambda roll: roll.pop(visitor_id, None))
            case RoomEnded(room_id):
                self._rolls.drop(room_id)
            case NewsMissed() | BadgeChanged():
                self._rolls.clear()
            case RoomRead(visitor_id, room_id, seq):
                noted = self._read.get((room_id, visitor_id), 0)
                if seq > noted and self._has_space(room_id, visitor_id):
                    self._read[room_id, visitor_id] = seq

    def _has_space(self, room_id: str, visitor_id: str) -> bool:
        """Tell whether a note can be kept of a member."""
        return len(self._read) < _MARKS_MOST or (room_id, visitor_id) in self._read

    def _lifetime(self, room: RoomRow) -> timedelta:
        ttl = timedelta(seconds=room.room_ttl)
        return room_lifetime(self._settings, ttl, was_entered=room.was_entered)

    async def _make_place(
        self, session: AsyncSession, room: RoomRow, visitor_id: str
    ) -> MemberRow | None:
        """Make sure that there is a place for a visitor in a room, which is locked.

        If there is none, or the visitor's network has its share, an idle member whose network holds
        more is removed and returned. Raises `LimitReached`.
        """
        of_visitor = select(func.count()).where(MemberRow.visitor_id == visitor_id)
        if (await session.exec(of_visitor)).one() >= self._settings.rooms_per_visitor_max:
            raise LimitReached(N_("You are in too many rooms. Leave one first."))
        bound, networks = self._settings.members_per_room_max, self._shares.of_visitor(visitor_id)
        in_room = select(func.count()).where(MemberRow.room_id == room.id)
        count = (await session.exec(in_room)).one()
        if count < bound // 4:  # nobody can have their share yet
            return None
        members = select(MemberRow.visitor_id).where(MemberRow.room_id == room.id)
        places = self._shares.count_members((await session.exec(members)).all())
        if places.is_within_share(networks, bound=bound, taken=count):
            return None
        for member in await self._list_idle(session, room):
            if places.may_displace(networks, member.visitor_id, bound=bound):
                gone = delete(MemberRow).where(
                    col(MemberRow.room_id) == room.id,
                    col(MemberRow.visitor_id) == member.visitor_id,
                )
                await session.exec(gone)
                return member
        if count >= bound:
            raise LimitReached(N_("This room is full."))
        raise LimitReached(N_("Too many from your network are in this room."))

    async def _list_idle(self, session: AsyncSession, room: RoomRow) -> Sequence[MemberRow]:
        """Return who has never posted in a room and is not there now, the longest member first."""
        query = (
            select(MemberRow)
            .where(
                MemberRow.room_id == room.id,
                ~col(MemberRow.has_posted),
                MemberRow.author != room.owner,
                col(MemberRow.joined_at) <= self._clock() - _IDLE_AFTER,
            )
            .order_by(col(MemberRow.joined_at))
        )
        present = self._list_present(room.id)
        return [row for row in (await session.exec(query)).all() if row.author not in present]


def _unread(now: datetime, *, after: SQLColumnExpression[int]) -> ScalarSelect[int]:
    """Count what others have said in a room since; bounded on both sides, so by an index."""
    return (
        select(func.count())
        .where(
            MessageRow.room_id == RoomRow.id,
            MessageRow.visitor_id != MemberRow.visitor_id,
            col(MessageRow.expires_at) > now,
            col(MessageRow.seq) > after,
            col(MessageRow.seq) <= RoomRow.last_seq,
        )
        .scalar_subquery()
    )


def _note_read(roll: dict[str, Member], *, visitor_id: str, seq: int) -> None:
    if member := roll.get(visitor_id):
        roll[visitor_id] = replace(member, read_seq=max(member.read_seq, seq))


def _members() -> Select[MemberRow, VisitorRow]:
    return select(MemberRow, VisitorRow).join(
        VisitorRow, col(VisitorRow.id) == MemberRow.visitor_id
    )

"""Order in rooms: roles, mutes, removals and bans, and the deletion of all that somebody said."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from ..bus import Bus
from ..entities import FOR_GOOD, HELPER, Ban, Member, Standing, rank
from ..errors import N_, LimitReached, NotAllowed, NotAMember, NotFound, Unavailable
from ..events import Event, MemberChanged
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..settings import Settings
from ..storage.bans import Bans
from ..storage.conflicts import retry_on_conflict
from ..storage.database import Database
from ..storage.departures import Departures
from ..storage.standings import Standings, role_of_row
from ..storage.stored_members import StoredMembers
from ..storage.stored_messages import StoredMessages

Role = Literal["owner", "helper", "member"]

_FOR_NO_KEY_UPDATE = {"key_share": True}
_NOBODY = N_("Nobody in this room is that.")


@dataclass(slots=True)
class _Case:
    """Who is acted on, in a room whose row is locked; a former member has no `target_row`."""

    session: AsyncSession
    room: RoomRow
    target_id: str
    target_row: MemberRow | None
    standing: Standing
    events: list[Event]

    @property
    def target_role(self) -> str:
        """The role of the person who is acted on."""
        return role_of_row(self.room, self.target_row, self.standing)

    def require_member(self) -> MemberRow:
        """Return the row of the person who is acted on; raise `NotFound` if they have left."""
        if self.target_row is None:
            raise NotFound(_NOBODY)
        return self.target_row


class Moderation:
    """What the owner of a room and its helpers may do to keep order.

    The owner may act on everybody else, helpers on ordinary members and on those who have left.
    People are named by the pseudonym (`author`) that they have in the room. All acts raise
    `NotAMember`, `NotAllowed`, `NotFound`, `RateLimited` or `Unavailable`.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        standings: Standings,
        members: StoredMembers,
        departures: Departures,
        bans: Bans,
        messages: StoredMessages,
        rotate_span_keys: Callable[[int], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._standings = standings
        self._members = members
        self._departures = departures
        self._bans = bans
        self._messages = messages
        self._rotate_span_keys = rotate_span_keys

    async def set_role(self, room_id: str, author: str, role: Role, *, visitor_id: str) -> Member:
        """Give a member a role; allowed for the owner. A former owner becomes a helper.

        Raises `LimitReached` too, if the room has as many helpers as it may have.
        """
        charge = self._limits.moderation.hit_once(visitor_id)
        return await self._set_role(room_id, author, role, visitor_id, charge)

    @retry_on_conflict
    async def _set_role(
        self, room_id: str, author: str, role: Role, visitor_id: str, charge: Callable[[], None]
    ) -> Member:
        async with self._acting(room_id, author, visitor_id, charge, only_owner=True) as case:
            row, session = case.require_member(), case.session
            if role == "owner":
                case.events += await self._departures.give(session, case.room, row)
                await self._write(case, visitor_id, Standing(role=HELPER))
            elif role == "helper":
                await self._require_place_of_helper(case)
                # Whoever keeps order is not muted.
                await self._write(case, case.target_id, Standing(role=HELPER))
            else:
                await self._write(case, case.target_id, replace(case.standing, role=""))
            return await self._read_target(case)

    async def mute(
        self, room_id: str, author: str, duration: timedelta | None, *, visitor_id: str
    ) -> Member:
        """Let a member write nothing for a while; without a duration, as long as the room lives.

        Leaving and joining again does not end it.
        """
        charge = self._limits.moderation.hit_once(visitor_id)
        return await self._mute(room_id, author, duration, visitor_id, charge)

    @retry_on_conflict
    async def _mute(
        self,
        room_id: str,
        author: str,
        duration: timedelta | None,
        visitor_id: str,
        charge: Callable[[], None],
    ) -> Member:
        async with self._acting(room_id, author, visitor_id, charge) as case:
            case.require_member()
            until = self._clock() + duration if duration else FOR_GOOD
            await self._write(case, case.target_id, replace(case.standing, muted_until=until))
            return await self._read_target(case)

    async def unmute(self, room_id: str, author: str, *, visitor_id: str) -> Member:
        """Let a muted member write again."""
        charge = self._limits.moderation.hit_once(visitor_id)
        return await self._unmute(room_id, author, visitor_id, charge)

    @retry_on_conflict
    async def _unmute(
        self, room_id: str, author: str, visitor_id: str, charge: Callable[[], None]
    ) -> Member:
        async with self._acting(room_id, author, visitor_id, charge) as case:
            case.require_member()
            if case.standing.muted_until:
                await self._write(case, case.target_id, replace(case.standing, muted_until=None))
            return await self._read_target(case)

    async def remove(self, room_id: str, author: str, *, visitor_id: str) -> None:
        """End the membership of somebody else; they may join again."""
        charge = self._limits.moderation.hit_once(visitor_id)
        await self._remove(room_id, author, visitor_id, charge)

    @retry_on_conflict
    async def _remove(
        self, room_id: str, author: str, visitor_id: str, charge: Callable[[], None]
    ) -> None:
        async with self._acting(room_id, author, visitor_id, charge) as case:
            row = case.require_member()
            case.events += await self._departures.end(case.session, case.room, row, removed=True)

    async def ban(self, room_id: str, author: str, *, visitor_id: str) -> None:
        """End the membership of somebody who may not join again, also if they have left before.

        Nor may anybody whose nickname looks the same, until the room ends. Raises `LimitReached`
        too, if the room has as many bans as it may have.
        """
        charge = self._limits.moderation.hit_once(visitor_id)
        await self._ban(room_id, author, visitor_id, charge)

    @retry_on_conflict
    async def _ban(
        self, room_id: str, author: str, visitor_id: str, charge: Callable[[], None]
    ) -> None:
        async with self._acting(room_id, author, visitor_id, charge) as case:
            session = case.session
            visitor_row = await session.get(VisitorRow, case.target_id)
            if visitor_row is None:
                raise NotFound(_NOBODY)
            await self._bans.add(session, room_id, author, visitor_row, now=self._clock())
            if row := case.target_row:
                case.events += await self._departures.end(session, case.room, row, removed=True)

    async def unban(self, room_id: str, author: str, *, visitor_id: str) -> None:
        """Lift a ban; does nothing if there is none."""
        charge = self._limits.moderation.hit_once(visitor_id)
        async with self._database.transaction(visitor_id) as session:
            await self._require_moderator(session, room_id, visitor_id)
            charge()
            await self._bans.lift(session, room_id, author)

    async def list_bans(self, room_id: str, *, visitor_id: str) -> list[Ban]:
        """Return the bans of a room, the newest first; allowed for its owner and helpers."""
        async with self._database.read_session(visitor_id) as session:
            await self._require_moderator(session, room_id, visitor_id)
            return await self._bans.read_all(session, room_id)

    async def is_banned(self, room_id: str, visitor_id: str) -> bool:
        """Return whether a visitor may not join the room."""
        async with self._database.read_session(visitor_id) as session:
            row = await session.get(VisitorRow, visitor_id)
            return row is not None and await self._bans.is_banned(session, room_id, row)

    async def was_removed(self, room_id: str, visitor_id: str) -> bool:
        """Return whether a visitor was removed within the last day, and has not come back."""
        async with self._database.read_session(visitor_id) as session:
            return (await self._standings.read(session, room_id, visitor_id)).was_removed

    async def delete_all_of(self, room_id: str, author: str, *, visitor_id: str) -> int:
        """Delete all messages of somebody, also if they have left; return how many they were.

        They are as unreadable afterwards as those deleted one by one. What is posted meanwhile
        stays.
        """
        charge = self._limits.moderation.hit_once(visitor_id)
        async with self._acting(room_id, author, visitor_id, charge) as case:
            target_id, last_seq = case.target_id, case.room.last_seq
        count, numbers = 0, set[int]()
        async for event, spans in self._messages.delete_all(room_id, target_id, last_seq=last_seq):
            count += len(event.seqs)
            numbers |= spans
            await self._bus.publish(event)
        for number in sorted(numbers):
            with suppress(Unavailable):  # the next purge retries
                await self._rotate_span_keys(number)
        return count

    @asynccontextmanager
    async def _acting(
        self,
        room_id: str,
        author: str,
        visitor_id: str,
        charge: Callable[[], None],
        *,
        only_owner: bool = False,
    ) -> AsyncIterator[_Case]:
        """Yield a transaction in which the visitor may act on the author; publish its events."""
        events: list[Event] = []
        async with self._database.transaction(visitor_id) as session:
            room = await session.get(RoomRow, room_id, with_for_update=_FOR_NO_KEY_UPDATE)
            if room is None or room.expires_at <= self._clock():
                raise NotFound
            actor_role = await self._read_actor(session, room, visitor_id)
            if only_owner and actor_role != "owner":
                raise NotAllowed(N_("Only the owner of the room may do that."))
            if not actor_role:
                raise NotAllowed(N_("Only the owner of the room and its helpers may do that."))
            charge()
            target_id = await _find_visitor(session, room_id, author)
            target_row = await session.get(MemberRow, (room_id, target_id), with_for_update=True)
            standing = await self._standings.read(session, room_id, target_id)
            case = _Case(session, room, target_id, target_row, standing, events)
            if target_id == visitor_id:
                raise NotAllowed(N_("You cannot do that to yourself."))
            if rank(actor_role) <= rank(case.target_role):
                raise NotAllowed(N_("Only the owner of the room may do that to a helper."))
            yield case
        for event in events:
            await self._bus.publish(event)

    async def _require_moderator(
        self, session: AsyncSession, room_id: str, visitor_id: str
    ) -> None:
        room = await session.get(RoomRow, room_id)
        if room is None or room.expires_at <= self._clock():
            raise NotFound
        if not await self._read_actor(session, room, visitor_id):
            raise NotAllowed(N_("Only the owner of the room and its helpers may do that."))

    async def _read_actor(self, session: AsyncSession, room: RoomRow, visitor_id: str) -> str:
        """Return the role of the member who acts. Raises `NotAMember`."""
        row = await session.get(MemberRow, (room.id, visitor_id))
        if row is None:
            raise NotAMember
        standing = await self._standings.read(session, room.id, visitor_id)
        return role_of_row(room, row, standing)

    async def _write(self, case: _Case, visitor_id: str, standing: Standing) -> None:
        """Store the standing of a member, and add the event."""
        await self._standings.write(case.session, case.room.id, visitor_id, standing)
        await case.session.flush()
        if member := await self._members.read(case.session, case.room.id, visitor_id):
            case.events.append(MemberChanged(member))

    async def _read_target(self, case: _Case) -> Member:
        await case.session.flush()
        member = await self._members.read(case.session, case.room.id, case.target_id)
        if member is None:
            raise NotFound(_NOBODY)
        return member

    async def _require_place_of_helper(self, case: _Case) -> None:
        standings = await self._standings.read_all(case.session, case.room.id)
        helpers = sum(each.role == HELPER for id, each in standings.items() if id != case.target_id)
        if helpers >= self._settings.helpers_per_room_max:
            raise LimitReached(N_("This room has as many helpers as it may have."))


async def _find_visitor(session: AsyncSession, room_id: str, author: str) -> str:
    """Return the id of the visitor who has a pseudonym, or has written with it.

    Raises `NotFound` if there is none.
    """
    member = select(MemberRow.visitor_id).where(
        MemberRow.room_id == room_id, MemberRow.author == author
    )
    if found := (await session.exec(member)).first():
        return found
    message = select(MessageRow.visitor_id).where(
        MessageRow.room_id == room_id, MessageRow.author == author
    )
    if found := (await session.exec(message.limit(1))).first():
        return found
    raise NotFound(_NOBODY)

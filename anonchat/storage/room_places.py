"""Places of rooms, and of members in them: if none is free, an idle one gives way."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from sqlmodel import col, delete, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import MemberRow, RoomRow, StandingRow

from ..errors import N_, LimitReached
from ..limits.network_shares import NetworkShares
from ..runtime.clock import Clock
from ..settings import Settings
from .stored_members import HAS_STANDING

_IDLE_AFTER = timedelta(minutes=1)
_CANDIDATES = 200  # idle rooms checked when one has to be displaced


class RoomPlaces:
    """Bounds the numbers of rooms and of their members, and the share of each client network."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        shares: NetworkShares,
        list_open: Callable[[str], Collection[str]],
    ) -> None:
        """`list_open` returns the pseudonyms of members who have a room open, on any node."""
        self._settings = settings
        self._clock = clock
        self._shares = shares
        self._list_open = list_open

    def hold(self, room_id: str, visitor_id: str) -> None:
        """Count a new room for the networks of its creator."""
        self._shares.rooms.hold(room_id, self._shares.visitors.networks_of(visitor_id))

    async def reserve_room(self, session: AsyncSession, visitor_id: str) -> str | None:
        """Ensure that one more room of a visitor is within the limits.

        If there are too many rooms, or the visitor's network has its share, an idle room of a
        network that holds more is expired, and its id is returned. Raises `LimitReached`.
        """
        await self._require_free_membership(session, visitor_id)
        count = (await session.exec(select(func.count()).select_from(RoomRow))).one()
        bound, networks = self._settings.rooms_max, self._shares.visitors.networks_of(visitor_id)
        if self._shares.rooms.is_within_share(networks, bound=bound, taken=count):
            return None
        for room_id in (await session.exec(self._select_idle_rooms().limit(_CANDIDATES))).all():
            if not self._list_open(room_id) and self._shares.rooms.may_displace(
                networks, room_id, bound=bound
            ):
                query = self._select_idle_rooms().where(RoomRow.id == room_id)
                displaced = await session.exec(query.with_for_update(skip_locked=True))
                if displaced.first():
                    expiring = update(RoomRow).where(col(RoomRow.id) == room_id)
                    await session.exec(expiring.values(expires_at=self._clock()))
                    return room_id
        if count >= bound:
            raise LimitReached(N_("There are too many rooms right now. Please come back later."))
        raise LimitReached(
            N_("Too many rooms were made from your network. Please come back later.")
        )

    def _select_idle_rooms(self) -> SelectOfScalar[str]:
        """Select empty rooms that only their creator has joined, the earliest expiry first."""
        now = self._clock()
        return (
            select(RoomRow.id)
            .where(
                ~col(RoomRow.was_entered),
                RoomRow.last_seq == 0,
                col(RoomRow.active_at) <= now - _IDLE_AFTER,
                col(RoomRow.expires_at) > now,
            )
            .order_by(col(RoomRow.expires_at))
        )

    async def reserve_member(
        self, session: AsyncSession, room: RoomRow, visitor_id: str
    ) -> MemberRow | None:
        """Ensure that one more member is within the limits of the room, whose row is locked.

        If the room is full, or the visitor's network has its share, an idle member whose network
        holds more is removed and returned. Raises `LimitReached`.
        """
        await self._require_free_membership(session, visitor_id)
        bound = self._settings.members_per_room_max
        networks = self._shares.visitors.networks_of(visitor_id)
        in_room = select(func.count()).where(MemberRow.room_id == room.id)
        count = (await session.exec(in_room)).one()
        if count < bound // 4:  # no network can have reached its share yet
            return None
        members = select(MemberRow.visitor_id).where(MemberRow.room_id == room.id)
        places = self._shares.count_members((await session.exec(members)).all())
        if places.is_within_share(networks, bound=bound, taken=count):
            return None
        for member in await self._list_idle_members(session, room):
            if places.may_displace(networks, member.visitor_id, bound=bound):
                removal = delete(MemberRow).where(
                    col(MemberRow.room_id) == room.id,
                    col(MemberRow.visitor_id) == member.visitor_id,
                )
                await session.exec(removal)
                return member
        if count >= bound:
            raise LimitReached(N_("This room is full."))
        raise LimitReached(N_("Too many people from your network are in this room."))

    async def _list_idle_members(self, session: AsyncSession, room: RoomRow) -> Sequence[MemberRow]:
        """Return members who have never posted in the room nor have it open, oldest first."""
        query = (
            select(MemberRow)
            .where(
                MemberRow.room_id == room.id,
                ~col(MemberRow.has_posted),
                MemberRow.author != room.owner,
                col(MemberRow.joined_at) <= self._clock() - _IDLE_AFTER,
                ~select(StandingRow.room_id).where(HAS_STANDING).exists(),  # helpers, and muted
            )
            .order_by(col(MemberRow.joined_at))
        )
        opened = self._list_open(room.id)
        return [row for row in (await session.exec(query)).all() if row.author not in opened]

    async def _require_free_membership(self, session: AsyncSession, visitor_id: str) -> None:
        """Raise `LimitReached` if the visitor has joined as many rooms as one visitor may."""
        joined = select(func.count()).where(MemberRow.visitor_id == visitor_id)
        if (await session.exec(joined)).one() >= self._settings.rooms_per_visitor_max:
            raise LimitReached(N_("You are in too many rooms. Leave one first."))

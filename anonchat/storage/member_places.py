"""Places of members: if a room has none left, an idle member gives way to a new one."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta

from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, RoomRow

from ..errors import N_, LimitReached
from ..limits.network_shares import NetworkShares
from ..runtime.clock import Clock
from ..settings import Settings

_IDLE_AFTER = timedelta(minutes=1)


class MemberPlaces:
    """Bounds the number of members of a room, and the share of each client network."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        shares: NetworkShares,
        list_present: Callable[[str], Collection[str]],
    ) -> None:
        """`list_present` returns the pseudonyms of members who have a room open, on any node."""
        self._settings = settings
        self._clock = clock
        self._shares = shares
        self._list_present = list_present

    async def reserve(
        self, session: AsyncSession, room: RoomRow, visitor_id: str
    ) -> MemberRow | None:
        """Ensure that one more member is within the limits of the room, whose row is locked.

        If the room is full, or the visitor's network has its share, an idle member whose network
        holds more is removed and returned. Raises `LimitReached`.
        """
        await require_free_membership(session, visitor_id, self._settings)
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
        for member in await self._list_idle(session, room):
            if places.may_displace(networks, member.visitor_id, bound=bound):
                removal = delete(MemberRow).where(
                    col(MemberRow.room_id) == room.id,
                    col(MemberRow.visitor_id) == member.visitor_id,
                )
                await session.exec(removal)
                return member
        if count >= bound:
            raise LimitReached(N_("This room is full."))
        raise LimitReached(N_("Too many from your network are in this room."))

    async def _list_idle(self, session: AsyncSession, room: RoomRow) -> Sequence[MemberRow]:
        """Return members who have never posted in the room and are not present, oldest first."""
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


async def require_free_membership(
    session: AsyncSession, visitor_id: str, settings: Settings
) -> None:
    """Raise `LimitReached` if the visitor has joined as many rooms as one visitor may."""
    joined = select(func.count()).where(MemberRow.visitor_id == visitor_id)
    if (await session.exec(joined)).one() >= settings.rooms_per_visitor_max:
        raise LimitReached(N_("You are in too many rooms. Leave one first."))

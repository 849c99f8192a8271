"""Places of rooms: if none is free, an idle room gives way to a new one."""

from collections.abc import Callable, Collection
from datetime import timedelta

from sqlmodel import col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import RoomRow

from ..errors import N_, LimitReached
from ..limits.network_shares import NetworkShares
from ..runtime.clock import Clock
from ..settings import Settings
from .member_places import require_free_membership

_IDLE_AFTER = timedelta(minutes=1)
_CANDIDATES = 200  # idle rooms checked when one has to be displaced


class RoomPlaces:
    """Bounds the number of rooms, and the share of each client network."""

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

    def hold(self, room_id: str, visitor_id: str) -> None:
        """Count a new room for the networks of its creator."""
        self._shares.rooms.hold(room_id, self._shares.visitors.networks_of(visitor_id))

    async def reserve(self, session: AsyncSession, visitor_id: str) -> str | None:
        """Ensure that one more room of a visitor is within the limits.

        If there are too many rooms, or the visitor's network has its share, an idle room of a
        network that holds more is expired, and its id is returned. Raises `LimitReached`.
        """
        await require_free_membership(session, visitor_id, self._settings)
        count = (await session.exec(select(func.count()).select_from(RoomRow))).one()
        bound, networks = self._settings.rooms_max, self._shares.visitors.networks_of(visitor_id)
        if self._shares.rooms.is_within_share(networks, bound=bound, taken=count):
            return None
        for room_id in (await session.exec(self._idle().limit(_CANDIDATES))).all():
            if not self._list_present(room_id) and self._shares.rooms.may_displace(
                networks, room_id, bound=bound
            ):
                query = self._idle().where(RoomRow.id == room_id)
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

    def _idle(self) -> SelectOfScalar[str]:
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

"""Places of visitors: if none is free, an idle visitor gives way to a new one."""

from collections.abc import Callable
from datetime import timedelta

from sqlmodel import col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import MemberRow, RoomRow, VisitorRow

from ..errors import N_, LimitReached
from ..lifetimes import MARK_SEEN_INTERVAL, seen_interval, unconfirmed_lifetime
from ..limits.client_networks import Networks
from ..limits.network_shares import NetworkShares
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..settings import Settings

_IDLE_AFTER = timedelta(minutes=1)
_CANDIDATES = 200  # idle visitors checked when one has to be displaced


class VisitorPlaces:
    """Bounds the number of visitors, and the share of each client network."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        shares: NetworkShares,
        list_active: Callable[[], set[str]],
    ) -> None:
        """`list_active` returns the ids of visitors who are using this node."""
        self._settings = settings
        self._clock = clock
        self._shares = shares
        self._list_active = list_active

    async def reserve(self, session: AsyncSession, networks: Networks) -> str | None:
        """Ensure that one more visitor from these networks is within the limits.

        If the site is full, or the networks have their share, an idle visitor of a network that
        holds more is expired, and the id of that visitor is returned. Raises `LimitReached`.
        """
        bound = self._settings.visitors_max
        count = (await session.exec(select(func.count()).select_from(VisitorRow))).one()
        if self._shares.visitors.is_within_share(networks, bound=bound, taken=count):
            return None
        active = self._list_active()
        for row in (await session.exec(self._idle().limit(_CANDIDATES))).all():
            if row.id not in active and self._shares.visitors.may_displace(
                networks, row.id, bound=bound
            ):
                query = self._idle().where(VisitorRow.id == row.id)  # still idle
                locking = query.with_for_update(skip_locked=True)
                if displaced := (await session.exec(locking)).first():
                    displaced.expires_at = self._clock()
                    return displaced.id
        if count >= bound:
            raise LimitReached(N_("This place is full. Please come back later."))
        raise LimitReached(
            N_("Too many people from your network are here. Please come back later.")
        )

    def _idle(self) -> SelectOfScalar[VisitorRow]:
        """Select visitors who have never posted and seem inactive, the earliest expiry first.

        It excludes owners of live rooms that others have entered, and visitors who signed in within
        the last minute and have not used their token yet. Open pages on other nodes are not known
        here, so with peers a visitor is inactive only after the maximum interval between two
        updates of `seen_at`.
        """
        now, expires_at = self._clock(), col(VisitorRow.expires_at)
        unconfirmed = unconfirmed_lifetime(self._settings)
        idle_after = _IDLE_AFTER
        if self._settings.has_peers:
            idle_after = 2 * MARK_SEEN_INTERVAL + seen_interval(self._settings, has_posted=False)
        idle_expiry = now + unconfirmed - _IDLE_AFTER
        owned = (
            select(MemberRow.room_id)
            .join(RoomRow, col(RoomRow.id) == MemberRow.room_id)
            .where(
                MemberRow.visitor_id == VisitorRow.id,
                MemberRow.author == RoomRow.owner,
                col(RoomRow.was_entered),
                col(RoomRow.expires_at) > now,
            )
            .exists()
        )
        return (
            select(VisitorRow)
            .where(
                ~col(VisitorRow.has_posted),
                col(VisitorRow.seen_at) <= now - idle_after,
                expires_at > now,
                or_(
                    expires_at <= idle_expiry,
                    expires_at > ceil_to_minute(now + unconfirmed),
                ),
                ~owned,
            )
            .order_by(expires_at)
        )

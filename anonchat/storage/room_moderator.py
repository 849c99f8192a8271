"""The check that a visitor keeps order in a room."""

from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, RoomRow

from ..errors import N_, NotAllowed, NotAMember, NotFound
from ..runtime.clock import Clock
from .standings import Standings, role_of_row

_FOR_NO_KEY_UPDATE = {"key_share": True}


class RoomModerators:
    """Checks, as part of transactions, that somebody is the owner of a room or a helper."""

    def __init__(self, *, clock: Clock, standings: Standings) -> None:
        self._clock = clock
        self._standings = standings

    async def require(self, session: AsyncSession, room_id: str, visitor_id: str) -> RoomRow:
        """Lock a room, and return its row; raise `NotFound`, `NotAMember` or `NotAllowed`."""
        room = await session.get(RoomRow, room_id, with_for_update=_FOR_NO_KEY_UPDATE)
        if room is None or room.expires_at <= self._clock():
            raise NotFound
        member = await session.get(MemberRow, (room_id, visitor_id))
        if member is None:
            raise NotAMember
        standing = await self._standings.read(session, room_id, visitor_id)
        if not role_of_row(room, member, standing):
            raise NotAllowed(N_("Only the owner of the room and its helpers may do that."))
        return room

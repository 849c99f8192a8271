"""The check that a visitor owns a room."""

from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, RoomRow

from ..entities import Room
from ..errors import N_, NotAllowed, NotAMember, NotFound
from ..security.row_cipher import RowCipher


async def require_owned_room(
    session: AsyncSession, cipher: RowCipher, room_id: str, visitor_id: str
) -> Room:
    """Return the room, of which this visitor has to be a member and the owner.

    Raises `NotAMember`, `NotAllowed`, `NotFound` or `Unavailable`.
    """
    member = await session.get(MemberRow, (room_id, visitor_id))
    row = await session.get(RoomRow, room_id)
    room = await cipher.fetch_room(row) if row else None
    if room is None:
        raise NotFound
    if member is None:
        raise NotAMember
    if member.author != room.owner:
        raise NotAllowed(N_("Only the owner of the room may do that."))
    return room

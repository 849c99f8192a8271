"""Chooses the pseudonyms of members."""

from collections import Counter

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, RoomRow, VisitorRow

from ..colors import COLORS, color_of
from ..crypto import Hasher

_ATTEMPTS = 200  # the last of 12 colours is missed once in 30 million joins
_MEMBERS_COUNTED_MAX = 200


async def choose_pseudonym(
    session: AsyncSession, hasher: Hasher, room: RoomRow, visitor: VisitorRow
) -> str:
    """Return the pseudonym of a visitor who joins a room, whose row is locked.

    It is that of the visitor's messages in the room, or of the owner who returns. Otherwise its
    colour is one that the fewest members have.
    """
    first = hasher.pseudonym(room.id, visitor.id)
    if first == room.owner:
        return first
    if visitor.has_posted:
        own = select(MessageRow.author).where(
            MessageRow.visitor_id == visitor.id, MessageRow.room_id == room.id
        )
        if earlier := (await session.exec(own.limit(1))).first():
            return earlier
    members = select(MemberRow.author).where(MemberRow.room_id == room.id)
    authors = (await session.exec(members.limit(_MEMBERS_COUNTED_MAX))).all()
    counts = Counter(map(color_of, authors))
    fewest = min(counts[color] for color in range(COLORS))
    for attempt in range(_ATTEMPTS):
        pseudonym = hasher.pseudonym(room.id, visitor.id, attempt)
        if counts[color_of(pseudonym)] == fewest:
            return pseudonym
    return first

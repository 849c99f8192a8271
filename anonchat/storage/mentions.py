"""Which messages mention a member: marks from which nobody reads whom without the hash key.

What a message says is encrypted, and so are its mentions. A member who was away must still find out
which rooms have mentioned them, without decrypting all that was said there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MentionRow

from ..crypto import Hasher


@dataclass(frozen=True, slots=True)
class Mention:
    """A member whom a message mentions."""

    author: str
    visitor_id: str
    mark: bytes


def mark_of(hasher: Hasher, room_id: str, author: str) -> bytes:
    """Return the mark of a member, which differs in each room."""
    return hasher.hash("mention", room_id, author)


async def replace_mentions(
    session: AsyncSession, room_id: str, seq: int, mentions: Iterable[Mention]
) -> None:
    """Store whom a message mentions from now on."""
    stored = delete(MentionRow).where(col(MentionRow.room_id) == room_id)
    await session.exec(stored.where(col(MentionRow.seq) == seq))
    session.add_all(MentionRow(room_id=room_id, seq=seq, mark=each.mark) for each in mentions)


async def find_latest_mentions(
    session: AsyncSession, hasher: Hasher, authors: Mapping[str, str]
) -> dict[str, int]:
    """Return the `seq` of the newest message that mentions a visitor, by the id of the room.

    `authors` are the pseudonyms of the visitor in their rooms.
    """
    marks = [mark_of(hasher, room_id, author) for room_id, author in authors.items()]
    query = select(MentionRow.room_id, func.max(MentionRow.seq))
    query = query.where(col(MentionRow.mark).in_(marks)).group_by(col(MentionRow.room_id))
    return dict((await session.exec(query)).all())

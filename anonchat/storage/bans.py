"""Bans: who may not come into a room again, nor anybody whose nickname looks the same."""

from datetime import datetime

from sqlmodel import col, func, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import BanRow, VisitorRow

from ..entities import Ban
from ..errors import N_, Banned, LimitReached, NotFound
from ..runtime.coarse_time import floor_to_minute
from ..security.row_cipher import RowCipher
from ..security.standing_cipher import StandingCipher
from ..text.lookalikes import skeletons


class Bans:
    """Reads and writes bans as part of transactions; they are gone with their room."""

    def __init__(self, *, cipher: RowCipher, standing_cipher: StandingCipher, most: int) -> None:
        """`most` is the maximum number of bans in a room."""
        self._cipher = cipher
        self._standing_cipher = standing_cipher
        self._most = most

    async def add(
        self,
        session: AsyncSession,
        room_id: str,
        author: str,
        visitor_row: VisitorRow,
        *,
        now: datetime,
    ) -> None:
        """Ban a visitor, who has this pseudonym. Raises `LimitReached` or `NotFound`."""
        if await session.get(BanRow, (room_id, author)):
            return
        count = select(func.count()).where(BanRow.room_id == room_id)
        if (await session.exec(count)).one() >= self._most:
            raise LimitReached(N_("This room has too many bans. Lift some of them first."))
        await self._standing_cipher.fetch_keys(room_id, [visitor_row.id])
        visitor = self._cipher.decrypt_visitor(visitor_row)
        if visitor is None:
            raise NotFound
        keys = self._hash(room_id, visitor.nickname)
        sealed = self._standing_cipher.encrypt_banned(room_id, visitor.id, visitor.nickname)
        if keys is None or sealed is None:
            raise NotFound
        session.add(
            BanRow(
                room_id=room_id,
                author=author,
                visitor_id=visitor_row.id,
                sealed=sealed,
                shape_key=keys[0],
                folded_key=keys[1],
                created_at=floor_to_minute(now),
            )
        )

    async def lift(self, session: AsyncSession, room_id: str, author: str) -> bool:
        """Lift a ban; return whether there was one."""
        row = await session.get(BanRow, (room_id, author))
        if row:
            await session.delete(row)
        return row is not None

    async def read_all(self, session: AsyncSession, room_id: str) -> list[Ban]:
        """Return the bans of a room, the newest first."""
        query = select(BanRow).where(BanRow.room_id == room_id)
        rows = (await session.exec(query.order_by(col(BanRow.created_at).desc()))).all()
        known = [row.visitor_id for row in rows if row.visitor_id]
        await self._standing_cipher.fetch_keys(room_id, known)
        decrypt = self._standing_cipher.decrypt_banned
        return [
            Ban(row.author, decrypt(room_id, row.visitor_id, row.sealed), row.created_at)
            for row in rows
        ]

    async def is_banned(self, session: AsyncSession, room_id: str, visitor_row: VisitorRow) -> bool:
        """Return whether a visitor may not join a room. The keys of both have to be known."""
        any_ban = select(BanRow.author).where(BanRow.room_id == room_id)
        if (await session.exec(any_ban.limit(1))).first() is None:
            return False
        visitor = self._cipher.decrypt_visitor(visitor_row)
        keys = self._hash(room_id, visitor.nickname) if visitor else None
        if keys is None:  # one of them was destroyed meanwhile
            return True
        shape, folded = keys
        same = or_(
            BanRow.visitor_id == visitor_row.id,
            BanRow.shape_key == shape,
            BanRow.folded_key == folded,
        )
        return (await session.exec(any_ban.where(same).limit(1))).first() is not None

    async def require_admitted(
        self, session: AsyncSession, room_id: str, visitor_row: VisitorRow
    ) -> None:
        """Raise `Banned` if a visitor may not join a room."""
        if await self.is_banned(session, room_id, visitor_row):
            raise Banned

    def _hash(self, room_id: str, nickname: str) -> tuple[bytes, bytes] | None:
        """Return the keyed hashes of the two skeletons of a nickname, if the room has a key."""
        shape, folded = (self._standing_cipher.hash_name(room_id, s) for s in skeletons(nickname))
        return (shape, folded) if shape and folded else None

"""Those who ask to come into a room, until they are answered or an hour has passed."""

from datetime import datetime, timedelta

from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import KnockRow, VisitorRow

from ..crypto import Hasher
from ..entities import Knock
from ..errors import N_, LimitReached, NotFound, TurnedAway
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.row_cipher import RowCipher

WAITING, LET_IN, TURNED_AWAY = "", "in", "out"


class Knocks:
    """Reads and writes who waits before a room, as part of transactions that lock the room."""

    def __init__(
        self, *, clock: Clock, cipher: RowCipher, hasher: Hasher, lifetime: timedelta, most: int
    ) -> None:
        """`most` is the maximum number of visitors who wait before a room."""
        self._clock = clock
        self._cipher = cipher
        self._hasher = hasher
        self._lifetime = lifetime
        self._most = most

    async def add(self, session: AsyncSession, room_id: str, visitor_id: str) -> bool:
        """Let a visitor wait; return whether they did not yet.

        Raises `TurnedAway` or `LimitReached`.
        """
        row = await self._find(session, room_id, visitor_id)
        if row and row.answer == TURNED_AWAY:
            raise TurnedAway
        if row:
            return False
        await self.remove(session, room_id, visitor_id)  # one that has expired
        now = self._clock()
        count = select(func.count()).where(KnockRow.room_id == room_id)
        if (await session.exec(count.where(col(KnockRow.expires_at) > now))).one() >= self._most:
            raise LimitReached(N_("Too many people are waiting already. Please try again later."))
        session.add(
            KnockRow(
                room_id=room_id,
                visitor_id=visitor_id,
                author=self._hasher.pseudonym(room_id, visitor_id),
                expires_at=ceil_to_minute(now + self._lifetime),
            )
        )
        return True

    async def list(self, session: AsyncSession, room_id: str) -> list[Knock]:
        """Return who waits for an answer, the first one first."""
        query = select(KnockRow, VisitorRow).where(
            KnockRow.room_id == room_id,
            KnockRow.answer == WAITING,
            col(KnockRow.expires_at) > self._clock(),
            VisitorRow.id == KnockRow.visitor_id,
        )
        query = query.order_by(col(KnockRow.expires_at), col(KnockRow.author))
        found = (await session.exec(query)).all()
        await self._cipher.fetch_visitor_keys(visitor.id for _, visitor in found)
        decrypted = ((row, self._cipher.decrypt_visitor(visitor)) for row, visitor in found)
        return [
            Knock(row.author, visitor.nickname, visitor.badge)
            for row, visitor in decrypted
            if visitor
        ]

    async def find_answer(self, session: AsyncSession, room_id: str, visitor_id: str) -> str | None:
        """Return `WAITING`, `LET_IN` or `TURNED_AWAY`; `None` if the visitor has not asked."""
        row = await self._find(session, room_id, visitor_id)
        return row.answer if row else None

    async def answer(
        self, session: AsyncSession, room_id: str, author: str, *, let_in: bool
    ) -> str:
        """Store an answer to who waits by this pseudonym; return the id of the visitor.

        Raises `NotFound`.
        """
        query = select(KnockRow).where(
            KnockRow.room_id == room_id,
            KnockRow.author == author,
            col(KnockRow.expires_at) > self._clock(),
        )
        row = (await session.exec(query.with_for_update())).first()
        if row is None:
            raise NotFound(N_("Nobody is waiting by that name."))
        row.answer = LET_IN if let_in else TURNED_AWAY
        session.add(row)
        return row.visitor_id

    async def remove(self, session: AsyncSession, room_id: str, visitor_id: str) -> bool:
        """Forget that a visitor has asked; return whether they had."""
        own = delete(KnockRow).where(col(KnockRow.room_id) == room_id)
        own = own.where(col(KnockRow.visitor_id) == visitor_id)
        return bool((await session.exec(own)).rowcount)

    async def _find(self, session: AsyncSession, room_id: str, visitor_id: str) -> KnockRow | None:
        row = await session.get(KnockRow, (room_id, visitor_id))
        return row if row and row.expires_at > self._clock() else None


async def delete_expired_knocks(session: AsyncSession, *, now: datetime) -> None:
    """Forget who has asked too long ago."""
    await session.exec(delete(KnockRow).where(col(KnockRow.expires_at) <= now))

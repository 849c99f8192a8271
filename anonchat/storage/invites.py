"""Invitations to rooms: whoever has the code of one comes in."""

from datetime import datetime, timedelta

from sqlmodel import col, delete, func, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import InviteRow

from ..crypto import Hasher
from ..entities import Invite
from ..errors import N_, InviteGone, LimitReached, NotFound
from ..ids import new_unlisted_slug
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.invite_cipher import InviteCipher


class Invites:
    """Reads and writes invitations as part of transactions; they are gone with their room."""

    def __init__(self, *, clock: Clock, cipher: InviteCipher, hasher: Hasher, most: int) -> None:
        """`most` is the maximum number of invitations to a room."""
        self._clock = clock
        self._cipher = cipher
        self._hasher = hasher
        self._most = most

    async def add(
        self, session: AsyncSession, room_id: str, *, lifetime: timedelta, uses_max: int
    ) -> Invite:
        """Store a new invitation to a room, whose row is locked. Raises `LimitReached`."""
        now = self._clock()
        count = select(func.count()).where(InviteRow.room_id == room_id)
        if (await session.exec(count.where(col(InviteRow.expires_at) > now))).one() >= self._most:
            raise LimitReached(N_("There are too many invitations. Revoke some of them first."))
        code = new_unlisted_slug()
        await self._cipher.fetch_key(room_id)
        sealed = self._cipher.encrypt(room_id, code, uses_max)
        if sealed is None:
            raise NotFound
        row = InviteRow(
            code_key=self._hash(code),
            room_id=room_id,
            sealed=sealed,
            uses=0,
            expires_at=ceil_to_minute(now + lifetime),
        )
        session.add(row)
        return Invite(code, row.uses, uses_max, row.expires_at)

    async def list(self, session: AsyncSession, room_id: str) -> list[Invite]:
        """Return the invitations to a room that can still be used, the next to expire first."""
        query = select(InviteRow).where(
            InviteRow.room_id == room_id, col(InviteRow.expires_at) > self._clock()
        )
        rows = (await session.exec(query.order_by(col(InviteRow.expires_at)))).all()
        await self._cipher.fetch_key(room_id)
        return [invite for row in rows if (invite := self._decrypt(row))]

    async def remove(self, session: AsyncSession, room_id: str, code: str) -> None:
        """Delete an invitation to a room; raise `InviteGone` if there is none with that code."""
        own = delete(InviteRow).where(col(InviteRow.code_key) == self._hash(code))
        if not (await session.exec(own.where(col(InviteRow.room_id) == room_id))).rowcount:
            raise InviteGone

    async def use(self, session: AsyncSession, room_id: str, code: str) -> None:
        """Count a use of an invitation, which is deleted after the last one.

        Raises `InviteGone` if it does not lead into the room.
        """
        row = await self._find(session, code, for_update=True)
        invite = await self._fetch(row)
        if row.room_id != room_id or invite is None:
            raise InviteGone
        row.uses += 1
        if row.uses == invite.uses_max:
            await session.delete(row)
        else:
            session.add(row)

    async def find_room_id(self, session: AsyncSession, code: str) -> str:
        """Return the id of the room to which an invitation leads; raise `InviteGone`."""
        return (await self._find(session, code)).room_id

    async def _find(
        self, session: AsyncSession, code: str, *, for_update: bool = False
    ) -> InviteRow:
        """Return the row of an invitation that has not expired; raise `InviteGone`."""
        row = await session.get(
            InviteRow, self._hash(code), with_for_update=for_update, populate_existing=for_update
        )
        if row is None or row.expires_at <= self._clock():
            raise InviteGone
        return row

    async def _fetch(self, row: InviteRow) -> Invite | None:
        await self._cipher.fetch_key(row.room_id)
        return self._decrypt(row)

    def _decrypt(self, row: InviteRow) -> Invite | None:
        texts = self._cipher.decrypt(row)
        return Invite(texts[0], row.uses, texts[1], row.expires_at) if texts else None

    def _hash(self, code: str) -> bytes:
        return self._hasher.hash("invite", code)


async def delete_expired_invites(session: AsyncSession, *, now: datetime) -> None:
    """Delete the invitations that have expired."""
    expired = select(InviteRow.code_key).where(col(InviteRow.expires_at) <= now)
    expired = expired.with_for_update(skip_locked=True)
    await session.exec(delete(InviteRow).where(col(InviteRow.code_key).in_(expired)))

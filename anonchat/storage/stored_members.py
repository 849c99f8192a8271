"""The rows of members, with those of their visitors and standings."""

from collections.abc import Sequence
from dataclasses import replace

from sqlmodel import and_, col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import Select

from models import MemberRow, StandingRow, VisitorRow

from ..entities import Member, Standing
from ..security.row_cipher import RowCipher
from ..security.standing_cipher import StandingCipher

MemberRows = tuple[MemberRow, VisitorRow, bytes | None]
"""A member, the visitor, and the sealed standing, if it is not that of everybody."""

HAS_STANDING = and_(
    col(StandingRow.room_id) == MemberRow.room_id,
    col(StandingRow.visitor_id) == MemberRow.visitor_id,
)
"""Joins standings to members; they have none if they are as everybody."""


class StoredMembers:
    """Decrypts members."""

    def __init__(self, *, cipher: RowCipher, standing_cipher: StandingCipher) -> None:
        self._cipher = cipher
        self._standing_cipher = standing_cipher

    async def decrypt(self, room_id: str, found: Sequence[MemberRows]) -> list[Member]:
        """Decrypt members of a room, with missing keys requested from the other nodes once.

        Those whose keys are unknown are left out.
        """
        await self._cipher.fetch_visitor_keys(visitor.id for _, visitor, _ in found)
        special = [visitor.id for _, visitor, sealed in found if sealed]
        if special:
            await self._standing_cipher.fetch_keys(room_id, special)
        return [member for rows in found if (member := self.decrypt_one(*rows))]

    def decrypt_one(
        self, row: MemberRow, visitor: VisitorRow, sealed: bytes | None
    ) -> Member | None:
        """Decrypt a member, with the keys that this node has."""
        member = self._cipher.decrypt_member(row, visitor)
        if member is None or sealed is None:
            return member
        standing = self._standing_cipher.decrypt_standing(row.room_id, row.visitor_id, sealed)
        return with_standing(member, standing)

    async def read(self, session: AsyncSession, room_id: str, visitor_id: str) -> Member | None:
        """Return a member of a room as part of a transaction, or `None`."""
        query = select_members(room_id).where(MemberRow.visitor_id == visitor_id)
        members = await self.decrypt(room_id, (await session.exec(query)).all())
        return members[0] if members else None


def select_members(room_id: str) -> Select[MemberRow, VisitorRow, bytes | None]:
    """Select the members of a room."""
    return (
        select(MemberRow, VisitorRow, StandingRow.sealed)
        .join(VisitorRow, col(VisitorRow.id) == MemberRow.visitor_id)
        .join(StandingRow, HAS_STANDING, isouter=True)
        .where(MemberRow.room_id == room_id)
    )


def with_standing(member: Member, standing: Standing) -> Member:
    """Return a member with that standing."""
    return replace(member, role=standing.role, muted_until=standing.muted_until)

"""Finds visitors by nickname, through keyed hashes, because nicknames are stored encrypted."""

import asyncio
from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from models import VisitorRow

from ..crypto import Hasher
from ..runtime.batches import process_in_batches
from ..security.row_cipher import RowCipher
from ..text.lookalikes import SKELETON_VERSION, skeletons
from ..text.normalization import fold_case
from .conflicts import retry_on_conflict
from .database import Database

_BATCH = 50


class NicknameKeys(NamedTuple):
    """Keyed hashes that a nickname is looked up by: of its two skeletons and of its exact form."""

    shape: bytes
    folded: bytes
    exact: bytes


class NicknameIndex:
    """The nicknames of all visitors; those that look alike count as the same."""

    def __init__(self, *, database: Database, cipher: RowCipher, hasher: Hasher) -> None:
        self._database = database
        self._cipher = cipher
        self._hasher = hasher

    def make_keys(self, nickname: str) -> NicknameKeys:
        """Return the keys of a normalized nickname."""
        shape, folded = skeletons(nickname)
        return NicknameKeys(
            self._hasher.hash("nickname", shape),
            self._hasher.hash("folded", folded),
            self._hasher.hash("exact nickname", fold_case(nickname)),
        )

    async def find_holders(self, keys: NicknameKeys) -> Sequence[VisitorRow]:
        """Return the visitors with this nickname or one that looks alike; there may be several."""
        async with self._database.read_session() as session:
            return (await session.exec(_select_holders(keys))).all()

    async def lock_holders(self, session: AsyncSession, keys: NicknameKeys) -> Sequence[VisitorRow]:
        """Return these visitors with their rows locked."""
        query = _select_holders(keys).order_by(col(VisitorRow.id))
        return (await session.exec(query.with_for_update(key_share=True))).all()

    async def update_skeletons(self) -> int:
        """Recompute nickname keys stored by older skeleton rules; return how many were processed.

        If two existing nicknames look alike by the new rules, both stay; one of them is then found
        by its exact form alone. Nodes may run this concurrently.
        """
        return await process_in_batches(self._update_some_skeletons)

    @retry_on_conflict
    async def _update_some_skeletons(self, after: str) -> list[str]:
        """Process one batch; return its ids, including rows skipped because they do not decrypt."""
        query = select(VisitorRow).where(VisitorRow.id > after)
        query = query.where(VisitorRow.skeleton_version != SKELETON_VERSION)
        query = query.order_by(col(VisitorRow.id)).limit(_BATCH).with_for_update()
        async with self._database.transaction() as session:
            rows = (await session.exec(query)).all()
            await self._cipher.fetch_visitor_keys(row.id for row in rows)
            keys = {}
            for row in rows:
                if visitor := self._cipher.decrypt_visitor(row):
                    keys[row.id] = self.make_keys(visitor.nickname)
                    await asyncio.sleep(0)  # a long nickname takes milliseconds
            taken = await _find_taken_keys(session, keys.values())
            for row in rows:
                if own := keys.get(row.id):
                    taken -= {row.nickname_key, row.folded_key}
                    row.nickname_key = own.exact if own.shape in taken else own.shape
                    row.folded_key = own.exact if own.folded in taken else own.folded
                    row.skeleton_version = SKELETON_VERSION
                    taken |= {row.nickname_key, row.folded_key}
        return [row.id for row in rows]


def _select_holders(keys: NicknameKeys) -> SelectOfScalar[VisitorRow]:
    return select(VisitorRow).where(
        or_(
            col(VisitorRow.nickname_key).in_([keys.shape, keys.exact]),
            col(VisitorRow.folded_key).in_([keys.folded, keys.exact]),
        )
    )


async def _find_taken_keys(session: AsyncSession, keys: Collection[NicknameKeys]) -> set[bytes]:
    """Return all nickname keys of visitors that have one of these keys."""
    query = select(VisitorRow.nickname_key, VisitorRow.folded_key).where(
        or_(
            col(VisitorRow.nickname_key).in_({each.shape for each in keys}),
            col(VisitorRow.folded_key).in_({each.folded for each in keys}),
        )
    )
    return {key for row in await session.exec(query) for key in row}

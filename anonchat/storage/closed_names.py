"""Names that no new room may have for a time, stored as keyed hashes."""

from collections.abc import Collection
from datetime import datetime

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import ClosedNameRow


async def close_names(session: AsyncSession, hashes: Collection[bytes], *, until: datetime) -> None:
    """Keep names closed until then, or until the later end that was given before."""
    for hash in sorted(hashes):  # in one order, so that two transactions do not deadlock
        row = await session.get(ClosedNameRow, hash) or ClosedNameRow(hash=hash, expires_at=until)
        row.expires_at = max(row.expires_at, until)
        session.add(row)


async def is_any_closed(session: AsyncSession, hashes: Collection[bytes], *, now: datetime) -> bool:
    """Return whether one of these names is closed."""
    query = select(ClosedNameRow.hash).where(col(ClosedNameRow.hash).in_(hashes))
    query = query.where(col(ClosedNameRow.expires_at) > now)
    return (await session.exec(query.limit(1))).first() is not None


async def delete_expired_names(session: AsyncSession, *, now: datetime) -> None:
    """Delete the names whose time is over."""
    await session.exec(delete(ClosedNameRow).where(col(ClosedNameRow.expires_at) <= now))

"""Purge statistics, stored in the database: counts only."""

from datetime import datetime, timedelta
from itertools import chain, starmap

from sqlmodel import col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MessageRow, PurgeStatsRow, RoomRow, VisitorRow

from ..crypto import Hasher
from ..entities import PurgeStats
from ..errors import KeyStoreMismatch, StartupError
from ..security.key_names import is_row_key, room_key_names, visitor_key_name
from ..security.keystore import KeyStore
from .database import Database

_ROW = 1
_MOVED = b"moved"


class PurgeStatsStore:
    """Stores how much was purged, and which key file the database belongs to."""

    def __init__(
        self, *, database: Database, keys: KeyStore, hasher: Hasher, interval: timedelta
    ) -> None:
        self._database = database
        self._keys = keys
        self._hasher = hasher
        self._interval = interval
        self.stats: PurgeStats | None = None

    async def open(self) -> datetime | None:
        """Check that database and keys belong together; return the time of the last purge.

        Raises `KeyStoreMismatch` if the database was written with other keys, because all its
        rows would count as deleted. Raises `StartupError` if it is empty but there are keys,
        because they would count as orphans, or if its data was moved to another database.
        """
        mark = self._hasher.hash("store")
        async with self._database.transaction() as session:
            row = await _lock(session)
            if row.store == b"" and await self._has_only_unknown_keys(session):
                raise StartupError(
                    "ANONCHAT_DATABASE_URL: the database is empty, but the data folder has keys "
                    "of another one; name that one, or remove the data folder to start afresh"
                )
            if row.store == _MOVED:
                raise StartupError(
                    "ANONCHAT_DATABASE_URL: everything was moved out of this database by "
                    "migrate-data; name the database that it was moved to"
                )
            if row.store not in (b"", mark):
                raise KeyStoreMismatch(
                    "ANONCHAT_DATA_DIR: the keys are not those of the database, or were lost; "
                    "restore the right file, or, with several nodes, first start one that has them"
                )
            row.store = mark
            return row.purged_at

    async def _has_only_unknown_keys(self, session: AsyncSession) -> bool:
        """Return whether there are room or visitor keys, but none for a row of this database."""
        in_use = {name for name in self._keys.names() if is_row_key(name)}
        return bool(in_use) and in_use.isdisjoint(await read_row_key_names(session))

    async def record_purge(self, now: datetime) -> None:
        """Record that everything expired by `now` is purged, and update `stats`."""
        first = (
            select(MessageRow.posted_at)
            .where(MessageRow.room_id == RoomRow.id)
            .order_by(col(MessageRow.seq))
            .limit(1)  # uses an index per room: there may be a million messages
            .correlate(RoomRow)
            .scalar_subquery()
        )
        async with self._database.read_session() as session:
            oldest = (await session.exec(select(func.min(first)).select_from(RoomRow))).one()
        async with self._database.transaction() as session:
            row = await _lock(session)
            row.purged_at = max(now, row.purged_at or now)
        self.stats = PurgeStats(
            messages=row.messages,
            rooms=row.rooms,
            visitors=row.visitors,
            purged_at=now,
            next_purge=now + self._interval,
            oldest=oldest,
        )


async def read_row_key_names(session: AsyncSession) -> set[str]:
    """Return the names of the keys of all rooms and visitors in the database."""
    rooms = (await session.exec(select(RoomRow.id, RoomRow.texts_key_id))).all()
    visitors = (await session.exec(select(VisitorRow.id))).all()
    return {*chain(*starmap(room_key_names, rooms)), *map(visitor_key_name, visitors)}


async def count_purged(
    session: AsyncSession, *, messages: int = 0, rooms: int = 0, visitors: int = 0
) -> None:
    """Add to the counts as part of this transaction."""
    await session.exec(
        update(PurgeStatsRow).values(
            messages=PurgeStatsRow.messages + messages,
            rooms=PurgeStatsRow.rooms + rooms,
            visitors=PurgeStatsRow.visitors + visitors,
        )
    )


async def mark_moved(session: AsyncSession) -> None:
    """Record that all data was moved to another database."""
    await session.exec(update(PurgeStatsRow).values(store=_MOVED))


async def _lock(session: AsyncSession) -> PurgeStatsRow:
    query = select(PurgeStatsRow).where(PurgeStatsRow.id == _ROW).with_for_update()
    return (await session.exec(query)).one()

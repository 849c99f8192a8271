"""The ledger of what was forgotten: counts only, and they outlive a restart."""

from datetime import datetime, timedelta

from sqlmodel import col, func, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from models import LedgerRow, MessageRow, RoomRow, VisitorRow

from .database import Database
from .errors import StartError, WrongKeys
from .keystore import KeyStore, room_key, visitor_key
from .nouns import Tally
from .seal import Hasher

_ROW = 1
_MOVED = b"moved"


class Ledger:
    """Counts what was forgotten, and knows which keys the database belongs to."""

    def __init__(
        self, *, database: Database, keys: KeyStore, hasher: Hasher, interval: timedelta
    ) -> None:
        self._database = database
        self._keys = keys
        self._hasher = hasher
        self._interval = interval
        self.tally: Tally | None = None

    async def open(self) -> datetime | None:
        """Return until when time is known to have passed.

        Raises `WrongKeys` if the database was written with others, for all its rows would be taken
        for forgotten, and `StartError` if all the keys would be taken for those of nothing.
        """
        mark = self._hasher.hash("store")
        async with self._database.transaction() as session:
            row = await _lock(session)
            if row.store == b"" and await self._is_strange(session):
                raise StartError(
                    "ANONCHAT_DATABASE_URL: the database is empty, but there are keys of another; "
                    "name the right one, or remove the data folder to begin anew"
                )
            if row.store == _MOVED:
                raise StartError(
                    "ANONCHAT_DATABASE_URL: everything was moved out of this database by "
                    "migrate-data; name the one that it was moved into"
                )
            if row.store not in (b"", mark):
                raise WrongKeys(
                    "ANONCHAT_DATA_DIR: the keys are not those of the database, or were lost; put "
                    "the right file back, or, of several nodes, start a node that has them first"
                )
            row.store = mark
            return row.purged_at

    async def _is_strange(self, session: AsyncSession) -> bool:
        """Tell whether there are keys of rooms and visitors, and none of them is known here."""
        rooms = (await session.exec(select(RoomRow.id))).all()
        visitors = (await session.exec(select(VisitorRow.id))).all()
        known = {*map(room_key, rooms), *map(visitor_key, visitors)}
        owned = {name for name in self._keys.names() if name.startswith(("room ", "visitor "))}
        return bool(owned) and not owned & known

    async def close_round(self, now: datetime) -> None:
        """Note that everything that had expired by then is gone."""
        first = (
            select(MessageRow.posted_at)
            .where(MessageRow.room_id == RoomRow.id)
            .order_by(col(MessageRow.seq))
            .limit(1)  # the first of each room, by an index: together they may be a million
            .correlate(RoomRow)
            .scalar_subquery()
        )
        async with self._database.reading() as session:
            oldest = (await session.exec(select(func.min(first)).select_from(RoomRow))).one()
        async with self._database.transaction() as session:
            row = await _lock(session)
            row.purged_at = max(now, row.purged_at or now)
        self.tally = Tally(
            messages=row.messages,
            rooms=row.rooms,
            visitors=row.visitors,
            purged_at=now,
            next_purge=now + self._interval,
            oldest=oldest,
        )


async def note_gone(
    session: AsyncSession, *, messages: int = 0, rooms: int = 0, visitors: int = 0
) -> None:
    """Count what goes with this transaction."""
    await session.exec(
        update(LedgerRow).values(
            messages=LedgerRow.messages + messages,
            rooms=LedgerRow.rooms + rooms,
            visitors=LedgerRow.visitors + visitors,
        )
    )


async def note_moved(session: AsyncSession) -> None:
    """Note that everything lives in another database from now on."""
    await session.exec(update(LedgerRow).values(store=_MOVED))


async def _lock(session: AsyncSession) -> LedgerRow:
    query = select(LedgerRow).where(LedgerRow.id == _ROW).with_for_update()
    return (await session.exec(query)).one()

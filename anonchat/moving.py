"""Moving a site from one database into another, with nothing lost."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, Table, delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from models import SQLModel

from .database import Database
from .errors import StartError
from .keystore import KeyStore
from .ledger import Ledger, note_moved
from .seal import Hasher
from .secret import keys_path, obtain_secret
from .settings import Settings

_BATCH = 1_000


async def move_site(settings: Settings, *, source: str, target: str) -> dict[str, int]:
    """Copy every row into an empty database, all or none; return how many there were of each.

    The keys stay where they are. They are held meanwhile, so that nobody writes: raises
    `StartError` while anonchat is running, if the keys are not those of the source, or if the
    target holds anything. The source is of no use from then on: whoever started with it would take
    the keys of all that comes later for those of nothing.
    """
    keys = KeyStore(keys_path(settings), obtain_secret(settings))
    old, new = Database(source), Database(target)
    try:
        keys.open()
        await old.open()
        await new.open()
        hasher = Hasher(lambda: keys.hash_key)
        await Ledger(
            database=old, keys=keys, hasher=hasher, interval=settings.janitor_interval
        ).open()
        async with old.moving() as giver, new.moving() as taker:
            await _require_nothing(taker)
            counts = {table.name: await _copy(table, giver, taker) for table in _tables()}
        async with old.transaction() as session:
            await note_moved(session)
        return counts
    finally:
        await old.close()
        await new.close()
        keys.close()


def _tables() -> Sequence[Table]:
    """Return all tables, each after those that its rows belong to."""
    return SQLModel.metadata.sorted_tables


async def _require_nothing(taker: AsyncConnection) -> None:
    store = select(_named("ledger").c.store)
    is_used = (await taker.execute(store)).scalar_one() != b""
    for table in _tables():
        is_used |= table.name != "ledger" and await _count(table, taker) > 0
    if is_used:
        raise StartError("--to: that database holds something already; name an empty one")


async def _copy(table: Table, giver: AsyncConnection, taker: AsyncConnection) -> int:
    await taker.execute(delete(table))  # what the migrations have put there
    async for rows in _read(table, giver):
        await taker.execute(insert(table), [dict(row._mapping) for row in rows])
    count = await _count(table, taker)
    if count != await _count(table, giver):
        raise StartError(f"--to: not every row of {table.name} has arrived; nothing was moved")
    return count


async def _read(table: Table, giver: AsyncConnection) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield all rows, in batches."""
    place = tuple_(*table.primary_key.columns)
    query = select(table).order_by(*table.primary_key.columns).limit(_BATCH)
    rows = (await giver.execute(query)).all()
    while rows:
        yield rows
        last = tuple(rows[-1]._mapping[column] for column in table.primary_key.columns)
        rows = (await giver.execute(query.where(place > last))).all()


async def _count(table: Table, connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.count()).select_from(table))).scalar_one()


def _named(name: str) -> Table:
    return SQLModel.metadata.tables[name]

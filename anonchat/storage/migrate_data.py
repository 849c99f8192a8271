"""Copies all data of a site from one database into another."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import Row, Table, delete, func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from models import SQLModel

from ..crypto import Hasher
from ..errors import StartupError
from ..security.local_keystore import LocalKeyStore
from ..security.secret_key import get_or_create_secret_key, keys_path
from ..settings import Settings
from .database import Database
from .purge_stats import PurgeStatsStore, mark_moved

_BATCH = 1_000


async def migrate_data(settings: Settings, *, source: str, target: str) -> dict[str, int]:
    """Copy all rows into an empty database in one transaction; return the row count per table.

    The keys stay in the data folder, which is locked meanwhile so that anonchat cannot run. Raises
    `StartupError` if anonchat is running, if the keys are not those of the source, or if the target
    is not empty. The source is marked as moved and cannot be used again: a node started with it
    would treat the keys of all later rows as orphans.
    """
    keys = LocalKeyStore(keys_path(settings), get_or_create_secret_key(settings))
    old, new = Database(source), Database(target)
    try:
        keys.open()
        await old.open()
        await new.open()
        hasher = Hasher(lambda: keys.hash_key)
        await PurgeStatsStore(
            database=old, keys=keys, hasher=hasher, interval=settings.janitor_interval
        ).open()
        async with old.migration() as reader, new.migration() as writer:
            await _require_empty(writer)
            counts = {table.name: await _copy(table, reader, writer) for table in _tables()}
        async with old.transaction() as session:
            await mark_moved(session)
        return counts
    finally:
        await old.close()
        await new.close()
        keys.close()


def _tables() -> Sequence[Table]:
    """Return all tables, each after the tables that its foreign keys reference."""
    return SQLModel.metadata.sorted_tables


async def _require_empty(writer: AsyncConnection) -> None:
    stats = SQLModel.metadata.tables["purge_stats"]
    is_used = (await writer.execute(select(stats.c.store))).scalar_one() != b""
    for table in _tables():
        is_used |= table is not stats and await _count(table, writer) > 0
    if is_used:
        raise StartupError("--to: the target database is not empty; name an empty one")


async def _copy(table: Table, reader: AsyncConnection, writer: AsyncConnection) -> int:
    await writer.execute(delete(table))  # the migrations insert rows
    async for rows in _read(table, reader):
        await writer.execute(insert(table), [dict(row._mapping) for row in rows])
    count = await _count(table, writer)
    if count != await _count(table, reader):
        raise StartupError(f"--to: not every row of {table.name} was copied; nothing was moved")
    return count


async def _read(table: Table, reader: AsyncConnection) -> AsyncIterator[Sequence[Row[Any]]]:
    """Yield all rows, in batches."""
    position = tuple_(*table.primary_key.columns)
    query = select(table).order_by(*table.primary_key.columns).limit(_BATCH)
    rows = (await reader.execute(query)).all()
    while rows:
        yield rows
        last = tuple(rows[-1]._mapping[column] for column in table.primary_key.columns)
        rows = (await reader.execute(query.where(position > last))).all()


async def _count(table: Table, connection: AsyncConnection) -> int:
    return (await connection.execute(select(func.count()).select_from(table))).scalar_one()

"""Deletes many messages, in batches that keep posting fast."""

from collections.abc import AsyncIterator

from sqlalchemy import ColumnElement
from sqlmodel import col, delete, select

from models import MessageRow

from ..events import MessagesDeleted
from .database import Database
from .purge_stats import count_purged

_BATCH = 500


async def delete_messages(
    database: Database, condition: ColumnElement[bool], *, group: str = ""
) -> AsyncIterator[MessagesDeleted]:
    """Delete these messages, and yield the events of each batch, one for each room.

    Rows that another node is deleting are left to it.
    """
    query = select(MessageRow.id, MessageRow.room_id, MessageRow.seq).where(condition)
    query = query.limit(_BATCH).with_for_update(skip_locked=True)
    while True:
        seqs: dict[str, list[int]] = {}
        async with database.transaction(group) as session:
            batch = (await session.exec(query)).all()
            if not batch:
                return
            ids = [id for id, _, _ in batch]
            await session.exec(delete(MessageRow).where(col(MessageRow.id).in_(ids)))
            await count_purged(session, messages=len(batch))
        for _, room_id, seq in batch:
            seqs.setdefault(room_id, []).append(seq)
        for room_id, deleted in seqs.items():
            yield MessagesDeleted(room_id, tuple(sorted(deleted)))

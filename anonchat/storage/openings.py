"""Who can open messages that each reader can open once, and who has done so."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import delete
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import OpeningRow

from ..entities import Message

READERS_MAX = 50


async def add_readers(
    session: AsyncSession, messages: Sequence[Message | None]
) -> list[Message | None]:
    """Return the messages, those that can be opened once with their readers."""
    ids = {message.id for message in messages if message and message.once}
    if not ids:
        return [*messages]
    query = select(OpeningRow.message_id, OpeningRow.author, OpeningRow.opened)
    query = query.where(col(OpeningRow.message_id).in_(ids)).order_by(OpeningRow.author)
    readers: dict[tuple[str, bool], list[str]] = {}
    for message_id, author, is_opened in (await session.exec(query)).all():
        readers.setdefault((message_id, is_opened), []).append(author)
    return [
        replace(
            message,
            readers=tuple(readers.get((message.id, False), ())),
            openers=tuple(readers.get((message.id, True), ())),
        )
        if message and message.once
        else message
        for message in messages
    ]


async def has_readers(session: AsyncSession, message_id: str) -> bool:
    """Return whether anybody can still open a message."""
    query = select(OpeningRow.visitor_id).where(OpeningRow.message_id == message_id)
    return (await session.exec(query.where(~col(OpeningRow.opened)).limit(1))).first() is not None


async def remove_reader(session: AsyncSession, message_id: str, visitor_id: str) -> None:
    """Forget that a visitor is one of the readers of a message."""
    own = delete(OpeningRow).where(col(OpeningRow.message_id) == message_id)
    await session.exec(own.where(col(OpeningRow.visitor_id) == visitor_id))

"""Reads the messages of a room, or those of one author in it, to be saved outside."""

from sqlmodel import col, func, select

from models import MessageRow

from ..entities import Message
from ..runtime.clock import Clock
from ..runtime.cooperative import iterate_cooperatively
from .database import Database
from .message_history import is_live
from .reactions import StoredReactions

EXPORTED_MAX = 5_000
"""The most messages that are saved at once, the newest ones."""
_CHARACTERS_MAX = 1_000_000
_BATCH = 100  # messages read at once


class MessageExport:
    """Reads the unexpired messages, except those that can be opened once."""

    def __init__(self, *, database: Database, clock: Clock, reactions: StoredReactions) -> None:
        self._database = database
        self._clock = clock
        self._reactions = reactions

    async def read(
        self, room_id: str, *, group: str, visitor_id: str = "", last_seq: int | None = None
    ) -> tuple[list[Message], bool]:
        """Return messages, oldest first, and whether they are all.

        They are those of one visitor if one is given, and those up to `last_seq`. There are
        `EXPORTED_MAX` with 1,000,000 characters at most: the newest. The database work is done for
        `group`, a visitor (see `Database`).
        """
        found: list[Message] = []
        characters, is_complete = 0, False
        while not is_complete:
            rows = await self._read_batch(room_id, visitor_id, last_seq, group)
            is_complete = len(rows) < _BATCH
            last_seq = rows[-1][0] - 1 if rows else 0
            async for _, message in iterate_cooperatively(rows):
                if message is None or message.once:
                    continue
                characters += len(message.text)
                if characters > _CHARACTERS_MAX or len(found) == EXPORTED_MAX:
                    return self._list_live(found), False
                found.append(message)
        return self._list_live(found), True

    async def find_last_seq(self, room_id: str) -> int:
        """Return the `seq` of the newest message of a room, or 0."""
        query = select(func.max(MessageRow.seq)).where(is_live(room_id, self._clock()))
        async with self._database.read_session() as session:
            return (await session.exec(query)).one() or 0

    def _list_live(self, newest_first: list[Message]) -> list[Message]:
        now = self._clock()
        return [message for message in reversed(newest_first) if message.expires_at > now]

    async def _read_batch(
        self, room_id: str, visitor_id: str, last_seq: int | None, group: str
    ) -> list[tuple[int, Message | None]]:
        """Return up to 100 messages, newest first, each with its `seq`."""
        seq = col(MessageRow.seq)
        query = select(MessageRow).where(is_live(room_id, self._clock()))
        if visitor_id:
            query = query.where(MessageRow.visitor_id == visitor_id)
        if last_seq is not None:
            query = query.where(seq <= last_seq)
        async with self._database.read_session(group) as session:
            rows = (await session.exec(query.order_by(seq.desc()).limit(_BATCH))).all()
            messages = await self._reactions.decrypt_messages(session, rows)
        return [(row.seq, message) for row, message in zip(rows, messages, strict=True)]

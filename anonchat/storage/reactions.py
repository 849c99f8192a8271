"""The reactions to messages."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MessageRow, ReactionRow

from ..crypto import DecryptionError
from ..entities import Message, Reaction
from ..errors import N_, LimitReached, NotFound
from ..events import MessageReacted
from ..runtime.clock import Clock
from ..security.message_cipher import MessageCipher
from ..security.reaction_cipher import Reacted, ReactionCipher
from .database import Database
from .openings import add_readers

KINDS_MAX = 20
REACTORS_MAX = 100
_FORGOTTEN_BATCH = 50


class StoredReactions:
    """Reads, changes and forgets how visitors have reacted to messages."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        message_cipher: MessageCipher,
        cipher: ReactionCipher,
    ) -> None:
        self._database = database
        self._clock = clock
        self._message_cipher = message_cipher
        self._cipher = cipher

    async def decrypt_messages(
        self, session: AsyncSession, rows: Sequence[MessageRow]
    ) -> list[Message | None]:
        """Decrypt messages (see `MessageCipher.decrypt_messages`), with reactions and readers."""
        messages = await self._message_cipher.decrypt_messages(rows)
        messages = await add_readers(session, messages)
        changed = {row.id: row for row in rows if row.revision}
        if not changed:
            return messages
        query = select(ReactionRow).where(col(ReactionRow.message_id).in_(changed))
        found = (await session.exec(query)).all()
        decrypted = await self._cipher.decrypt([(changed[row.message_id], row) for row in found])
        by_message: dict[str, list[Reacted]] = {}
        for row, reacted in zip(found, decrypted, strict=True):
            if reacted:
                by_message.setdefault(row.message_id, []).append(reacted)
        return [
            message and replace(message, reactions=_group(by_message.get(message.id, [])))
            for message in messages
        ]

    async def change(
        self,
        session: AsyncSession,
        message: Message,
        row: MessageRow,
        reacted: Reacted,
        *,
        visitor_id: str,
        generation: int,
    ) -> None:
        """Store how a visitor reacts to a message from now on.

        Raises `LimitReached`, or `NotFound` if a key was destroyed meanwhile.
        """
        _, emoji = reacted
        own = await session.get(ReactionRow, (row.id, visitor_id))
        if not emoji:
            if own:
                await session.delete(own)
            return
        kinds = {reaction.emoji for reaction in message.reactions}
        reactors = {author for reaction in message.reactions for author in reaction.authors}
        if len(kinds | emoji.keys()) > KINDS_MAX or (own is None and len(reactors) >= REACTORS_MAX):
            raise LimitReached(N_("This message cannot have more reactions."))
        try:
            sealed = self._cipher.encrypt(row, visitor_id, reacted, generation=generation)
        except DecryptionError as error:
            raise NotFound from error
        own = own or ReactionRow(message_id=row.id, visitor_id=visitor_id, sealed=sealed)
        own.sealed = sealed
        session.add(own)

    async def read_own(
        self, session: AsyncSession, row: MessageRow, visitor_id: str
    ) -> dict[str, int]:
        """Return how a visitor has reacted to a message."""
        own = await session.get(ReactionRow, (row.id, visitor_id))
        if own is None:
            return {}
        (reacted,) = await self._cipher.decrypt([(row, own)])
        return reacted[1] if reacted else {}

    async def forget(self, visitor_id: str) -> AsyncIterator[MessageReacted]:
        """Delete all reactions of a visitor, in batches; yield the events."""
        query = select(MessageRow).join(ReactionRow)
        query = query.where(ReactionRow.visitor_id == visitor_id).order_by(col(MessageRow.id))
        query = query.limit(_FORGOTTEN_BATCH).with_for_update(of=MessageRow)
        while True:
            async with self._database.transaction(visitor_id) as session:
                rows = (await session.exec(query)).all()
                if not rows:
                    return
                ids = [row.id for row in rows]
                own = delete(ReactionRow).where(col(ReactionRow.visitor_id) == visitor_id)
                await session.exec(own.where(col(ReactionRow.message_id).in_(ids)))
                for row in rows:
                    row.revision += 1
                messages = await self.decrypt_messages(session, rows)
            for row, message in zip(rows, messages, strict=True):
                if message and message.expires_at > self._clock():
                    yield MessageReacted(message, row.visitor_id)


def _group(reacted: list[Reacted]) -> tuple[Reaction, ...]:
    """Return the reactions by kind: kinds and authors in the order in which they came."""
    single = [(at, emoji, author) for author, kinds in reacted for emoji, at in kinds.items()]
    kinds: dict[str, list[str]] = {}
    for _, emoji, author in sorted(single):
        kinds.setdefault(emoji, []).append(author)
    return tuple(Reaction(emoji, tuple(authors)) for emoji, authors in kinds.items())

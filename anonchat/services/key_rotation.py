"""Rotates the keys of spans, after which deleted messages are unreadable in every copy."""

import asyncio
import logging

from sqlmodel import col, select, tuple_, update

from models import MessageRow, ReactionRow, SpanRow

from ..runtime.clock import Clock
from ..runtime.locks import KeyedLocks
from ..security.key_names import key_generation, span_bounds
from ..security.keystore import KeyStore
from ..security.message_cipher import MessageCipher
from ..security.reaction_cipher import ReactionCipher
from ..storage.database import Database

_REENCRYPT_BATCH = 25  # small, because posting waits for the transaction
_PAUSE_FACTOR = 3.0
_log = logging.getLogger(__name__)


class KeyRotation:
    """Replaces the keys of a span: live messages are re-encrypted, older keys destroyed."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        keys: KeyStore,
        cipher: MessageCipher,
        reaction_cipher: ReactionCipher,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._cipher = cipher
        self._reaction_cipher = reaction_cipher
        self._locks: KeyedLocks[int] = KeyedLocks()  # by span number
        self._batch_lock = asyncio.Lock()

    async def rotate(self, number: int, *, pause: float = _PAUSE_FACTOR) -> None:
        """Rotate the keys of a span, so that its deleted messages are unreadable in every copy.

        A new generation of keys was created before the rows were deleted. Live messages of the span
        are re-encrypted with it, and all older keys are destroyed. Rotations of one span run one at
        a time; a rotation that finds its work done returns at once. Rotations of different spans
        run concurrently. After each batch it sleeps `pause` times as long as the batch took, so
        that other transactions can run.
        """
        async with self._locks.hold(number):
            async with self._database.read_session() as session:
                span = await session.get(SpanRow, number)
            if span is None:
                return
            if span.settled < span.generation:
                is_complete = await self._reencrypt(number, span.generation, pause)
                is_complete &= await self._reencrypt_reactions(number, span.generation, pause)
                if not is_complete:
                    _log.warning(
                        "key rotation of span %d postponed: another node has the keys of a message",
                        number,
                    )
                    return
                await self._settle(number, span.generation)
            await self._keys.destroy(
                name
                for name in self._keys.span_key_names(number)
                if key_generation(name) < span.generation
            )

    async def resume(self) -> None:
        """Resume key rotations that a crash or a full disk interrupted, on this or another node.

        Rotations in progress on this node are skipped: they may take long, and finish themselves.
        """
        async with self._database.read_session() as session:
            spans = (await session.exec(select(SpanRow))).all()
        for span in spans:
            if self._locks.is_held(span.number):
                continue
            names = self._keys.span_key_names(span.number)
            if span.settled < span.generation or any(
                key_generation(name) < span.settled for name in names
            ):
                await self.rotate(span.number, pause=0)  # the purge has a time limit

    async def _reencrypt(self, number: int, generation: int, pause: float) -> bool:
        """Re-encrypt a span's live messages; return `False` if some need keys of another node."""
        is_complete = True
        await self._keys.get_or_create(self._keys.own_span_key(number, generation))
        begin, end = span_bounds(number)
        begin = max(begin, self._clock())
        position = tuple_(col(MessageRow.expires_at), col(MessageRow.id))
        after = begin, ""
        loop = asyncio.get_running_loop()
        while True:
            query = select(MessageRow).where(position > after, col(MessageRow.expires_at) < end)
            query = query.order_by(col(MessageRow.expires_at), col(MessageRow.id))
            # One batch at a time, in FIFO order, so that short rotations do not wait for long ones.
            async with self._batch_lock:
                started = loop.time()
                async with self._database.transaction() as session:
                    query = query.limit(_REENCRYPT_BATCH).with_for_update()
                    batch = (await session.exec(query)).all()
                    is_complete &= await self._cipher.reencrypt_messages(batch, generation)
                took = loop.time() - started
            if len(batch) < _REENCRYPT_BATCH:
                return is_complete
            await asyncio.sleep(pause * took)
            after = batch[-1].expires_at, batch[-1].id

    async def _reencrypt_reactions(self, number: int, generation: int, pause: float) -> bool:
        """Re-encrypt the reactions to a span's messages, after these."""
        is_complete = True
        begin, end = span_bounds(number)
        position = tuple_(col(ReactionRow.message_id), col(ReactionRow.visitor_id))
        query = select(MessageRow, ReactionRow).join(ReactionRow)
        query = query.where(col(MessageRow.expires_at) >= max(begin, self._clock()))
        query = query.where(col(MessageRow.expires_at) < end)
        query = query.order_by(col(ReactionRow.message_id), col(ReactionRow.visitor_id))
        after = "", ""
        loop = asyncio.get_running_loop()
        while True:
            async with self._batch_lock:
                started = loop.time()
                async with self._database.transaction() as session:
                    limited = query.where(position > after).limit(_REENCRYPT_BATCH)
                    locking = limited.with_for_update(of=ReactionRow)
                    batch = (await session.exec(locking)).all()
                    is_complete &= await self._reaction_cipher.reencrypt(batch, generation)
                took = loop.time() - started
            if len(batch) < _REENCRYPT_BATCH:
                return is_complete
            await asyncio.sleep(pause * took)
            _, last = batch[-1]
            after = last.message_id, last.visitor_id

    async def _settle(self, number: int, generation: int) -> None:
        async with self._database.transaction() as session:
            await session.exec(
                update(SpanRow)
                .where(col(SpanRow.number) == number, col(SpanRow.settled) < generation)
                .values(settled=generation)
            )

"""Deletes and changes single messages, each in one transaction."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

from sqlalchemy import ColumnElement
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, OpeningRow, RoomRow, SpanRow, TombstoneRow

from ..crypto import DecryptionError
from ..entities import Message, rank
from ..errors import N_, NotAllowed, NotAMember, NotFound, Unavailable
from ..events import MessageOpened, MessageReacted, MessagesDeleted
from ..mutes import require_unmuted
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.key_names import key_generation, span_at
from ..security.keystore import KeyStore
from ..security.message_cipher import MessageCipher
from .conflicts import retry_on_conflict
from .database import Database
from .mentions import Mention, replace_mentions
from .message_history import is_live
from .openings import has_readers, remove_reader
from .purge_stats import count_purged
from .reactions import StoredReactions
from .standings import Standings, role_of_row

NO_MESSAGE = N_("There is no such message, or it is gone already.")
_DELETED_BATCH = 100  # small, because posting waits for the transaction
_FOR_KEY_SHARE = {"read": True, "key_share": True}  # so that the room is not ended meanwhile


class StoredMessages:
    """The rows of messages; `which` is the condition that one of them meets.

    What is deleted or replaced can be decrypted until the keys of its span are rotated, for which
    its transaction begins a new generation. `charge` is called once it is sure to be allowed.
    """

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        keys: KeyStore,
        cipher: MessageCipher,
        reactions: StoredReactions,
        standings: Standings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._keys = keys
        self._cipher = cipher
        self._reactions = reactions
        self._standings = standings

    @retry_on_conflict
    async def delete(
        self,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
        charge: Callable[[], None],
    ) -> tuple[int, int]:
        """Delete a message for its author, or whoever keeps order; return its `seq` and span.

        Raises `NotAMember`, `NotFound` or `NotAllowed`.
        """
        async with self._database.transaction(visitor_id) as session:
            member, row = await self._lock(session, room_id, visitor_id, which)
            if row.visitor_id != visitor_id:
                await self._require_order(session, member, row)
            charge()
            number = await self._remove(session, row)
        return row.seq, number

    async def delete_all(
        self, room_id: str, author_id: str, *, last_seq: int
    ) -> AsyncIterator[tuple[MessagesDeleted, set[int]]]:
        """Delete the messages of a visitor up to `last_seq`, in batches.

        Yield the event of each batch, and its spans. The caller has checked that it is allowed.
        """
        query = select(MessageRow).where(
            is_live(room_id, self._clock()),
            MessageRow.visitor_id == author_id,
            col(MessageRow.seq) <= last_seq,
        )
        query = query.order_by(col(MessageRow.seq)).limit(_DELETED_BATCH).with_for_update()
        while True:
            async with self._database.transaction(author_id) as session:
                rows = (await session.exec(query)).all()
                if not rows:
                    return
                numbers = await self._delete_rows(session, rows)
            yield MessagesDeleted(room_id, tuple(row.seq for row in rows)), numbers

    async def _delete_rows(self, session: AsyncSession, rows: Sequence[MessageRow]) -> set[int]:
        """Delete messages, and begin a generation in each of their spans; return these."""
        numbers = {span_at(row.expires_at) for row in rows}
        for number in sorted(numbers):
            await self._begin_generation(session, number)
        ids = [row.id for row in rows]
        await session.exec(delete(MessageRow).where(col(MessageRow.id).in_(ids)))
        for row in rows:
            session.add(
                TombstoneRow(
                    dedup_key=row.dedup_key,
                    room_id=row.room_id,
                    visitor_id=row.visitor_id,
                    expires_at=ceil_to_minute(row.expires_at),
                )
            )
        await count_purged(session, messages=len(rows))
        return numbers

    async def _require_order(
        self, session: AsyncSession, member: MemberRow, row: MessageRow
    ) -> None:
        """Raise `NotAllowed` unless a member may delete a message of somebody else."""
        room = await session.get(RoomRow, row.room_id)
        if room is None:
            raise NotFound(NO_MESSAGE)
        author = await session.get(MemberRow, (row.room_id, row.visitor_id))
        own, other = [
            role_of_row(room, each, await self._standings.read(session, room.id, visitor_id))
            for each, visitor_id in ((member, member.visitor_id), (author, row.visitor_id))
        ]
        if rank(own) <= rank(other):
            raise NotAllowed(
                N_("Only its author, the owner of the room and its helpers may delete it.")
            )

    @retry_on_conflict
    async def edit(
        self,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
        charge: Callable[[], None],
        change: Callable[[Message], Message],
        mentions: Iterable[Mention],
    ) -> tuple[Message, Message, int]:
        """Replace an ordinary message by what `change` returns, for its author; return both, and
        their span. From now on it mentions those other members.

        Raises `NotAMember`, `NotFound`, `NotAllowed`, or `Unavailable` if only another node has one
        of its keys.
        """
        async with self._database.transaction(visitor_id) as session:
            _, row = await self._lock(session, room_id, visitor_id, which)
            if row.visitor_id != visitor_id:
                raise NotAllowed(N_("Only its author may change it."))
            await self._require_unmuted(session, room_id, visitor_id)
            before = await self._decrypt(session, row)
            if before.kind or before.once:
                raise NotAllowed(N_("Only a message that is a text can be changed."))
            charge()
            number = span_at(row.expires_at)
            generation = await self._begin_generation(session, number)
            message = change(before)
            row.revision = message.revision
            try:
                row.sealed = self._cipher.encrypt_message(
                    message, visitor_id, generation=generation
                )
            except DecryptionError as error:  # a key was destroyed meanwhile
                raise NotFound(NO_MESSAGE) from error
            await replace_mentions(session, room_id, row.seq, mentions)
        return before, message, number

    @retry_on_conflict
    async def react(
        self,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
        charge: Callable[[], None],
        emoji: str,
        *,
        on: bool,
    ) -> tuple[MessageReacted, bool]:
        """Add or remove a reaction of a visitor; return the event, and whether anything changed.

        Raises `NotAMember`, `NotFound`, `LimitReached`, or `Unavailable` if only another node has
        one of the keys of the message.
        """
        async with self._database.transaction(visitor_id) as session:
            member, row = await self._lock(session, room_id, visitor_id, which)
            if on:
                await self._require_unmuted(session, room_id, visitor_id)
            message = await self._decrypt(session, row)
            own = await self._reactions.read_own(session, row, visitor_id)
            if (emoji in own) == on:
                return MessageReacted(message, row.visitor_id), False
            charge()
            row.revision += 1
            own.pop(emoji, None)
            if on:
                own[emoji] = row.revision
            await self._reactions.change(
                session,
                message,
                row,
                (member.author, own),
                visitor_id=visitor_id,
                generation=await self._lock_generation(session, span_at(row.expires_at)),
            )
            await session.flush()
            message = await self._decrypt(session, row)
        return MessageReacted(message, row.visitor_id), True

    async def _require_unmuted(self, session: AsyncSession, room_id: str, visitor_id: str) -> None:
        """Raise `Muted` if a member may not write."""
        standing = await self._standings.read(session, room_id, visitor_id)
        require_unmuted(standing.muted_until, self._clock())

    @retry_on_conflict
    async def open_once(
        self,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
        charge: Callable[[], None],
    ) -> tuple[str, MessageOpened | MessagesDeleted, int | None]:
        """Open a message for one of its readers; return its text, and what has happened.

        After the last reader it is deleted: then its span is returned, too. Raises `NotAMember`,
        `NotFound`, `NotAllowed`, or `Unavailable` if only another node has one of its keys.
        """
        async with self._database.transaction(visitor_id) as session:
            _, row = await self._lock(session, room_id, visitor_id, which)
            message = await self._decrypt(session, row)
            own = await session.get(OpeningRow, (row.id, visitor_id))
            _check_opening(message, own, is_author=row.visitor_id == visitor_id)
            charge()
            text = self._cipher.decrypt_text(row)
            if own is None or text is None:  # a key was destroyed meanwhile
                raise NotFound(NO_MESSAGE)
            own.opened = True
            await session.flush()
            if not await has_readers(session, row.id):
                number = await self._remove(session, row)
                return text, MessagesDeleted(room_id, (row.seq,)), number
            row.revision += 1
            message = await self._decrypt(session, row)
        return text, MessageOpened(message, row.visitor_id), None

    async def forget_reader(
        self, visitor_id: str
    ) -> AsyncIterator[MessageOpened | MessagesDeleted]:
        """Remove a visitor from the readers of all messages; yield the events.

        A message that all others have opened is deleted.
        """
        query = select(MessageRow.id, MessageRow.room_id).join(OpeningRow)
        query = query.where(OpeningRow.visitor_id == visitor_id).order_by(col(MessageRow.id))
        while True:
            async with self._database.transaction(visitor_id) as session:
                found = (await session.exec(query.limit(1))).first()
                if found is None:
                    return
                message_id, room_id = found
                await session.get(RoomRow, room_id, with_for_update=_FOR_KEY_SHARE)
                row = await session.get(MessageRow, message_id, with_for_update=True)
                if row is None:  # deleted meanwhile
                    continue
                await remove_reader(session, row.id, visitor_id)
                if is_kept := await has_readers(session, row.id):
                    row.revision += 1
                    (message,) = await self._reactions.decrypt_messages(session, [row])
                else:
                    await self._remove(session, row)
            if not is_kept:
                yield MessagesDeleted(row.room_id, (row.seq,))
            elif message and message.expires_at > self._clock():
                yield MessageOpened(message, row.visitor_id)

    async def _remove(self, session: AsyncSession, row: MessageRow) -> int:
        """Delete the row of a message; return its span."""
        (number,) = await self._delete_rows(session, [row])
        return number

    async def _lock_generation(self, session: AsyncSession, number: int) -> int:
        """Lock a span until the transaction ends; return the current generation of its keys."""
        await self._database.lock_span_shared(session, number)
        span = await session.get(SpanRow, number)
        generation = span.generation if span else 0
        await self._cipher.create_span_keys({number: generation})
        return generation

    async def _lock(
        self,
        session: AsyncSession,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
    ) -> tuple[MemberRow, MessageRow]:
        """Lock the row of a live message until the transaction ends.

        Raises `NotAMember`, or `NotFound`.
        """
        await session.get(RoomRow, room_id, with_for_update=_FOR_KEY_SHARE)
        member = await session.get(MemberRow, (room_id, visitor_id))
        if member is None:
            raise NotAMember
        query = select(MessageRow).where(is_live(room_id, self._clock()), which)
        row = (await session.exec(query.with_for_update())).first()
        if row is None:
            raise NotFound(NO_MESSAGE)
        return member, row

    async def _decrypt(self, session: AsyncSession, row: MessageRow) -> Message:
        (message,) = await self._reactions.decrypt_messages(session, [row])
        if message is None and not self._cipher.is_undecryptable(row):
            raise Unavailable
        if message is None:
            raise NotFound(NO_MESSAGE)
        return message

    async def _begin_generation(self, session: AsyncSession, number: int) -> int:
        """Begin a key generation: later messages of this span are encrypted with new keys."""
        await self._database.lock_span_exclusively(session, number)
        span = await session.get(SpanRow, number) or SpanRow(number=number, generation=0, settled=0)
        generations = map(key_generation, self._keys.span_key_names(number))
        span.generation = max(span.generation, *generations, 0) + 1
        await self._keys.get_or_create(self._keys.own_span_key(number, span.generation))
        session.add(span)
        return span.generation


def _check_opening(message: Message, own: OpeningRow | None, *, is_author: bool) -> None:
    """Raise `NotAllowed` if a member cannot open a message."""
    if not message.once:
        raise NotAllowed(N_("This message need not be opened."))
    if is_author:
        raise NotAllowed(N_("Only the others can open it."))
    if own is None:
        raise NotAllowed(N_("Only those who were members when it was posted can open it."))
    if own.opened:
        raise NotAllowed(N_("You have opened it already."))

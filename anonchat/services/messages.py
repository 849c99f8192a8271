"""Messages: posting, reading and deleting."""

import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, RoomRow, SpanRow, TombstoneRow

from ..bus import Bus
from ..crypto import Hasher
from ..entities import Message
from ..errors import N_, InvalidMessage, NotAllowed, NotAMember, NotFound, Unavailable
from ..events import Event, EventsLost, MessagePosted, MessagesDeleted, RoomEnded
from ..ids import new_id
from ..limits.network_shares import NetworkShares
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..runtime.metrics import Metrics
from ..security.key_names import key_generation, span_at
from ..security.keystore import KeyStore
from ..security.row_cipher import RowCipher
from ..settings import Settings
from ..storage.database import Database, retry_on_conflict
from ..storage.message_writer import Draft, MessageWriter
from ..storage.purge_stats import count_purged
from ..storage.room_cache import RoomCache
from ..text.normalization import normalize_message

_PAGES_CACHED_MAX = 100
_PAGE_MAX = 201  # the longest page of the API, plus one message to detect that there are more
_KEY_WAIT_MAX = timedelta(minutes=10)  # a node that is away for longer may have lost its disk
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_FOR_KEY_SHARE = {"read": True, "key_share": True}  # so that the room is not ended meanwhile
_NO_MESSAGE = N_("There is no such message, or it is gone already.")


@dataclass(slots=True)
class _Page:
    """The newest messages of a room, each with its author's visitor id; cached."""

    entries: deque[tuple[str, Message]]
    is_whole: bool  # there are no older messages
    may_lack_some: bool  # messages were left out whose keys another node may still share
    last_seq: int

    def is_continued_by(self, message: Message) -> bool:
        """Return whether no message is missing between this page and `message`."""
        return message.seq <= self.last_seq + 1

    def covers(self, seq: int) -> bool:
        """Return whether the page contains all messages from `seq` on."""
        return not self.may_lack_some and (
            self.is_whole or (bool(self.entries) and self.entries[0][1].seq <= seq)
        )

    def add(self, visitor_id: str, message: Message) -> None:
        if message.seq <= self.last_seq:
            return  # already read from the database
        self.last_seq = message.seq
        self.is_whole = self.is_whole and len(self.entries) < _PAGE_MAX
        self.entries.append((visitor_id, message))

    def remove(self, seqs: tuple[int, ...]) -> None:
        deleted = set(seqs)
        remaining = [entry for entry in self.entries if entry[1].seq not in deleted]
        self.entries = deque(remaining, _PAGE_MAX)


class Messages:
    """Posts, reads and deletes messages; caches the newest ones of each room."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        shares: NetworkShares,
        keys: KeyStore,
        cipher: RowCipher,
        hasher: Hasher,
        metrics: Metrics,
        is_member: Callable[[str, str], Awaitable[bool]],
        rotate_span_keys: Callable[[int], Awaitable[None]],
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._keys = keys
        self._cipher = cipher
        self._hasher = hasher
        self._metrics = metrics
        self._is_member = is_member
        self._rotate_span_keys = rotate_span_keys
        self._writer = MessageWriter(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            shares=shares,
            cipher=cipher,
        )
        self._pages: RoomCache[_Page] = RoomCache(_PAGES_CACHED_MAX, bus.room_epoch)
        bus.subscribe(self._on_event)

    async def post(
        self, room_id: str, *, visitor_id: str, text: str, dedup_id: str = ""
    ) -> Message:
        """Store a message and return it; a retry with the same `dedup_id` returns the same message.

        Raises `InvalidMessage`, `MessageExpired`, `NotAMember`, `NotFound`, `LimitReached` or
        `Unavailable`.
        """
        with self._metrics.track_post():
            text, dedup_id = normalize_message(text), _check_dedup_id(dedup_id)
            dedup_key = self._hasher.hash("dedup", room_id, visitor_id, dedup_id)
            return await self._writer.store(Draft(room_id, visitor_id, text, dedup_id, dedup_key))

    async def history(
        self,
        room_id: str,
        *,
        visitor_id: str,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Message]:
        """Return up to `limit` unexpired messages, oldest first.

        With `after`, the oldest ones after that `seq`; else the newest, before `before` if given.
        Raises `NotAMember`.
        """
        await self._check_member(room_id, visitor_id)
        if after is None and before is None and limit <= _PAGE_MAX:
            return await self._newest(room_id, visitor_id, limit)
        if after is not None and before is None:
            cached = self._find_cached(room_id, after + 1)
            if cached is not None:
                return [message for message in cached if message.seq > after][:limit]
        found, _ = await self._read(
            room_id, after=after, before=before, limit=limit, group=visitor_id
        )
        return [message for _, message in found]

    async def list_seqs(
        self, room_id: str, *, visitor_id: str, first: int, last: int, limit: int
    ) -> list[int]:
        """Return the `seq` of unexpired messages from `first` to `last`. Raises `NotAMember`."""
        await self._check_member(room_id, visitor_id)
        cached = self._find_cached(room_id, first)
        if cached is not None:
            return [message.seq for message in cached if first <= message.seq <= last][:limit]
        seq = col(MessageRow.seq)
        query = select(seq).where(self._is_live(room_id), seq.between(first, last))
        query = query.order_by(seq).limit(limit)
        async with self._database.read_session(visitor_id) as session:
            return list((await session.exec(query)).all())

    async def delete(self, room_id: str, *, visitor_id: str, message_id: str) -> None:
        """Delete a message; allowed for its author and the owner of the room.

        Its row is deleted, then the key that decrypts copies of it is rotated, because other
        messages share that key. A late retry of the post is refused. Raises `NotAMember`,
        `NotAllowed`, `RateLimited`, `Unavailable`, or `NotFound` if it is already gone.
        """
        if not _ID.fullmatch(message_id):  # the database rejects some strings
            raise NotFound(_NO_MESSAGE)
        await self._delete(room_id, visitor_id, col(MessageRow.id) == message_id)

    async def delete_by_seq(self, room_id: str, *, visitor_id: str, seq: int) -> None:
        """Delete a message as `delete()` does."""
        await self._delete(room_id, visitor_id, col(MessageRow.seq) == seq)

    async def _delete(self, room_id: str, visitor_id: str, which: ColumnElement[bool]) -> None:
        charge = self._limits.deletions.hit_once(visitor_id)
        seq, number = await self._remove(room_id, visitor_id, which, charge)
        await self._bus.publish(MessagesDeleted(room_id, (seq,)))
        with suppress(Unavailable):  # the next purge retries
            await self._rotate_span_keys(number)

    @retry_on_conflict
    async def _remove(
        self,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
        charge: Callable[[], None],
    ) -> tuple[int, int]:
        """Delete the row of a message; return its `seq` and the number of its span."""
        query = select(MessageRow).where(self._is_live(room_id), which)
        async with self._database.transaction(visitor_id) as session:
            room = await session.get(RoomRow, room_id, with_for_update=_FOR_KEY_SHARE)
            member = await _require_member(session, room_id, visitor_id)
            row = (await session.exec(query.with_for_update())).first()
            if row is None:
                raise NotFound(_NO_MESSAGE)
            if row.visitor_id != visitor_id and (room is None or room.owner != member.author):
                raise NotAllowed(N_("Only its author and the owner of the room may delete it."))
            charge()
            number = span_at(row.expires_at)
            await self._begin_generation(session, number)
            await session.exec(delete(MessageRow).where(col(MessageRow.id) == row.id))
            session.add(_make_tombstone(row))
            await count_purged(session, messages=1)
        return row.seq, number

    async def _begin_generation(self, session: AsyncSession, number: int) -> None:
        """Begin a key generation: later messages of this span are encrypted with new keys."""
        await self._database.lock_span_exclusively(session, number)
        span = await session.get(SpanRow, number) or SpanRow(number=number, generation=0, settled=0)
        generations = map(key_generation, self._keys.span_key_names(number))
        span.generation = max(span.generation, *generations, 0) + 1
        await self._keys.get_or_create(self._keys.own_span_key(number, span.generation))
        session.add(span)

    async def flush(self) -> None:
        """Wait until all accepted messages are stored."""
        await self._writer.flush()

    async def _check_member(self, room_id: str, visitor_id: str) -> None:
        if not await self._is_member(room_id, visitor_id):
            raise NotAMember(N_("Only members can do that. Join the room first."))

    def _find_cached(self, room_id: str, first: int) -> list[Message] | None:
        """Return the unexpired messages from a `seq` on, or `None` if not all are cached."""
        page = self._pages.get(room_id)
        if page is None or not page.covers(first):
            return None
        now = self._clock()
        live = [entry for entry in page.entries if entry[1].expires_at > now]
        if not all(
            self._cipher.can_decrypt_message(message, author_id) for author_id, message in live
        ):
            return None  # a key was destroyed, or another node has not shared it yet
        return [message for _, message in live]

    async def _newest(self, room_id: str, visitor_id: str, limit: int) -> list[Message]:
        page = await self._load_page(room_id, limit, group=visitor_id)
        live = self._list_live(page)
        if len(live) < limit and not page.is_whole:  # some expired, or the page was shorter
            self._pages.invalidate(room_id)
            page = await self._load_page(room_id, limit, group=visitor_id)
            live = self._list_live(page)
        return live[-limit:]

    async def _load_page(self, room_id: str, limit: int, *, group: str) -> _Page:
        return await self._pages.get_or_load(
            room_id, lambda: self._read_page(room_id, limit, group)
        )

    def _list_live(self, page: _Page) -> list[Message]:
        now = self._clock()
        return [
            message
            for author_id, message in page.entries
            if message.expires_at > now and self._cipher.can_decrypt_message(message, author_id)
        ]

    async def _read_page(self, room_id: str, limit: int, group: str) -> _Page:
        found, may_lack_some = await self._read(
            room_id, after=None, before=None, limit=limit, group=group
        )
        last_seq = found[-1][1].seq if found else 0
        return _Page(
            deque(found, _PAGE_MAX),
            is_whole=len(found) < limit,
            may_lack_some=may_lack_some,
            last_seq=last_seq,
        )

    async def _read(
        self, room_id: str, *, after: int | None, before: int | None, limit: int, group: str
    ) -> tuple[list[tuple[str, Message]], bool]:
        """Return messages, oldest first, each with its author's visitor id.

        Also return whether any was left out whose keys another node may still share.
        """
        may_lack_some = False
        seq = col(MessageRow.seq)
        low, high = -1 if after is None else after, sys.maxsize if before is None else before
        found: list[tuple[str, Message]] = []
        async with self._database.read_session(group) as session:
            while (missing := limit - len(found)) > 0:
                # Always both bounds: without them the database sorts all messages of the room.
                query = select(MessageRow).where(self._is_live(room_id), seq > low, seq < high)
                query = query.order_by(seq.desc() if after is None else seq)
                rows = (await session.exec(query.limit(missing))).all()
                decrypted = zip(rows, await self._cipher.decrypt_messages(rows), strict=True)
                for row, message in decrypted:
                    if message:
                        found.append((row.visitor_id, message))
                    elif self._may_be_decryptable_later(row):
                        may_lack_some = True
                        if after is not None:  # stop here: a reader that continues would skip it
                            return found, may_lack_some
                if len(rows) < missing:
                    break
                # Some were skipped because their keys are gone: continue with the next rows.
                low, high = (low, rows[-1].seq) if after is None else (rows[-1].seq, high)
        return found[::-1] if after is None else found, may_lack_some

    async def _on_event(self, event: Event) -> None:
        match event:
            case MessagePosted(_, message, visitor_id):
                self._cache(visitor_id, message)
            case MessagesDeleted(room_id, seqs):
                self._pages.update(room_id, lambda page: page.remove(seqs))
            case RoomEnded(room_id):
                self._pages.invalidate(room_id)
            case EventsLost():
                self._pages.clear()

    def _is_live(self, room_id: str) -> ColumnElement[bool]:
        return and_(col(MessageRow.room_id) == room_id, col(MessageRow.expires_at) > self._clock())

    def _may_be_decryptable_later(self, row: MessageRow) -> bool:
        """Return whether another node may still share the keys of a message."""
        return (
            not self._cipher.is_undecryptable(row) and row.posted_at > self._clock() - _KEY_WAIT_MAX
        )

    def _cache(self, visitor_id: str, message: Message) -> None:
        """Add a message to the cached page; invalidate it if messages arrived out of order."""
        page = self._pages.get(message.room_id)
        if page and not page.is_continued_by(message):
            self._pages.invalidate(message.room_id)
        else:
            self._pages.update(message.room_id, lambda page: page.add(visitor_id, message))


def _make_tombstone(row: MessageRow) -> TombstoneRow:
    return TombstoneRow(
        dedup_key=row.dedup_key,
        room_id=row.room_id,
        visitor_id=row.visitor_id,
        expires_at=ceil_to_minute(row.expires_at),
    )


def _check_dedup_id(dedup_id: str) -> str:
    """Return the id, or a new one if empty; raise `InvalidMessage` before it can fail a batch."""
    if not isinstance(dedup_id, str) or not re.fullmatch(r"[!-~]{0,64}", dedup_id):
        raise InvalidMessage(N_("That is not a text."))
    return dedup_id or new_id()


async def _require_member(session: AsyncSession, room_id: str, visitor_id: str) -> MemberRow:
    member = await session.get(MemberRow, (room_id, visitor_id))
    if member is None:
        raise NotAMember(N_("Only members can do that. Join the room first."))
    return member

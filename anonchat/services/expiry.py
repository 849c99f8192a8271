"""Purges expired data: keys first, then rows, in short transactions."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from sqlmodel import col, delete, func, select, tuple_, update

from models import MessageRow, RoomRow, SpanRow, TombstoneRow, VisitorRow

from ..bus import Bus
from ..errors import Unavailable
from ..runtime.clock import Clock
from ..runtime.locks import KeyedLocks
from ..security.key_names import (
    is_row_key,
    key_generation,
    room_key_name,
    room_key_names,
    span_at,
    span_bounds,
    visitor_key_name,
)
from ..security.keystore import KeyStore
from ..security.message_cipher import MessageCipher
from ..storage.closed_names import delete_expired_names
from ..storage.database import Database
from ..storage.message_deletion import delete_messages
from ..storage.purge_stats import PurgeStatsStore, count_purged, read_row_key_names

_REENCRYPT_BATCH = 25  # small, because posting waits for the transaction
_PAUSE_FACTOR = 3.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """What one purge removed; `lag` is how long ago the oldest removed row expired."""

    at: datetime
    messages: int
    rooms: int
    visitors: int
    lag: timedelta


class Expiry:
    """Purges expired data. Reads filter by expiry themselves, so they do not depend on it."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        keys: KeyStore,
        cipher: MessageCipher,
        purge_stats: PurgeStatsStore,
        end_room: Callable[[str], Awaitable[int]],
        forget: Callable[[str], Awaitable[int]],
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._keys = keys
        self._cipher = cipher
        self._purge_stats = purge_stats
        self._end_room = end_room
        self._forget = forget
        self._rotation_locks: KeyedLocks[int] = KeyedLocks()  # by span number
        # When to destroy keys that had no rows at startup, and their names.
        self._orphans: tuple[datetime, set[str]] | None = None
        self._batch_lock = asyncio.Lock()

    async def purge(self) -> PurgeResult:
        """Remove every expired message, room and visitor; return how many were removed."""
        now = self._clock()
        # Needs no database, so messages become unreadable on time even during an outage.
        ended_spans = [number for number in self._keys.spans() if number < span_at(now)]
        await self._keys.destroy(chain(*map(self._keys.span_key_names, ended_spans)))
        lag = await self._lag(now)
        rooms, visitors = await self._destroy_keys(now)
        messages = await self._purge_messages(now)
        for room_id in rooms:
            with _postponing_if_unavailable():
                await self._end_room(room_id)
        for visitor_id in visitors:
            with _postponing_if_unavailable():
                await self._forget(visitor_id)
        done = PurgeResult(now, messages, len(rooms), len(visitors), lag)
        with _postponing_if_unavailable():
            await self._purge_stats.record_purge(now)
        if messages or rooms or visitors:
            await self._database.truncate_wal()
        return done

    async def rotate_span_keys(self, number: int, *, pause: float = _PAUSE_FACTOR) -> None:
        """Rotate the keys of a span, so that its deleted messages are unreadable in every copy.

        A new generation of keys was created before the rows were deleted. Live messages of the span
        are re-encrypted with it, and all older keys are destroyed. Rotations of one span run one at
        a time; a rotation that finds its work done returns at once. Rotations of different spans
        run concurrently. After each batch it sleeps `pause` times as long as the batch took, so
        that other transactions can run.
        """
        async with self._rotation_locks.hold(number):
            async with self._database.read_session() as session:
                span = await session.get(SpanRow, number)
            if span is None:
                return
            if span.settled < span.generation:
                if not await self._reencrypt(number, span.generation, pause):
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

    async def resume_rotations(self) -> None:
        """Resume key rotations that a crash or a full disk interrupted, on this or another node.

        Rotations in progress on this node are skipped: they may take long, and finish themselves.
        """
        async with self._database.read_session() as session:
            spans = (await session.exec(select(SpanRow))).all()
        for span in spans:
            if self._rotation_locks.is_held(span.number):
                continue
            names = self._keys.span_key_names(span.number)
            if span.settled < span.generation or any(
                key_generation(name) < span.settled for name in names
            ):
                await self.rotate_span_keys(span.number, pause=0)  # the purge has a time limit

    async def reconcile(self) -> None:
        """Complete deletions that a crash interrupted: rows without keys, and keys without rows."""
        counts: Counter[str] = Counter()
        async with self._database.transaction() as session:
            rooms = (await session.exec(select(RoomRow.id, RoomRow.texts_key_id))).all()
            visitors = (await session.exec(select(VisitorRow.id))).all()
            room_keys = {id: room_key_names(id, texts_key_id) for id, texts_key_id in rooms}
            visitor_keys = {id: [visitor_key_name(id)] for id in visitors}
            for table, key_names, referring, counted in (
                (RoomRow, room_keys, MessageRow.room_id, "rooms"),
                (VisitorRow, visitor_keys, MessageRow.visitor_id, "visitors"),
            ):
                for id, names in key_names.items():
                    if any(map(self._keys.is_destroyed, names)):
                        messages = delete(MessageRow).where(col(referring) == id)
                        counts["messages"] += (await session.exec(messages)).rowcount
                        row = delete(table).where(col(table.id) == id)
                        counts[counted] += (await session.exec(row)).rowcount
            if counts:
                await count_purged(session, **counts)
            owned = await read_row_key_names(session)
        orphans = {name for name in self._keys.initial_names() if is_row_key(name)} - owned
        self._orphans = self._clock() + self._keys.row_commit_delay, orphans
        await self.destroy_orphans()

    async def destroy_orphans(self) -> None:
        """Destroy the keys whose rows were missing at startup, if they are still missing.

        With other nodes this waits, because a key is shared before its row is committed.
        """
        if self._orphans is None or self._clock() < self._orphans[0]:
            return
        async with self._database.read_session() as session:
            owned = await read_row_key_names(session)
        await self._keys.destroy(self._orphans[1] - owned)
        self._orphans = None

    async def _lag(self, now: datetime) -> timedelta:
        """Return how long ago the oldest expired row expired; zero if there is none."""
        tables = (MessageRow, RoomRow, VisitorRow)
        async with self._database.read_session() as session:
            oldest = [
                (await session.exec(select(func.min(table.expires_at)))).one() for table in tables
            ]
        return max([timedelta(), *(now - end for end in oldest if end)])

    async def _destroy_keys(self, now: datetime) -> tuple[Sequence[str], Sequence[str]]:
        """Destroy the keys of expired rooms and visitors, and return their ids.

        It writes no rows, so it works on a full disk. The transaction locks the rows, so that no
        lifetime is extended meanwhile.
        """
        expired_rooms = select(RoomRow.id).where(col(RoomRow.expires_at) <= now)
        expired_visitors = select(VisitorRow.id).where(col(VisitorRow.expires_at) <= now)
        async with self._database.transaction() as session:
            # Locked rows are being extended, or ended by another node.
            rooms = (await session.exec(expired_rooms.with_for_update(skip_locked=True))).all()
            visitors = (
                await session.exec(expired_visitors.with_for_update(skip_locked=True))
            ).all()
            await self._keys.destroy([*map(room_key_name, rooms), *map(visitor_key_name, visitors)])
        return rooms, visitors

    async def _purge_messages(self, now: datetime) -> int:
        count = 0
        async for deletion in delete_messages(self._database, col(MessageRow.expires_at) <= now):
            count += len(deletion.seqs)
            await self._bus.publish(deletion)
        expired = select(TombstoneRow.dedup_key).where(col(TombstoneRow.expires_at) <= now)
        expired = expired.with_for_update(skip_locked=True)
        async with self._database.transaction() as session:
            await session.exec(delete(TombstoneRow).where(col(TombstoneRow.dedup_key).in_(expired)))
            await session.exec(delete(SpanRow).where(col(SpanRow.number) < span_at(now)))
            await delete_expired_names(session, now=now)
        return count

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

    async def _settle(self, number: int, generation: int) -> None:
        async with self._database.transaction() as session:
            await session.exec(
                update(SpanRow)
                .where(col(SpanRow.number) == number, col(SpanRow.settled) < generation)
                .values(settled=generation)
            )


@contextmanager
def _postponing_if_unavailable() -> Iterator[None]:
    """Postpone the block's deletions to the next purge if the database is unavailable.

    The keys are already destroyed, so the data is unreadable.
    """
    try:
        yield
    except Unavailable:
        _log.warning("database unavailable: part of the purge postponed to the next round")

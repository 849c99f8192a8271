"""Purges expired data: keys first, then rows, in short transactions."""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, starmap

from sqlmodel import col, delete, func, select

from models import MessageRow, RoomRow, SpanRow, TombstoneRow, VisitorRow

from ..bus import Bus
from ..errors import Unavailable
from ..runtime.clock import Clock
from ..security.key_names import (
    is_row_key,
    room_key_names,
    span_at,
    visitor_key_name,
)
from ..security.keystore import KeyStore
from ..storage.closed_names import delete_expired_names
from ..storage.database import Database
from ..storage.invites import delete_expired_invites
from ..storage.knocks import delete_expired_knocks
from ..storage.message_deletion import delete_messages
from ..storage.purge_stats import PurgeStatsStore, count_purged, read_row_key_names
from ..storage.standings import delete_ended_standings

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
        purge_stats: PurgeStatsStore,
        end_room: Callable[[str], Awaitable[int]],
        forget: Callable[[str], Awaitable[int]],
        leave_owned_rooms: Callable[[str], AsyncIterator[object]],
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._keys = keys
        self._purge_stats = purge_stats
        self._end_room = end_room
        self._forget = forget
        self._leave_owned_rooms = leave_owned_rooms
        # When to destroy keys that had no rows at startup, and their names.
        self._orphans: tuple[datetime, set[str]] | None = None

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

    async def reconcile(self) -> None:
        """Complete deletions that a crash interrupted: rows without keys, and keys without rows."""
        await self._end_ownerships()
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

    async def _end_ownerships(self) -> None:
        """Give the rooms of visitors whose keys are destroyed to other members."""
        async with self._database.read_session() as session:
            visitors = (await session.exec(select(VisitorRow.id))).all()
        for visitor_id in visitors:
            if self._keys.is_destroyed(visitor_key_name(visitor_id)):
                async for _ in self._leave_owned_rooms(visitor_id):  # no page shows them yet
                    pass

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
        expired_rooms = select(RoomRow.id, RoomRow.texts_key_id).where(
            col(RoomRow.expires_at) <= now
        )
        expired_visitors = select(VisitorRow.id).where(col(VisitorRow.expires_at) <= now)
        async with self._database.transaction() as session:
            # Locked rows are being extended, or ended by another node.
            rooms = (await session.exec(expired_rooms.with_for_update(skip_locked=True))).all()
            visitors = (
                await session.exec(expired_visitors.with_for_update(skip_locked=True))
            ).all()
            room_keys = chain(*starmap(room_key_names, rooms))
            await self._keys.destroy([*room_keys, *map(visitor_key_name, visitors)])
        return [id for id, _ in rooms], visitors

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
            await delete_ended_standings(session, now=now)
            await delete_expired_invites(session, now=now)
            await delete_expired_knocks(session, now=now)
        return count


@contextmanager
def _postponing_if_unavailable() -> Iterator[None]:
    """Postpone the block's deletions to the next purge if the database is unavailable.

    The keys are already destroyed, so the data is unreadable.
    """
    try:
        yield
    except Unavailable:
        _log.warning("database unavailable: part of the purge postponed to the next round")

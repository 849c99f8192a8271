"""Removing what has expired: keys first, rows after, in batches that anyone may interrupt."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement
from sqlmodel import col, delete, func, select, tuple_, update

from models import MessageRow, RoomRow, SpanRow, TombstoneRow, VisitorRow

from ..bus import Bus
from ..clock import Clock
from ..database import Database
from ..errors import Unavailable
from ..events import MessagesGone
from ..keystore import (
    KeyStore,
    generation_of,
    room_key,
    span_bounds,
    span_of,
    visitor_key,
)
from ..ledger import Ledger, note_gone
from ..locks import KeyedLocks
from ..vault import Vault

_BATCH = 500
_SEALED_AT_ONCE = 25  # nobody shall wait long to post
_PAUSE = 3.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Purge:
    """What one purge removed, and for how long the oldest of it had waited."""

    at: datetime
    messages: int
    rooms: int
    visitors: int
    lag: timedelta


class Expiry:
    """Purges. Nothing here decides what a reader sees: reading never returns the expired."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        keys: KeyStore,
        vault: Vault,
        ledger: Ledger,
        end_room: Callable[[str], Awaitable[int]],
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._keys = keys
        self._vault = vault
        self._ledger = ledger
        self._end_room = end_room
        self._forget = forget
        self._renewing: KeyedLocks[int] = KeyedLocks()  # by span
        self._orphans: tuple[datetime, set[str]] | None = None  # keys without rows, and when to go
        self._sealing = asyncio.Lock()

    async def purge(self) -> Purge:
        """Remove every expired message, room and visitor; return how many there were."""
        now = self._clock()
        # These ask no database, so that messages are forgotten on time while none answers.
        await self._keys.destroy(self._list_ended(now))
        lag = await self._lag(now)
        rooms, visitors = await self._destroy_keys(now)
        messages = await self._purge_messages(now)
        for room_id in rooms:
            with _going_on():
                await self._end_room(room_id)
        for visitor_id in visitors:
            with _going_on():
                await self._forget(visitor_id)
        done = Purge(now, messages, len(rooms), len(visitors), lag)
        with _going_on():
            await self._ledger.close_round(now)
        if messages or rooms or visitors:
            await self._database.truncate_journal()
        return done

    async def renew_span(self, number: int, *, pause: float = _PAUSE) -> None:
        """Make unreadable, in every copy, what was deleted in a span, and leave its neighbours be.

        Another generation of keys was begun before the rows went: the messages that live are
        sealed anew with it, and all older keys are destroyed. Renewals of one span take turns: who
        finds on their turn that another has renewed it already has nothing left to do. Renewals of
        different spans do not wait for each other. Between two batches everybody else has `pause`
        times as long as a batch took.
        """
        async with self._renewing.holding(number):
            async with self._database.reading() as session:
                span = await session.get(SpanRow, number)
            if span is None:
                return
            if span.settled < span.generation:
                if not await self._seal_anew(number, span.generation, pause):
                    _log.warning("a deletion has to wait for keys that another node has")
                    return
                await self._settle(number, span.generation)
            await self._keys.destroy(
                name
                for name in self._keys.names_of_span(number)
                if generation_of(name) < span.generation
            )

    async def renew_spans(self) -> None:
        """Finish the renewals that a crash or a full disk has interrupted, here or on other nodes.

        Not while somebody here is at it: they finish theirs themselves, and may take long.
        """
        async with self._database.reading() as session:
            spans = (await session.exec(select(SpanRow))).all()
        for span in spans:
            if self._renewing.is_held(span.number):
                continue
            names = self._keys.names_of_span(span.number)
            if span.settled < span.generation or any(
                generation_of(name) < span.settled for name in names
            ):
                await self.renew_span(span.number, pause=0)  # a round has to end in time

    async def reconcile(self) -> None:
        """Finish what a crash has interrupted: rows without their key go, keys without rows too."""
        counts: Counter[str] = Counter()
        async with self._database.transaction() as session:
            rooms = set((await session.exec(select(RoomRow.id))).all())
            visitors = set((await session.exec(select(VisitorRow.id))).all())
            for id in rooms:
                if self._keys.is_gone(room_key(id)):
                    gone = await session.exec(delete(MessageRow).where(_in_room(id)))
                    ended = await session.exec(delete(RoomRow).where(col(RoomRow.id) == id))
                    counts.update(messages=gone.rowcount, rooms=ended.rowcount)
            for id in visitors:
                if self._keys.is_gone(visitor_key(id)):
                    gone = await session.exec(delete(MessageRow).where(_by(id)))
                    left = await session.exec(delete(VisitorRow).where(col(VisitorRow.id) == id))
                    counts.update(messages=gone.rowcount, visitors=left.rowcount)
            if counts:
                await note_gone(session, **counts)
        owned = {room_key(id) for id in rooms} | {visitor_key(id) for id in visitors}
        orphans = {
            name
            for name in self._keys.inherited()
            if name.startswith(("room ", "visitor ")) and name not in owned
        }
        self._orphans = self._clock() + self._keys.row_delay, orphans
        await self.destroy_orphans()

    async def destroy_orphans(self) -> None:
        """Destroy the keys whose rows were missing at the start, if they still are.

        Not at once if there are other nodes: a key is known to all before its row is committed.
        """
        if self._orphans is None or self._clock() < self._orphans[0]:
            return
        async with self._database.reading() as session:
            rooms = (await session.exec(select(RoomRow.id))).all()
            visitors = (await session.exec(select(VisitorRow.id))).all()
        await self._keys.destroy(
            self._orphans[1] - set(map(room_key, rooms)) - set(map(visitor_key, visitors))
        )
        self._orphans = None

    def _list_ended(self, now: datetime) -> list[str]:
        """Return the names of the keys of all spans that are over."""
        ended = [number for number in self._keys.spans() if number < span_of(now)]
        return [name for number in ended for name in self._keys.names_of_span(number)]

    async def _lag(self, now: datetime) -> timedelta:
        """Return how long ago the oldest of what is still there has expired."""
        ends = [func.min(kind.expires_at) for kind in (MessageRow, RoomRow, VisitorRow)]
        async with self._database.reading() as session:
            oldest = [(await session.exec(select(end))).one() for end in ends]
        return max([timedelta(), *(now - moment for moment in oldest if moment)])

    async def _destroy_keys(self, now: datetime) -> tuple[Sequence[str], Sequence[str]]:
        """Destroy the keys of rooms and visitors that have expired, and return their ids.

        This writes no rows, for a full disk would refuse them. It is a transaction nevertheless, so
        that nothing is given a longer life in the moment in which it ends.
        """
        quiet = select(RoomRow.id).where(col(RoomRow.expires_at) <= now)
        expired = select(VisitorRow.id).where(col(VisitorRow.expires_at) <= now)
        async with self._database.transaction() as session:
            # What is locked is being given a longer life, or is ended by another node.
            rooms = (await session.exec(quiet.with_for_update(skip_locked=True))).all()
            visitors = (await session.exec(expired.with_for_update(skip_locked=True))).all()
            await self._keys.destroy([*map(room_key, rooms), *map(visitor_key, visitors)])
        return rooms, visitors

    async def _purge_messages(self, now: datetime) -> int:
        count = 0
        while batch := await self._delete_messages(now):
            count += batch
        old = select(TombstoneRow.dedup_key).where(col(TombstoneRow.expires_at) <= now)
        old = old.with_for_update(skip_locked=True)
        async with self._database.transaction() as session:
            await session.exec(delete(TombstoneRow).where(col(TombstoneRow.dedup_key).in_(old)))
            await session.exec(delete(SpanRow).where(col(SpanRow.number) < span_of(now)))
        return count

    async def _delete_messages(self, now: datetime) -> int:
        query = select(MessageRow.id, MessageRow.room_id, MessageRow.seq)
        query = query.where(col(MessageRow.expires_at) <= now)
        gone: dict[str, list[int]] = {}
        async with self._database.transaction() as session:
            locking = query.limit(_BATCH).with_for_update(skip_locked=True)
            batch = (await session.exec(locking)).all()
            ids = [id for id, _, _ in batch]
            await session.exec(delete(MessageRow).where(col(MessageRow.id).in_(ids)))
            if batch:
                await note_gone(session, messages=len(batch))
        for _, room_id, seq in batch:
            gone.setdefault(room_id, []).append(seq)
        for room_id, seqs in gone.items():
            await self._bus.publish(MessagesGone(room_id, tuple(seqs)))
        return len(batch)

    async def _seal_anew(self, number: int, generation: int, pause: float) -> bool:
        """Tell whether everything that lives in a span is sealed with a key of this generation."""
        is_whole = True
        await self._keys.obtain(self._keys.own_of_span(number, generation))
        begin, end = span_bounds(number)
        begin = max(begin, self._clock())
        place = tuple_(col(MessageRow.expires_at), col(MessageRow.id))
        after = begin, ""
        loop = asyncio.get_running_loop()
        while True:
            query = select(MessageRow).where(place > after, col(MessageRow.expires_at) < end)
            query = query.order_by(col(MessageRow.expires_at), col(MessageRow.id))
            # First come, first served, so that a short renewal is not held up by long ones.
            async with self._sealing:
                begun = loop.time()
                async with self._database.transaction() as session:
                    query = query.limit(_SEALED_AT_ONCE).with_for_update()
                    batch = (await session.exec(query)).all()
                    opened = await self._vault.open_messages(batch)
                    for row, message in zip(batch, opened, strict=True):
                        self._vault.seal_anew(row, generation)
                        is_whole = is_whole and (message is not None or self._vault.is_lost(row))
                took = loop.time() - begun
            if len(batch) < _SEALED_AT_ONCE:
                return is_whole
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
def _going_on() -> Iterator[None]:
    """Let what a full disk refuses wait for the next round: its key is destroyed already."""
    try:
        yield
    except Unavailable:
        _log.warning("some rows have to wait for the next round")


def _in_room(room_id: str) -> ColumnElement[bool]:
    return col(MessageRow.room_id) == room_id


def _by(visitor_id: str) -> ColumnElement[bool]:
    return col(MessageRow.visitor_id) == visitor_id

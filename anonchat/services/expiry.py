"""Removing what has expired: keys first, rows after, in batches that anyone may interrupt."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlmodel import col, delete, select, tuple_

from models import MessageRow, RoomRow, TombstoneRow, VisitorRow

from ..bus import Bus
from ..clock import Clock
from ..database import Database
from ..errors import Unavailable
from ..events import MessagesGone
from ..keystore import (
    KeyStore,
    ended_spans,
    room_key,
    span_bounds,
    span_key,
    span_start,
    visitor_key,
)
from ..ledger import Ledger, note_gone
from ..vault import Vault

_BATCH = 500
_SEALED_AT_ONCE = 50  # nobody shall wait long to post
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Purge:
    """What one purge removed: counts only."""

    at: datetime
    messages: int
    rooms: int
    visitors: int


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
        self._renewing = asyncio.Lock()

    async def purge(self) -> Purge:
        """Remove every expired message, room and visitor; return how many there were."""
        now = self._clock()
        # These ask no database, so that messages are forgotten on time while none answers.
        await self._keys.destroy(ended_spans(self._keys.spans(), now))
        rooms, visitors = await self._destroy_keys(now)
        messages = await self._purge_messages(now)
        for room_id in rooms:
            with _going_on():
                await self._end_room(room_id)
        for visitor_id in visitors:
            with _going_on():
                await self._forget(visitor_id)
        done = Purge(now, messages, len(rooms), len(visitors))
        with _going_on():
            await self._ledger.close_round(now)
        if messages or rooms or visitors:
            await self._database.truncate_journal()
        return done

    async def renew_span(self, moment: datetime) -> None:
        """Make a message unreadable that was deleted, in every copy, and leave its neighbours be.

        The key of its span was renewed before its row went: the messages that live are sealed anew
        with the new one, and the old ones are destroyed. Who finds on their turn that another has
        destroyed theirs has nothing left to do.
        """
        span = span_key(moment)
        own = set(self._keys.older(span))
        async with self._renewing:
            old = self._keys.older(span)
            if own & set(old):
                await self._seal_anew(moment)
                await self._keys.drop_older(span, old)

    async def renew_spans(self) -> None:
        """Finish the renewals that a crash or a full disk has interrupted.

        Not while somebody is at it: they finish theirs themselves, and may take long.
        """
        if not self._renewing.locked():
            for span in self._keys.renewing():
                await self.renew_span(span_start(span))

    async def reconcile(self) -> None:
        """Finish what a crash has interrupted: rows without their key go, keys without rows too."""
        counts: Counter[str] = Counter()
        async with self._database.transaction() as session:
            rooms = set((await session.exec(select(RoomRow.id))).all())
            visitors = set((await session.exec(select(VisitorRow.id))).all())
            for id in rooms:
                if self._keys.get(room_key(id)) is None:
                    gone = await session.exec(delete(MessageRow).where(_in_room(id)))
                    ended = await session.exec(delete(RoomRow).where(col(RoomRow.id) == id))
                    counts.update(messages=gone.rowcount, rooms=ended.rowcount)
            for id in visitors:
                if self._keys.get(visitor_key(id)) is None:
                    gone = await session.exec(delete(MessageRow).where(_by(id)))
                    left = await session.exec(delete(VisitorRow).where(col(VisitorRow.id) == id))
                    counts.update(messages=gone.rowcount, visitors=left.rowcount)
            if counts:
                await note_gone(session, **counts)
        owned = {room_key(id) for id in rooms} | {visitor_key(id) for id in visitors}
        await self._keys.destroy(
            name
            for name in self._keys.names()
            if name.startswith(("room ", "visitor ")) and name not in owned
        )

    async def _destroy_keys(self, now: datetime) -> tuple[Sequence[str], Sequence[str]]:
        """Destroy the keys of rooms and visitors that have expired, and return their ids.

        This writes no rows, for a full disk would refuse them. It is a transaction nevertheless, so
        that nothing is given a longer life in the moment in which it ends.
        """
        ended = select(RoomRow.id).where(col(RoomRow.expires_at) <= now)
        expired = select(VisitorRow.id).where(col(VisitorRow.expires_at) <= now)
        async with self._database.transaction() as session:
            # What is locked is being given a longer life, or is ended by another node.
            rooms = (await session.exec(ended.with_for_update(skip_locked=True))).all()
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

    async def _seal_anew(self, moment: datetime) -> None:
        begin, end = span_bounds(moment)
        place = tuple_(col(MessageRow.expires_at), col(MessageRow.id))
        after = begin, ""
        while True:
            query = select(MessageRow).where(place > after, col(MessageRow.expires_at) < end)
            query = query.order_by(col(MessageRow.expires_at), col(MessageRow.id))
            async with self._database.transaction() as session:
                batch = (await session.exec(query.limit(_SEALED_AT_ONCE))).all()
                for row in batch:
                    self._vault.seal_anew(row)
            if not batch:
                return
            after = batch[-1].expires_at, batch[-1].id


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

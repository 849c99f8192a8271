"""What can be seen of all rooms from outside, held in memory: names are readable nowhere else."""

import asyncio
import heapq
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import col, select

from models import MessageRow, RoomRow

from ..bus import Bus
from ..clock import Clock
from ..database import Database
from ..errors import Unavailable
from ..events import (
    Event,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesGone,
    NewsMissed,
    PresenceChanged,
    RoomEnded,
    RoomOpened,
    RoomsStirred,
)
from ..nouns import Glance, Room
from ..pauses import pausing
from ..text import fold, fold_words
from ..vault import Vault

Place = tuple[float, float, str]
"""Where a public room stands among the others: the busiest first, then the liveliest."""

_ORDER_LIFE = timedelta(seconds=1)
_OPENED_AT_ONCE = 100


class Lobby:
    """The public list of rooms, its search, and a glance at any one room."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        vault: Vault,
        find_room: Callable[[str], Awaitable[Room]],
    ) -> None:
        self._find_room = find_room
        self._database = database
        self._bus = bus
        self._clock = clock
        self._vault = vault
        self._rooms: dict[str, Room] = {}
        self._names: dict[str, str] = {}
        self._slugs: dict[str, str] = {}
        self._here: dict[str, set[str]] = {}
        self._oldest: dict[str, tuple[int, datetime | None]] = {}
        self._stale: set[str] = set()
        self._must_reopen = False
        self._places: list[Place] = []
        self._order: tuple[str, ...] = ()
        self._ordered_at: datetime | None = None
        bus.subscribe(self._on_event)

    async def open(self) -> None:
        """Read all living rooms."""
        for row in await self._read_living():
            if room := self._vault.open_room(row):
                self._put(room)

    async def _reopen(self) -> None:
        """Read all living rooms again, for something may have been missed."""
        known = dict(self._rooms)
        rows = await self._read_living()
        await self._vault.learn_rooms(row.id for row in rows)
        for number, row in enumerate(rows, 1):
            if number % _OPENED_AT_ONCE == 0:
                await asyncio.sleep(0)
            room = self._vault.open_room(row)
            if room and room.id in known:
                self._put(room)
                self._stale.add(room.id)
            elif room:
                await self._bus.tell(RoomOpened(room))
        for room_id in known.keys() - {row.id for row in rows}:
            if self._rooms.get(room_id) is known[room_id]:  # else it has changed since
                await self._bus.tell(RoomEnded(room_id))
        self._must_reopen = False

    def glance(self, room_id: str) -> Glance | None:
        """Return what is known of a living room without asking the database."""
        room = self._rooms.get(room_id)
        if room is None or room.expires_at <= self._clock():
            return None
        first_seq, next_expiry = self._oldest.get(room_id, (room.last_seq + 1, None))
        return Glance(room, len(self._here.get(room_id, ())), first_seq, next_expiry)

    async def find(self, slug: str) -> Room:
        """Return the room at that address, in whatever case.

        Raises `NotFound` if there is none, or no more.
        """
        slug = slug.lower()
        if glance := self.glance(self._slugs.get(slug, "")):
            return glance.room
        room = await self._find_room(slug)  # another node may have made it a moment ago
        await self._bus.tell(RoomOpened(room))
        return room

    async def glance_all(self, room_ids: Iterable[str]) -> list[Glance]:
        """Return a glance at each of these rooms, with their oldest messages looked up."""
        room_ids = list(room_ids)
        await self._look_up_oldest(
            [id for id in room_ids if id in self._rooms and id not in self._oldest]
        )
        return [glance for id in room_ids if (glance := self.glance(id))]

    async def search(self, words: str, *, limit: int) -> list[Glance]:
        """Return public rooms whose name contains the words, the best match first.

        It pauses on the way: of many rooms all may match.
        """
        wanted = fold_words(words)
        if not wanted:
            return []
        matching = [(id, name) for id, name in self._names.items() if wanted in name]
        found = [
            (self._rank(id, name, wanted), id)
            async for id, name in pausing(matching)
            if id in self._rooms  # else it has ended on the way
        ]
        best = heapq.nsmallest(limit, found)
        return [glance for _, id in best if (glance := self.glance(id))]

    def order(self) -> tuple[str, ...]:
        """Return the ids of all public rooms, busiest first: a snapshot to page through."""
        self._put_in_order()
        return self._order

    def browse(
        self, *, after: Place | None = None, limit: int
    ) -> tuple[list[Glance], Place | None]:
        """Return public rooms, busiest first, and the place to go on after if there are more.

        Rooms move while one goes through them; one that keeps its place is met exactly once.
        """
        self._put_in_order()
        start = bisect_right(self._places, after) if after else 0
        end = start + limit
        page = [glance for *_, id in self._places[start:end] if (glance := self.glance(id))]
        return page, self._places[end - 1] if end < len(self._places) else None

    def count(self) -> tuple[int, int]:
        """Return how many people are in public rooms, and how many public rooms there are."""
        people = sum(len(here) for id, here in self._here.items() if id in self._names)
        return people, len(self._names)

    async def turn(self) -> set[str]:
        """Let time pass: end the rooms whose time is over, and return the rooms that changed."""
        with self._database.precedence():
            return await self._turn()

    async def _turn(self) -> set[str]:
        if self._must_reopen:
            await self._reopen()
        now = self._clock()
        for id in await self._confirm_ended(
            [room.id for room in self._rooms.values() if room.expires_at <= now]
        ):
            await self._bus.tell(RoomEnded(id))  # the other nodes have clocks too
        due = {id for id, (_, moment) in self._oldest.items() if moment and moment <= now}
        changed = due | (self._stale & self._oldest.keys())
        self._stale.clear()
        await self._look_up_oldest(list(changed))
        return changed

    async def _on_event(self, event: Event) -> None:
        match event:
            case RoomOpened(room):
                self._put(room)
                if not room.last_seq:
                    self._oldest.setdefault(room.id, (1, None))
                self._ordered_at = None
            case MemberJoined(room, _):
                self._put(room)
            case MessagePosted(room, message):
                self._put(room)
                if self._oldest.get(room.id, (0, message.expires_at))[1] is None:
                    self._oldest[room.id] = message.seq, message.expires_at
            case MessagesGone(room_id, _):
                self._stale.add(room_id)
            case RoomsStirred(rooms, gone):
                for room in rooms:
                    if known := self._rooms.get(room.id):  # else it is read when it is heard of
                        self._put(_with_names_of(known, room))
                self._stale.update(room.id for room in rooms)
                self._stale.update(gone)
            case NewsMissed():
                self._must_reopen = True
                with suppress(Unavailable):  # the next turn tries again
                    await self._reopen()
            case PresenceChanged(member, True):
                self._here.setdefault(member.room_id, set()).add(member.author)
            case PresenceChanged(member, False):
                self._forget_presence(member.room_id, member.author)
            case MemberLeft(room_id, _, author):
                self._forget_presence(room_id, author)
            case RoomEnded(room_id):
                ended = self._rooms.get(room_id)
                if ended and self._slugs.get(ended.slug) == room_id:  # else another bears it by now
                    del self._slugs[ended.slug]
                for memory in (self._rooms, self._names, self._here, self._oldest):
                    memory.pop(room_id, None)
                self._ordered_at = None

    async def _read_living(self) -> Sequence[RoomRow]:
        query = select(RoomRow).where(col(RoomRow.expires_at) > self._clock())
        with self._database.precedence():
            async with self._database.reading() as session:
                return (await session.exec(query)).all()

    def _put(self, room: Room) -> None:
        if not self._vault.knows_room(room.id):  # burnt, and word of it was quicker than this
            return
        known = self._rooms.get(room.id)
        if known and known.last_seq > room.last_seq:  # events of two services may cross
            room = replace(
                known,
                expires_at=max(known.expires_at, room.expires_at),
                was_entered=known.was_entered or room.was_entered,
            )
        self._rooms[room.id] = room
        self._slugs[room.slug] = room.id
        if room.listed:
            self._names[room.id] = fold(room.name)

    def _forget_presence(self, room_id: str, author: str) -> None:
        here = self._here.get(room_id, set())
        here.discard(author)
        if not here:
            self._here.pop(room_id, None)

    async def _confirm_ended(self, room_ids: list[str]) -> list[str]:
        """Return those of the rooms that nobody has given a longer life in the last moment.

        This is a transaction which locks the rooms, so that a post which has found its room alive
        is stored before.
        """
        if not room_ids:
            return []
        query = select(RoomRow).where(col(RoomRow.id).in_(room_ids)).order_by(col(RoomRow.id))
        async with self._database.transaction() as session:
            rows = (await session.exec(query.with_for_update(read=True))).all()
        now = self._clock()
        living = [row for row in rows if row.expires_at > now]
        rooms = {row.id: room for row in living if (room := self._vault.open_room(row))}
        for room in rooms.values():
            self._put(room)
        return [id for id in room_ids if id not in rooms]

    async def _look_up_oldest(self, room_ids: list[str]) -> None:
        if not room_ids:
            return
        last_seqs = {id: self._rooms[id].last_seq for id in room_ids if id in self._rooms}
        oldest = (
            select(MessageRow.id)
            .where(MessageRow.room_id == RoomRow.id, col(MessageRow.expires_at) > self._clock())
            .order_by(col(MessageRow.expires_at), col(MessageRow.seq))
            .limit(1)  # by an index: a room may hold a hundred thousand
            .correlate(RoomRow)
            .scalar_subquery()
        )
        query = (
            select(MessageRow.room_id, MessageRow.seq, MessageRow.expires_at)
            .select_from(RoomRow)
            .join(MessageRow, col(MessageRow.id) == oldest)
            .where(col(RoomRow.id).in_(room_ids))
        )
        async with self._database.reading() as session:
            found = {id: (seq, moment) for id, seq, moment in await session.exec(query)}
        for id, last_seq in last_seqs.items():
            room = self._rooms.get(id)
            if room and (id in found or room.last_seq == last_seq):
                self._oldest[id] = found.get(id, (last_seq + 1, None))
            elif room:  # somebody spoke while we looked
                self._stale.add(id)

    def _put_in_order(self) -> None:
        now = self._clock()
        if self._ordered_at is None or not now - self._ordered_at < _ORDER_LIFE:
            self._places = sorted((*self._liveliness(id), id) for id in self._names)
            self._order = tuple(id for *_, id in self._places)
            self._ordered_at = now

    def _liveliness(self, room_id: str) -> tuple[int, float]:
        here = len(self._here.get(room_id, ()))
        return -here, -self._rooms[room_id].active_at.timestamp()

    def _rank(self, room_id: str, name: str, wanted: str) -> tuple[bool, bool, int, int, float]:
        here, active = self._liveliness(room_id)
        return name != wanted, not name.startswith(wanted), here, len(name), active


def _with_names_of(known: Room, room: Room) -> Room:
    return replace(room, name=known.name, topic=known.topic, slug=known.slug)

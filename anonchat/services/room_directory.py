"""An in-memory directory of all rooms, because the database holds their names encrypted only."""

import heapq
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import col, select

from models import RoomRow

from ..bus import Bus
from ..entities import Room, RoomSummary
from ..errors import Unavailable
from ..events import (
    Event,
    EventsLost,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesDeleted,
    PresenceChanged,
    RoomActivity,
    RoomChanged,
    RoomEnded,
    RoomOpened,
)
from ..runtime.clock import Clock
from ..runtime.cooperative import iterate_cooperatively
from ..security.row_cipher import RowCipher
from ..storage.database import Database
from ..storage.oldest_messages import OldestMessages
from ..text.normalization import fold_case, fold_query

RoomCursor = tuple[float, float, str]
"""Sort key of a public room: most members present first, then most recently active."""

_ORDER_TTL = timedelta(seconds=1)


class RoomDirectory:
    """Lists and searches public rooms, and gives a summary of any room."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        cipher: RowCipher,
        find_room: Callable[[str], Awaitable[Room]],
    ) -> None:
        self._find_room = find_room
        self._database = database
        self._bus = bus
        self._clock = clock
        self._cipher = cipher
        self._rooms: dict[str, Room] = {}
        self._names: dict[str, str] = {}  # of public rooms, without case, by id
        self._slugs: dict[str, str] = {}  # room ids by slug
        self._present: dict[str, set[str]] = {}  # pseudonyms by room id
        self._oldest = OldestMessages(self._rooms, database=database, clock=clock)
        self._newest: dict[str, tuple[int, datetime]] = {}  # `seq` and expiry by room id
        self._must_reload = False
        self._places: list[RoomCursor] = []
        self._order: tuple[str, ...] = ()
        self._ordered_at: datetime | None = None
        bus.subscribe(self._on_event)

    async def open(self) -> None:
        """Load all live rooms."""
        for row in await self._read_live():
            if room := self._cipher.decrypt_room(row):
                self._put(room)

    async def _reload(self) -> None:
        """Load all live rooms again after events were lost; publish the missed ones locally."""
        known = dict(self._rooms)
        rows = await self._read_live()
        await self._cipher.fetch_room_keys(rows)
        async for row in iterate_cooperatively(rows):
            room = self._cipher.decrypt_room(row)
            if room and room.id in known:
                self._put(room)
                self._oldest.mark_stale([room.id])
            elif room:
                await self._bus.publish_local(RoomOpened(room))
        for room_id in known.keys() - {row.id for row in rows}:
            if self._rooms.get(room_id) is known[room_id]:  # else it changed meanwhile
                await self._bus.publish_local(RoomEnded(room_id))
        self._must_reload = False

    def summary(self, room_id: str) -> RoomSummary | None:
        """Return the summary of a live room from memory, or `None`."""
        room = self._rooms.get(room_id)
        if room is None or room.expires_at <= self._clock():
            return None
        first_seq, next_expiry = self._oldest.get(room)
        here = len(self._present.get(room_id, ()))
        seq, last_expiry = self._newest.get(room_id, (0, None))
        if seq != room.last_seq:  # newer ones were missed
            last_expiry = None
        return RoomSummary(room, here, first_seq, next_expiry, last_expiry)

    async def find(self, slug: str) -> Room:
        """Return the room with that slug, ignoring case.

        Raises `NotFound` if there is no live room with it.
        """
        slug = slug.lower()
        if summary := self.summary(self._slugs.get(slug, "")):
            return summary.room
        room = await self._find_room(slug)  # another node may have just created it
        await self._bus.publish_local(RoomOpened(room))
        return room

    def get_listed(self, slug: str) -> Room | None:
        """Return the listed room with that slug, or `None` if this node knows none."""
        summary = self.summary(self._slugs.get(slug.lower(), ""))
        return summary.room if summary and summary.room.listed else None

    async def summaries(self, room_ids: Iterable[str]) -> list[RoomSummary]:
        """Return summaries of these rooms, after reading their oldest messages where unknown."""
        room_ids = list(room_ids)
        await self._oldest.read_unknown(room_ids)
        return [summary for id in room_ids if (summary := self.summary(id))]

    async def search(self, words: str, *, limit: int) -> list[RoomSummary]:
        """Return public rooms whose name contains the words, the best match first.

        It yields to the event loop, because many rooms may match.
        """
        query = fold_query(words)
        if not query:
            return []
        matching = [(id, name) for id, name in self._names.items() if query in name]
        found = [
            (self._rank(id, name, query), id)
            async for id, name in iterate_cooperatively(matching)
            if id in self._rooms  # else it ended meanwhile
        ]
        best = heapq.nsmallest(limit, found)
        return self._list_public(id for _, id in best)

    def list_all(self) -> list[Room]:
        """Return all live rooms, also those that are not public."""
        now = self._clock()
        return [room for room in self._rooms.values() if room.expires_at > now]

    def list_ids(self) -> tuple[str, ...]:
        """Return the ids of all public rooms, busiest first: a snapshot for pagination."""
        self._update_order()
        return self._order

    def browse(
        self, *, after: RoomCursor | None = None, limit: int
    ) -> tuple[list[RoomSummary], RoomCursor | None]:
        """Return a page of public rooms, busiest first, and the cursor of the next page, if any.

        The order may change between pages; a room that keeps its place appears exactly once.
        """
        self._update_order()
        start = bisect_right(self._places, after) if after else 0
        end = start + limit
        page = self._list_public(id for *_, id in self._places[start:end])
        return page, self._places[end - 1] if end < len(self._places) else None

    def _list_public(self, room_ids: Iterable[str]) -> list[RoomSummary]:
        """Return summaries of those rooms that are still listed."""
        found = map(self.summary, room_ids)
        return [summary for summary in found if summary and summary.room.listed]

    def count(self) -> tuple[int, int]:
        """Return how many people are present in public rooms, and the number of public rooms."""
        people = sum(len(present) for id, present in self._present.items() if id in self._names)
        return people, len(self._names)

    async def tick(self) -> set[str]:
        """End expired rooms, and return the ids of rooms whose oldest message changed."""
        with self._database.priority():
            if self._must_reload:
                await self._reload()
            now = self._clock()
            expired_rooms = [room.id for room in self._rooms.values() if room.expires_at <= now]
            for id in await self._confirm_ended(expired_rooms):
                await self._bus.publish_local(RoomEnded(id))  # other nodes detect it themselves
            return await self._oldest.refresh()

    async def _on_event(self, event: Event) -> None:
        match event:
            case RoomOpened(room):
                self._put(room)
                self._oldest.add_room(room)
                self._ordered_at = None
            case MemberJoined(room, _) | RoomChanged(room):
                self._put(room)
            case MessagePosted(room, message):
                self._put(room)
                self._oldest.add_message(message)
                self._newest[room.id] = message.seq, message.expires_at
            case MessagesDeleted(room_id, _):
                self._oldest.mark_stale([room_id])
            case RoomActivity(rooms, deleted):
                for room in rooms:
                    own = self._rooms.get(room.id)  # without it, the room is loaded on first use
                    if own and room.revision >= own.revision:
                        self._put(_with_settings_of(own, room))
                self._oldest.mark_stale([*(room.id for room in rooms), *deleted])
            case EventsLost():
                self._must_reload = True
                with suppress(Unavailable):  # the next tick retries
                    await self._reload()
            case PresenceChanged(member, True):
                self._present.setdefault(member.room_id, set()).add(member.author)
            case PresenceChanged(member, False):
                self._remove_present(member.room_id, member.author)
            case MemberLeft(room_id, _, author):
                self._remove_present(room_id, author)
            case RoomEnded(room_id):
                ended = self._rooms.get(room_id)
                if ended and self._slugs.get(ended.slug) == room_id:  # else another room has it now
                    del self._slugs[ended.slug]
                for by_room in (self._rooms, self._names, self._present, self._newest):
                    by_room.pop(room_id, None)
                self._oldest.remove_room(room_id)
                self._ordered_at = None

    async def _read_live(self) -> Sequence[RoomRow]:
        query = select(RoomRow).where(col(RoomRow.expires_at) > self._clock())
        with self._database.priority():
            async with self._database.read_session() as session:
                return (await session.exec(query)).all()

    def _put(self, room: Room) -> None:
        if not self._cipher.has_room_key(room.id):  # burnt meanwhile, and that event came first
            return
        if known := self._rooms.get(room.id):
            room = _merge(known, room)
        self._rooms[room.id] = room
        self._slugs[room.slug] = room.id
        if room.listed != (room.id in self._names):
            self._ordered_at = None
        if room.listed:
            self._names[room.id] = fold_case(room.name)
        else:
            self._names.pop(room.id, None)

    def _remove_present(self, room_id: str, author: str) -> None:
        present = self._present.get(room_id, set())
        present.discard(author)
        if not present:
            self._present.pop(room_id, None)

    async def _confirm_ended(self, room_ids: list[str]) -> list[str]:
        """Return the rooms that have really expired; rooms extended meanwhile are updated.

        The transaction locks the rooms, so that posts in progress in a live room are stored first.
        """
        if not room_ids:
            return []
        query = select(RoomRow).where(col(RoomRow.id).in_(room_ids)).order_by(col(RoomRow.id))
        async with self._database.transaction() as session:
            rows = (await session.exec(query.with_for_update(read=True))).all()
        now = self._clock()
        live = [row for row in rows if row.expires_at > now]
        rooms = {row.id: room for row in live if (room := self._cipher.decrypt_room(row))}
        for room in rooms.values():
            self._put(room)
        return [id for id in room_ids if id not in rooms]

    def _update_order(self) -> None:
        now = self._clock()
        if self._ordered_at is None or not now - self._ordered_at < _ORDER_TTL:
            self._places = sorted((*self._activity_key(id), id) for id in self._names)
            self._order = tuple(id for *_, id in self._places)
            self._ordered_at = now

    def _activity_key(self, room_id: str) -> tuple[int, float]:
        present = len(self._present.get(room_id, ()))
        return -present, -self._rooms[room_id].active_at.timestamp()

    def _rank(self, room_id: str, name: str, query: str) -> tuple[bool, bool, int, int, float]:
        present, active = self._activity_key(room_id)
        return name != query, not name.startswith(query), present, len(name), active


def _merge(known: Room, room: Room) -> Room:
    """Return the newer state of a room; events may arrive out of order."""
    if room.revision < known.revision:
        return known
    if room.last_seq >= known.last_seq:
        return room
    return replace(
        room if room.revision > known.revision else known,
        last_seq=known.last_seq,
        active_at=max(known.active_at, room.active_at),
        expires_at=max(known.expires_at, room.expires_at),
        was_entered=known.was_entered or room.was_entered,
    )


def _with_settings_of(known: Room, room: Room) -> Room:
    """Return a room that came without texts with what the owner has set, as far as it is known."""
    return replace(
        room,
        name=known.name,
        topic=known.topic,
        slug=known.slug,
        owner=known.owner,
        listed=known.listed,
        rules=known.rules,
        message_ttl=known.message_ttl,
        room_ttl=known.room_ttl,
        revision=known.revision,
    )

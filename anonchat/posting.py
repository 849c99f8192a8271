"""The desk where posts wait for the next commit: those that come while one is made share the next.

The statements are SQLAlchemy Core's and built once: an object for every row read and written, as an
ORM session has it, took longer than to encrypt, to write and to commit together.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, null, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import SQLModel

from .bus import Bus
from .clock import Clock
from .coarse_time import minute_after
from .database import Clash, Cut, Database
from .errors import (
    N_,
    ChatError,
    MessageExpired,
    NotAMember,
    NotFound,
    TooOften,
    Unavailable,
)
from .events import MessagePosted
from .ids import new_id
from .keystore import span_of
from .lifetimes import room_lifetime
from .limits import Limits
from .network_shares import NetworkShares
from .nouns import Message, Room, Visitor
from .post_queue import PostQueue
from .room_post_shares import RoomPostShares
from .settings import Settings
from .vault import Vault

_BATCH = 200
_COMPANY = 20
_REST_SECONDS = 0.005
_PATIENCE_SECONDS = 10
_FAREWELL_SECONDS = 4  # a node that leaves has ten for everything
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)  # seconds; the last one again and again

_LATER = N_("That could not be kept just now. Please try again.")

_tables = SQLModel.metadata.tables
_room, _member = _tables["room"], _tables["member"]
_visitor, _message = _tables["visitor"], _tables["message"]
_tombstone, _span = _tables["tombstone"], _tables["span"]

# Whoever holds the rooms holds their numbers: nobody else posts, joins or leaves meanwhile.
_ROOMS = (
    select(_room)
    .where(_room.c.id.in_(bindparam("rooms", expanding=True)))
    .order_by(_room.c.id)
    .with_for_update(key_share=True)
)
_AUTHORS = (
    select(
        _member.c.room_id,
        _member.c.author,
        _member.c.read_seq,
        _member.c.has_posted.label("has_posted_here"),
        _visitor,
    )
    .join_from(_member, _visitor, _visitor.c.id == _member.c.visitor_id)
    .where(
        _member.c.room_id.in_(bindparam("rooms", expanding=True)),
        _member.c.visitor_id.in_(bindparam("visitors", expanding=True)),
    )
    .order_by(_visitor.c.id)
    .with_for_update(of=_visitor, read=True, key_share=True)  # nobody is forgotten meanwhile
)
_SAME: BindParameter[bytes] = bindparam("keys", expanding=True)
_KNOWN = union_all(
    select(_message).where(_message.c.dedup_key.in_(_SAME)),
    select(*(_tombstone.c.get(name, null()) for name in _message.columns.keys())).where(
        _tombstone.c.dedup_key.in_(_SAME)
    ),
)
_GENERATIONS = select(_span.c.number, _span.c.generation).where(
    _span.c.number.in_(bindparam("numbers", expanding=True))
)
_ADD = insert(_message)
_LIVE_ON = (
    update(_room)
    .where(_room.c.id == bindparam("room"))
    .values({name: bindparam(f"new_{name}") for name in ("last_seq", "active_at", "expires_at")})
)
_READ_ON = (
    update(_member)
    .where(_member.c.room_id == bindparam("room"), _member.c.visitor_id == bindparam("visitor"))
    .values(read_seq=bindparam("seq"))
)
_HAS_POSTED_HERE = (
    update(_member)
    .where(_member.c.room_id == bindparam("room"), _member.c.visitor_id == bindparam("visitor"))
    .values(has_posted=True)
)
_STAY_ON = (
    update(_visitor)
    .where(_visitor.c.id == bindparam("visitor"))
    .values(expires_at=bindparam("moment"), has_posted=True)
)


@dataclass(slots=True)
class Draft:
    """A text on its way to become a message; `dedup_key` is shared with no message but its own."""

    room_id: str
    visitor_id: str
    text: str
    dedup_id: str
    dedup_key: bytes
    is_counted: bool = False
    tried: set[str] = field(default_factory=set)  # ids of messages that may have been stored
    stored: asyncio.Future[Message] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def accept(self, message: Message) -> None:
        """Tell whoever waits what it became."""
        if not self.stored.done():
            self.stored.set_result(message)

    def refuse(self, error: Exception) -> None:
        """Tell whoever waits why it became none."""
        if not self.stored.done():
            self.stored.set_exception(error)

    def give_up(self) -> None:
        """Tell whoever waits that it has taken too long."""
        self.refuse(Unavailable(_LATER))

    @property
    def is_open(self) -> bool:
        """Whether somebody waits, or it may have been stored and nobody has heard of it."""
        return bool(self.tried) or not self.stored.done()


@dataclass(slots=True)
class _Author:
    visitor: Visitor
    pseudonym: str
    read_seq: int
    has_posted_here: bool
    has_read_on: bool = False


@dataclass(slots=True)
class _Sheet:
    """One commit: what it needs to know, read at once, and what it will write."""

    now: datetime
    generations: dict[int, int]
    rooms: dict[str, Room] = field(default_factory=dict)
    authors: dict[tuple[str, str], _Author] = field(default_factory=dict)
    known: dict[bytes, Message | None] = field(default_factory=dict)
    strange: set[str | bytes] = field(default_factory=set)  # what only another node could open
    fresh: list[tuple[Draft, Message]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


class Desk:
    """Stores what is posted, up to 200 drafts in one commit, and tells everybody after it."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        shares: NetworkShares,
        vault: Vault,
        keep: Callable[[str, Message], None],
    ) -> None:
        """`keep` is told of each new message, and of the visitor who wrote it, before the bus."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._room_shares = RoomPostShares(limits, settings.posts_per_room)
        self._vault = vault
        self._keep = keep
        self._waiting: PostQueue[Draft] = PostQueue(settings.waiting_posts_max, shares)
        self._writer: asyncio.Task[None] | None = None

    async def store(self, draft: Draft) -> Message:
        """Return the message as soon as it is stored.

        Raises `MessageExpired`, `NotAMember`, `NotFound`, `TooOften`, `LimitReached` or
        `Unavailable`.
        """
        self._waiting.add(draft)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        refuse = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, draft.give_up)
        draft.stored.add_done_callback(lambda _: refuse.cancel())
        return await asyncio.shield(draft.stored)  # who went away has posted nevertheless

    async def finish(self) -> None:
        """Wait until everything that was accepted for posting is stored; refuse what takes long."""
        if self._writer:
            await asyncio.wait([self._writer], timeout=_FAREWELL_SECONDS)
            self._writer.cancel()
            await asyncio.wait([self._writer], timeout=_FAREWELL_SECONDS)
            for draft in self._waiting:
                draft.give_up()

    async def _write_waiting(self) -> None:
        """Store what waits; again and again while the server is away.

        Nothing is doubled: what was stored after all is found by its `dedup_key`.
        """
        failed = 0
        while self._waiting:
            drafts = self._waiting.choose(_BATCH)
            try:
                posted = await self._commit(drafts)
            except Unavailable as error:
                if not isinstance(error, Clash | Cut):  # to wait would be of no use
                    for draft in drafts:
                        draft.refuse(error)
                self._waiting.remove_unless(lambda draft: draft.is_open)
                await asyncio.sleep(_PAUSES[min(failed, len(_PAUSES) - 1)])
                failed += 1
                continue
            except Exception as error:  # whoever waits for the answer must get one
                posted = []
                for draft in drafts:
                    draft.refuse(error)
            failed = 0
            self._waiting.remove(drafts)
            for event in posted:
                await self._bus.publish(event)
            if len(drafts) < _COMPANY:  # a commit costs the same for many
                await asyncio.sleep(_REST_SECONDS)

    async def _commit(self, drafts: list[Draft]) -> list[MessagePosted]:
        """Store the drafts together; one that has to be refused does not hold the others."""
        drafts = [draft for draft in drafts if draft.is_open]
        async with self._database.bare_transaction() as connection:
            sheet = await self._lay_out(connection, drafts)
            for draft in drafts:
                known = sheet.known.get(draft.dedup_key)
                if known and known.id in draft.tried:
                    sheet.fresh.append((draft, known))  # stored, though nobody has heard of it
                elif not draft.stored.done():
                    try:
                        # Before a duplicate is answered: a former member must not be told it.
                        room, author = self._find_author(draft, sheet)
                        if draft.dedup_key not in sheet.known:
                            self._place(draft, sheet, room, author)
                    except ChatError as refusal:
                        draft.refuse(refusal)
            if sheet.rows:
                await self._write(connection, sheet)
        return self._report(drafts, sheet)

    async def _lay_out(self, connection: AsyncConnection, drafts: list[Draft]) -> _Sheet:
        wanted = {
            "rooms": list({draft.room_id for draft in drafts}),
            "visitors": list({draft.visitor_id for draft in drafts}),
            "keys": [draft.dedup_key for draft in drafts],
        }
        rooms: Sequence[Any] = (await connection.execute(_ROOMS, wanted)).all()
        authors: Iterable[Any] = await connection.execute(_AUTHORS, wanted)
        known: Sequence[Any] = (await connection.execute(_KNOWN, wanted)).all()
        await self._vault.learn_rooms(draft.room_id for draft in drafts)
        await self._vault.learn_visitors(draft.visitor_id for draft in drafts)
        kept = [row for row in known if row.sealed]  # of what was deleted there is the tombstone
        said = await self._vault.open_messages(kept)
        now = self._clock()
        spans = {span_of(now + timedelta(seconds=row.message_ttl)) for row in rooms}
        sheet = _Sheet(now, await self._agree(connection, spans))
        await self._vault.prepare_spans(sheet.generations)
        # From here until all is sealed there is no pause, so that no key is destroyed in between.
        for row in rooms:
            if room := self._vault.open_room(row):
                sheet.rooms[room.id] = room
            elif self._vault.is_room_strange(row.id):
                sheet.strange.add(row.id)
        for row in authors:
            if visitor := self._vault.open_visitor(row):
                sheet.authors[row.room_id, row.id] = _Author(
                    visitor, row.author, row.read_seq, row.has_posted_here
                )
            elif self._vault.is_visitor_strange(row.id):
                sheet.strange.add(row.id)
        sheet.known = dict.fromkeys(row.dedup_key for row in known)
        for row, message in zip(kept, said, strict=True):
            sheet.known[row.dedup_key] = message
            if message is None and not self._vault.is_lost(row):
                sheet.strange.add(row.dedup_key)
        return sheet

    async def _agree(self, connection: AsyncConnection, spans: set[int]) -> dict[int, int]:
        """Return with which generation of keys each span is sealed until this is committed."""
        await self._database.share_spans(connection, spans)
        found = await connection.execute(_GENERATIONS, {"numbers": list(spans)})
        renewed: dict[int, int] = {row.number: row.generation for row in found}
        return {number: renewed.get(number, 0) for number in spans}

    def _find_author(self, draft: Draft, sheet: _Sheet) -> tuple[Room, _Author]:
        """Return the room of a draft and its author as a member of it.

        Raises `NotFound`, `NotAMember`, or `Unavailable` if only another node could tell.
        """
        if not sheet.strange.isdisjoint((draft.room_id, draft.visitor_id)):
            raise Unavailable(_LATER)
        room = sheet.rooms.get(draft.room_id)
        if room is None or room.expires_at <= sheet.now:
            raise NotFound(N_("There is no such room, or it has ended."))
        author = sheet.authors.get((draft.room_id, draft.visitor_id))
        if author is None or author.visitor.expires_at <= sheet.now:  # forgotten a moment ago
            raise NotAMember(N_("Only members can do that. Join the room first."))
        return room, author

    def _place(self, draft: Draft, sheet: _Sheet, room: Room, author: _Author) -> None:
        """Give the draft its place in the room, and the room and the author longer lives."""
        now = sheet.now
        # Here, for strangers must not use up the room's, and to be asked again costs nothing.
        if not draft.is_counted:
            self._limits.posts.spend(draft.visitor_id)
            try:
                self._room_shares.spend(room.id, draft.visitor_id)
            except TooOften:
                self._limits.posts.give_back(draft.visitor_id, 1)
                raise
            draft.is_counted = True
        message = Message(
            id=new_id(),
            room_id=room.id,
            seq=room.last_seq + 1,
            author=author.pseudonym,
            nickname=author.visitor.nickname,
            badge=author.visitor.badge,
            text=draft.text,
            dedup_id=draft.dedup_id,
            posted_at=now,
            expires_at=now + room.message_ttl,
        )
        sheet.rows.append(
            {
                "id": message.id,
                "room_id": message.room_id,
                "visitor_id": draft.visitor_id,
                "seq": message.seq,
                "author": message.author,
                "dedup_key": draft.dedup_key,
                "sealed": self._vault.seal_message(
                    message,
                    draft.visitor_id,
                    generation=sheet.generations[span_of(message.expires_at)],
                ),
                "posted_at": message.posted_at,
                "expires_at": message.expires_at,
            }
        )
        draft.tried.add(message.id)
        sheet.fresh.append((draft, message))
        sheet.known[draft.dedup_key] = message
        if author.read_seq == room.last_seq:  # who has read all has read their own words too
            author.read_seq, author.has_read_on = message.seq, True
        sheet.rooms[room.id] = replace(
            room,
            last_seq=message.seq,
            active_at=now,
            expires_at=max(room.expires_at, message.expires_at, now + self._lifetime(room)),
        )

    def _lifetime(self, room: Room) -> timedelta:
        return room_lifetime(self._settings, room.room_ttl, was_entered=room.was_entered)

    async def _write(self, connection: AsyncConnection, sheet: _Sheet) -> None:
        rooms = [sheet.rooms[room_id] for room_id in {row["room_id"] for row in sheet.rows}]
        await connection.execute(_ADD, sheet.rows)
        await connection.execute(
            _LIVE_ON,
            [
                {
                    "room": room.id,
                    "new_last_seq": room.last_seq,
                    "new_active_at": room.active_at,
                    "new_expires_at": room.expires_at,
                }
                for room in rooms
            ],
        )
        readers = [
            {"room": room_id, "visitor": visitor_id, "seq": author.read_seq}
            for (room_id, visitor_id), author in sorted(sheet.authors.items(), key=itemgetter(0))
            if author.has_read_on
        ]
        if readers:
            await connection.execute(_READ_ON, readers)
        if beginners := _list_beginners(sheet):
            await connection.execute(_HAS_POSTED_HERE, beginners)
        if stayers := self._list_stayers(sheet):
            await connection.execute(_STAY_ON, stayers)

    def _list_stayers(self, sheet: _Sheet) -> list[dict[str, Any]]:
        """Whose lives are to be longer: no shorter than their messages', and not at every word.

        Whoever posts for the first time is among them.
        """
        life = self._settings.visitor_ttl
        stayers: dict[str, datetime] = {}
        for draft, message in sheet.fresh:
            author = sheet.authors.get((draft.room_id, draft.visitor_id))
            if author is None:  # they have left since it was stored
                continue
            visitor = author.visitor
            least = stayers.get(visitor.id, visitor.expires_at)
            is_first = not visitor.has_posted and visitor.id not in stayers
            if is_first or least < max(message.expires_at, sheet.now + 0.9 * life):
                end = max(least, message.expires_at, sheet.now + life)
                stayers[visitor.id] = minute_after(end)
        return [{"visitor": id, "moment": moment} for id, moment in sorted(stayers.items())]

    def _report(self, drafts: list[Draft], sheet: _Sheet) -> list[MessagePosted]:
        """Answer everybody who waits, and return what is new to the others."""
        for draft in drafts:
            message = sheet.known.get(draft.dedup_key)
            if message and self._lives(message, draft.visitor_id):
                draft.accept(message)
            elif draft.dedup_key in sheet.strange:
                draft.refuse(Unavailable(_LATER))
            else:
                draft.refuse(MessageExpired(N_("That message has come to its end already.")))
        events = []
        for draft, message in sheet.fresh:
            room = sheet.rooms.get(draft.room_id)
            if room and self._lives(message, draft.visitor_id):
                self._keep(draft.visitor_id, message)
                events.append(MessagePosted(room, message, draft.visitor_id))
        return events

    def _lives(self, message: Message, visitor_id: str) -> bool:
        return message.expires_at > self._clock() and self._vault.can_open(message, visitor_id)


def _list_beginners(sheet: _Sheet) -> list[dict[str, str]]:
    """Return who posts in a room for the first time."""
    posted = {(row["room_id"], row["visitor_id"]) for row in sheet.rows}
    return [
        {"room": room_id, "visitor": visitor_id}
        for room_id, visitor_id in sorted(posted)
        if not sheet.authors[room_id, visitor_id].has_posted_here
    ]

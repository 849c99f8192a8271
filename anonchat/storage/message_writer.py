"""Stores posts in batches: posts that arrive during a commit share the next one.

The statements are SQLAlchemy Core's and built once: with an ORM session, creating an object for
each row took longer than encrypting, writing and committing together.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, bindparam, insert, null, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncConnection

from models import SQLModel

from ..bus import Bus
from ..entities import Message, Room, Visitor
from ..errors import (
    N_,
    ChatError,
    LimitReached,
    MessageExpired,
    NotAMember,
    NotFound,
    RateLimited,
    Unavailable,
)
from ..events import MessagePosted
from ..ids import new_id
from ..lifetimes import room_lifetime
from ..limits.network_shares import NetworkShares
from ..limits.rate_limits import Limits
from ..limits.room_post_shares import RoomPostShares
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.keystore import span_at
from ..security.row_cipher import RowCipher
from ..settings import Settings
from .database import ConnectionLost, Database, WriteConflict
from .post_queue import QUEUE_FULL_TEXT, PostQueue

_BATCH_MAX = 200
_SMALL_BATCH = 20
_COLLECT_SECONDS = 0.005
_POST_TIMEOUT_SECONDS = 10
_SHUTDOWN_SECONDS = 4  # of the 10 s in which a node has to stop
_RETRY_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)  # seconds; the last one repeats

_UNAVAILABLE_TEXT = N_("That could not be kept just now. Please try again.")

_tables = SQLModel.metadata.tables
_room, _member = _tables["room"], _tables["member"]
_visitor, _message = _tables["visitor"], _tables["message"]
_tombstone, _span = _tables["tombstone"], _tables["span"]

# The row lock on a room also protects its sequence numbers: posts, joins and leaves wait for it.
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
    .with_for_update(of=_visitor, read=True, key_share=True)  # visitors are not deleted meanwhile
)
_DEDUP_KEYS: BindParameter[bytes] = bindparam("keys", expanding=True)
_EXISTING = union_all(
    select(_message).where(_message.c.dedup_key.in_(_DEDUP_KEYS)),
    select(*(_tombstone.c.get(name, null()) for name in _message.columns.keys())).where(
        _tombstone.c.dedup_key.in_(_DEDUP_KEYS)
    ),
)
_GENERATIONS = select(_span.c.number, _span.c.generation).where(
    _span.c.number.in_(bindparam("numbers", expanding=True))
)
_INSERT_MESSAGES = insert(_message)
_UPDATE_ROOMS = (
    update(_room)
    .where(_room.c.id == bindparam("room"))
    .values({name: bindparam(f"new_{name}") for name in ("last_seq", "active_at", "expires_at")})
)
_UPDATE_READ_SEQ = (
    update(_member)
    .where(_member.c.room_id == bindparam("room"), _member.c.visitor_id == bindparam("visitor"))
    .values(read_seq=bindparam("seq"))
)
_MARK_FIRST_POSTS = (
    update(_member)
    .where(_member.c.room_id == bindparam("room"), _member.c.visitor_id == bindparam("visitor"))
    .values(has_posted=True)
)
_EXTEND_VISITORS = (
    update(_visitor)
    .where(_visitor.c.id == bindparam("visitor"))
    .values(expires_at=bindparam("new_expires_at"), has_posted=True)
)


@dataclass(slots=True)
class Draft:
    """A text to be stored as a message; no other message has its `dedup_key`."""

    room_id: str
    visitor_id: str
    text: str
    dedup_id: str
    dedup_key: bytes
    is_charged: bool = False
    attempted_ids: set[str] = field(
        default_factory=set
    )  # ids of messages that may have been stored
    stored: asyncio.Future[Message] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def resolve(self, message: Message) -> None:
        """Return the stored message to the caller of `store()`."""
        if not self.stored.done():
            self.stored.set_result(message)

    def reject(self, error: Exception) -> None:
        """Raise the error in the caller of `store()`."""
        if not self.stored.done():
            self.stored.set_exception(error)

    def time_out(self) -> None:
        """Raise `Unavailable` in the caller of `store()` after the timeout."""
        self.reject(Unavailable(_UNAVAILABLE_TEXT))

    @property
    def is_pending(self) -> bool:
        """Whether the caller still waits, or the message may be stored but not yet published."""
        return bool(self.attempted_ids) or not self.stored.done()


@dataclass(slots=True)
class _Author:
    visitor: Visitor
    pseudonym: str
    read_seq: int
    has_posted_here: bool
    has_new_read_seq: bool = False


@dataclass(slots=True)
class _Batch:
    """One commit: the rows that it needs, read together, and those that it writes."""

    now: datetime
    generations: dict[int, int]
    rooms: dict[str, Room] = field(default_factory=dict)
    authors: dict[tuple[str, str], _Author] = field(default_factory=dict)
    existing: dict[bytes, Message | None] = field(default_factory=dict)
    undecryptable: set[str | bytes] = field(default_factory=set)
    """Row ids and dedup keys of rows whose key another node may have."""
    new_messages: list[tuple[Draft, Message]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)


class MessageWriter:
    """Stores posts, up to 200 drafts in one commit, and publishes them afterwards."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        shares: NetworkShares,
        cipher: RowCipher,
        on_stored: Callable[[str, Message], None],
    ) -> None:
        """Call `on_stored` with the visitor id and message of each post before it is published."""
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._room_shares = RoomPostShares(limits, settings.posts_per_room)
        self._cipher = cipher
        self._on_stored = on_stored
        self._queue: PostQueue[Draft] = PostQueue(settings.post_queue_max, shares)
        self._writer: asyncio.Task[None] | None = None
        self._unpublished: deque[MessagePosted] = deque()
        self._publisher: asyncio.Task[None] | None = None

    async def store(self, draft: Draft) -> Message:
        """Store a draft and return its message.

        Raises `MessageExpired`, `NotAMember`, `NotFound`, `RateLimited`, `LimitReached` or
        `Unavailable`.
        """
        if len(self._unpublished) >= self._settings.post_queue_max:
            raise LimitReached(QUEUE_FULL_TEXT)
        self._queue.add(draft)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_queue())
        timeout = asyncio.get_running_loop().call_later(_POST_TIMEOUT_SECONDS, draft.time_out)
        draft.stored.add_done_callback(lambda _: timeout.cancel())
        return await asyncio.shield(draft.stored)  # a cancelled caller's draft is still stored

    async def flush(self) -> None:
        """Store and publish all accepted drafts; fail those not stored in time: `Unavailable`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _SHUTDOWN_SECONDS
        while (tasks := self._list_running()) and loop.time() < deadline:
            await asyncio.wait(tasks, timeout=deadline - loop.time())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_SHUTDOWN_SECONDS)
        for draft in self._queue:
            draft.time_out()

    def _list_running(self) -> list[asyncio.Task[None]]:
        return [task for task in (self._writer, self._publisher) if task and not task.done()]

    async def _write_queue(self) -> None:
        """Store all queued drafts, with retries while the server is unreachable.

        A retry creates no duplicates: what a failed attempt stored is found by its `dedup_key`.
        """
        failures = 0
        while self._queue:
            drafts = self._queue.next_batch(_BATCH_MAX)
            try:
                posted = await self._commit(drafts)
            except Unavailable as error:
                if not isinstance(error, WriteConflict | ConnectionLost):  # a retry does not help
                    for draft in drafts:
                        draft.reject(error)
                self._queue.retain(lambda draft: draft.is_pending)
                await asyncio.sleep(_RETRY_DELAYS[min(failures, len(_RETRY_DELAYS) - 1)])
                failures += 1
                continue
            except Exception as error:  # each caller needs an answer
                posted = []
                for draft in drafts:
                    draft.reject(error)
            failures = 0
            self._queue.remove(drafts)
            self._publish(posted)
            if len(drafts) < _SMALL_BATCH:  # a larger batch costs no more: let it fill
                await asyncio.sleep(_COLLECT_SECONDS)

    def _publish(self, events: Iterable[MessagePosted]) -> None:
        """Publish events in order, without waiting: a listener may be slow, or wait for a post."""
        self._unpublished.extend(events)
        if self._unpublished and (self._publisher is None or self._publisher.done()):
            self._publisher = asyncio.create_task(self._publish_queue())

    async def _publish_queue(self) -> None:
        while self._unpublished:
            await self._bus.publish(self._unpublished.popleft())

    async def _commit(self, drafts: list[Draft]) -> list[MessagePosted]:
        """Store the drafts together, except those that are rejected."""
        drafts = [draft for draft in drafts if draft.is_pending]
        async with self._database.core_transaction() as connection:
            batch = await self._load_batch(connection, drafts)
            for draft in drafts:
                existing = batch.existing.get(draft.dedup_key)
                if existing and existing.id in draft.attempted_ids:
                    # Stored by an earlier attempt, but not published.
                    batch.new_messages.append((draft, existing))
                elif not draft.stored.done():
                    try:
                        # Checked for duplicates too: a former member must not get the message back.
                        room, author = self._find_author(draft, batch)
                        if draft.dedup_key not in batch.existing:
                            self._append_message(draft, batch, room, author)
                    except ChatError as error:
                        draft.reject(error)
            if batch.rows:
                await self._write(connection, batch)
        return self._resolve_drafts(drafts, batch)

    async def _load_batch(self, connection: AsyncConnection, drafts: list[Draft]) -> _Batch:
        parameters = {
            "rooms": list({draft.room_id for draft in drafts}),
            "visitors": list({draft.visitor_id for draft in drafts}),
            "keys": [draft.dedup_key for draft in drafts],
        }
        rooms: Sequence[Any] = (await connection.execute(_ROOMS, parameters)).all()
        authors: Iterable[Any] = await connection.execute(_AUTHORS, parameters)
        existing: Sequence[Any] = (await connection.execute(_EXISTING, parameters)).all()
        await self._cipher.fetch_room_keys(draft.room_id for draft in drafts)
        await self._cipher.fetch_visitor_keys(draft.visitor_id for draft in drafts)
        live = [row for row in existing if row.sealed]  # a tombstone has no text
        messages = await self._cipher.decrypt_messages(live)
        now = self._clock()
        spans = {span_at(now + timedelta(seconds=row.message_ttl)) for row in rooms}
        batch = _Batch(now, await self._lock_spans(connection, spans))
        await self._cipher.create_span_keys(batch.generations)
        # No await from here until all is encrypted, so that no key is destroyed in between.
        for row in rooms:
            if room := self._cipher.decrypt_room(row):
                batch.rooms[room.id] = room
            elif self._cipher.may_room_key_exist_on_peers(row.id):
                batch.undecryptable.add(row.id)
        for row in authors:
            if visitor := self._cipher.decrypt_visitor(row):
                batch.authors[row.room_id, row.id] = _Author(
                    visitor, row.author, row.read_seq, row.has_posted_here
                )
            elif self._cipher.may_visitor_key_exist_on_peers(row.id):
                batch.undecryptable.add(row.id)
        batch.existing = dict.fromkeys(row.dedup_key for row in existing)
        for row, message in zip(live, messages, strict=True):
            batch.existing[row.dedup_key] = message
            if message is None and not self._cipher.is_undecryptable(row):
                batch.undecryptable.add(row.dedup_key)
        return batch

    async def _lock_spans(self, connection: AsyncConnection, spans: set[int]) -> dict[int, int]:
        """Lock the spans until the commit; return the current key generation of each."""
        await self._database.lock_spans_shared(connection, spans)
        rows = await connection.execute(_GENERATIONS, {"numbers": list(spans)})
        rotated: dict[int, int] = {row.number: row.generation for row in rows}
        return {number: rotated.get(number, 0) for number in spans}

    def _find_author(self, draft: Draft, batch: _Batch) -> tuple[Room, _Author]:
        """Return the room of a draft and its author as a member of it.

        Raises `NotFound`, `NotAMember`, or `Unavailable` if only another node may have the keys.
        """
        if not batch.undecryptable.isdisjoint((draft.room_id, draft.visitor_id)):
            raise Unavailable(_UNAVAILABLE_TEXT)
        room = batch.rooms.get(draft.room_id)
        if room is None or room.expires_at <= batch.now:
            raise NotFound(N_("There is no such room, or it has ended."))
        author = batch.authors.get((draft.room_id, draft.visitor_id))
        if author is None or author.visitor.expires_at <= batch.now:  # deleted since the request
            raise NotAMember(N_("Only members can do that. Join the room first."))
        return room, author

    def _append_message(self, draft: Draft, batch: _Batch, room: Room, author: _Author) -> None:
        """Create the message, and update the room and the author's read position in the batch.

        Raises `RateLimited`.
        """
        now = batch.now
        # Charged only after the membership check, so that others cannot use up the room's limit.
        # A retry is not charged again.
        if not draft.is_charged:
            self._limits.posts.hit(draft.visitor_id)
            try:
                self._room_shares.hit(room.id, draft.visitor_id)
            except RateLimited:
                self._limits.posts.refund(draft.visitor_id, 1)
                raise
            draft.is_charged = True
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
        batch.rows.append(
            {
                "id": message.id,
                "room_id": message.room_id,
                "visitor_id": draft.visitor_id,
                "seq": message.seq,
                "author": message.author,
                "dedup_key": draft.dedup_key,
                "sealed": self._cipher.encrypt_message(
                    message,
                    draft.visitor_id,
                    generation=batch.generations[span_at(message.expires_at)],
                ),
                "posted_at": message.posted_at,
                "expires_at": message.expires_at,
            }
        )
        draft.attempted_ids.add(message.id)
        batch.new_messages.append((draft, message))
        batch.existing[draft.dedup_key] = message
        if author.read_seq == room.last_seq:  # an author who has read all has read this
            author.read_seq, author.has_new_read_seq = message.seq, True
        batch.rooms[room.id] = replace(
            room,
            last_seq=message.seq,
            active_at=now,
            expires_at=max(room.expires_at, message.expires_at, now + self._lifetime(room)),
        )

    def _lifetime(self, room: Room) -> timedelta:
        return room_lifetime(self._settings, room.room_ttl, was_entered=room.was_entered)

    async def _write(self, connection: AsyncConnection, batch: _Batch) -> None:
        rooms = [batch.rooms[room_id] for room_id in {row["room_id"] for row in batch.rows}]
        await connection.execute(_INSERT_MESSAGES, batch.rows)
        await connection.execute(
            _UPDATE_ROOMS,
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
            for (room_id, visitor_id), author in sorted(batch.authors.items(), key=itemgetter(0))
            if author.has_new_read_seq
        ]
        if readers:
            await connection.execute(_UPDATE_READ_SEQ, readers)
        if first_posts := _list_first_posts(batch):
            await connection.execute(_MARK_FIRST_POSTS, first_posts)
        if extensions := self._list_visitor_extensions(batch):
            await connection.execute(_EXTEND_VISITORS, extensions)

    def _list_visitor_extensions(self, batch: _Batch) -> list[dict[str, Any]]:
        """Return the new expiry times of authors who expire too soon or post for the first time.

        A visitor outlives their messages. Otherwise the expiry is only extended once 10 % of the
        lifetime have passed, to save writes.
        """
        lifetime = self._settings.visitor_ttl
        extensions: dict[str, datetime] = {}
        for draft, message in batch.new_messages:
            author = batch.authors.get((draft.room_id, draft.visitor_id))
            if author is None:  # left the room since the message was stored
                continue
            visitor = author.visitor
            expiry = extensions.get(visitor.id, visitor.expires_at)
            is_first = not visitor.has_posted and visitor.id not in extensions
            if is_first or expiry < max(message.expires_at, batch.now + 0.9 * lifetime):
                new_expiry = max(expiry, message.expires_at, batch.now + lifetime)
                extensions[visitor.id] = ceil_to_minute(new_expiry)
        return [
            {"visitor": id, "new_expires_at": expiry} for id, expiry in sorted(extensions.items())
        ]

    def _resolve_drafts(self, drafts: list[Draft], batch: _Batch) -> list[MessagePosted]:
        """Answer all callers, and return the events to publish."""
        for draft in drafts:
            message = batch.existing.get(draft.dedup_key)
            if message and self._is_readable(message, draft.visitor_id):
                draft.resolve(message)
            elif draft.dedup_key in batch.undecryptable:
                draft.reject(Unavailable(_UNAVAILABLE_TEXT))
            else:
                draft.reject(MessageExpired(N_("That message has come to its end already.")))
        events = []
        for draft, message in batch.new_messages:
            room = batch.rooms.get(draft.room_id)
            if room and self._is_readable(message, draft.visitor_id):
                self._on_stored(draft.visitor_id, message)
                events.append(MessagePosted(room, message, draft.visitor_id))
        return events

    def _is_readable(self, message: Message, visitor_id: str) -> bool:
        return message.expires_at > self._clock() and self._cipher.can_decrypt_message(
            message, visitor_id
        )


def _list_first_posts(batch: _Batch) -> list[dict[str, str]]:
    """Return the visitors who post in a room for the first time."""
    posted = {(row["room_id"], row["visitor_id"]) for row in batch.rows}
    return [
        {"room": room_id, "visitor": visitor_id}
        for room_id, visitor_id in sorted(posted)
        if not batch.authors[room_id, visitor_id].has_posted_here
    ]

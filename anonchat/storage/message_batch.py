"""One commit of posts: loads the rows that it needs, adds the messages, and writes them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from ..entities import Message, Room, Standing, Visitor, rank
from ..errors import (
    N_,
    ChatError,
    InvalidMessage,
    LimitReached,
    NotAMember,
    NotFound,
    RateLimited,
    RoomPaused,
    TooSoon,
    Unavailable,
)
from ..ids import new_id
from ..lifetimes import check_message_lifetime, message_lifetime, room_lifetime
from ..limits.rate_limits import Limits
from ..limits.room_post_shares import RoomPostShares
from ..mutes import require_unmuted
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..security.key_names import span_at
from ..security.message_cipher import MessageCipher
from ..security.row_cipher import RowCipher
from ..security.standing_cipher import StandingCipher
from ..settings import Settings
from .batch_statements import (
    AUTHORS,
    EXISTING,
    EXTEND_VISITORS,
    GENERATIONS,
    INSERT_MENTIONS,
    INSERT_MESSAGES,
    INSERT_OPENINGS,
    MARK_FIRST_POSTS,
    MEMBERS,
    ROOMS,
    UPDATE_READ_SEQ,
    UPDATE_ROOMS,
)
from .database import Database
from .draft import Draft
from .openings import READERS_MAX
from .statements import Statements


@dataclass(slots=True)
class _Author:
    visitor: Visitor
    pseudonym: str
    read_seq: int
    has_posted_here: bool
    standing: Standing
    has_new_read_seq: bool = False


class _Rows(NamedTuple):
    """What is read of the database, and the current key generation of each span."""

    now: datetime
    rooms: Sequence[Any]
    authors: Sequence[Any]
    existing: Sequence[Any]
    members: dict[str, Sequence[Any]]
    generations: dict[int, int]


@dataclass(slots=True)
class Batch:
    """One commit: the rows that it needs, read together, and those that it writes."""

    now: datetime
    generations: dict[int, int]
    rooms: dict[str, Room] = field(default_factory=dict)
    authors: dict[tuple[str, str], _Author] = field(default_factory=dict)
    existing: dict[bytes, Message | None] = field(default_factory=dict)
    members: dict[str, Sequence[Any]] = field(default_factory=dict)
    """Those of each room in which something is posted that can be opened once."""
    undecryptable: set[str | bytes] = field(default_factory=set)
    """Row ids and dedup keys of rows whose key another node may have."""
    new_messages: list[tuple[Draft, Message]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    openings: list[dict[str, Any]] = field(default_factory=list)
    mentions: list[dict[str, Any]] = field(default_factory=list)


class BatchStore:
    """Stores drafts together in one transaction."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        clock: Clock,
        limits: Limits,
        cipher: RowCipher,
        message_cipher: MessageCipher,
        standing_cipher: StandingCipher,
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._limits = limits
        self._room_shares = RoomPostShares(limits, settings.posts_per_room)
        self._cipher = cipher
        self._message_cipher = message_cipher
        self._standing_cipher = standing_cipher

    async def commit(self, drafts: list[Draft]) -> Batch:
        """Store the drafts together, except those that are rejected."""
        drafts = [draft for draft in drafts if draft.is_pending]
        async with self._database.core_transaction() as connection:
            batch = await self._load_batch(connection, drafts)
            for draft in drafts:
                existing = batch.existing.get(draft.dedup_key)
                if existing and existing.id in draft.attempted_ids:
                    # Stored by an earlier attempt, but not published.
                    batch.new_messages.append((draft, replace(existing, readers=draft.readers)))
                elif not draft.stored.done():
                    try:
                        # Checked for duplicates too: a former member must not get the message back.
                        room, author = self._find_author(draft, batch)
                        if draft.dedup_key not in batch.existing:
                            self._append_message(draft, batch, room, author)
                    except ChatError as error:
                        draft.reject(error)
            if batch.rows:
                write = partial(self._write_rows, batch)
                await self._database.write_together(connection, write)
        return batch

    def is_readable(self, message: Message, visitor_id: str) -> bool:
        """Return whether a message of a visitor has neither expired nor become undecryptable."""
        return message.expires_at > self._clock() and self._message_cipher.can_decrypt_message(
            message, visitor_id
        )

    async def _load_batch(self, connection: AsyncConnection, drafts: list[Draft]) -> Batch:
        read = partial(self._read_rows, drafts)
        found = await self._database.read_together(connection, read)
        now, rooms, authors, existing, members, generations = found
        await self._cipher.fetch_room_keys(rooms)
        await self._cipher.fetch_visitor_keys(draft.visitor_id for draft in drafts)
        live = [row for row in existing if row.sealed]  # a tombstone has no text
        messages = await self._message_cipher.decrypt_messages(live)
        batch = Batch(now, generations, members=members)
        await self._message_cipher.create_span_keys(batch.generations)
        # No await from here until all is encrypted, so that no key is destroyed in between.
        for row in rooms:
            if room := self._cipher.decrypt_room(row):
                batch.rooms[room.id] = room
            elif self._cipher.may_room_keys_exist_on_peers(row):
                batch.undecryptable.add(row.id)
        for row in authors:
            if visitor := self._cipher.decrypt_visitor(row):
                standing = self._standing_cipher.decrypt_standing(row.room_id, row.id, row.standing)
                batch.authors[row.room_id, row.id] = _Author(
                    visitor, row.author, row.read_seq, row.has_posted_here, standing
                )
            elif self._cipher.may_visitor_key_exist_on_peers(row.id):
                batch.undecryptable.add(row.id)
        batch.existing = dict.fromkeys(row.dedup_key for row in existing)
        for row, message in zip(live, messages, strict=True):
            batch.existing[row.dedup_key] = message
            if message is None and not self._message_cipher.is_undecryptable(row):
                batch.undecryptable.add(row.dedup_key)
        return batch

    def _read_rows(self, drafts: list[Draft], statements: Statements) -> _Rows:
        """Read all rows; lock them, and the spans, until the commit."""
        parameters = {
            "rooms": list({draft.room_id for draft in drafts}),
            "visitors": list({draft.visitor_id for draft in drafts}),
            "keys": [draft.dedup_key for draft in drafts],
        }
        rooms = statements.read(ROOMS, parameters)
        authors = statements.read(AUTHORS, parameters)
        existing = statements.read(EXISTING, parameters)
        once = {draft.room_id for draft in drafts if draft.post.once}
        members = {id: statements.read(MEMBERS, {"room": id}) for id in sorted(once)}
        now = self._clock()
        room_ttls = {row.id: timedelta(seconds=row.message_ttl) for row in rooms}
        ttls = {
            message_lifetime(draft.post, room_ttls[draft.room_id])
            for draft in drafts
            if draft.room_id in room_ttls
        }
        spans = sorted({span_at(now + ttl) for ttl in ttls})
        statements.lock_spans_shared(spans)
        found = statements.read(GENERATIONS, {"numbers": spans})
        rotated = {row.number: row.generation for row in found}
        generations = {number: rotated.get(number, 0) for number in spans}
        return _Rows(now, rooms, authors, existing, members, generations)

    def _find_author(self, draft: Draft, batch: Batch) -> tuple[Room, _Author]:
        """Return the room of a draft and its author as a member of it.

        Raises `NotFound`, `NotAMember`, or `Unavailable` if only another node may have the keys.
        """
        if not batch.undecryptable.isdisjoint((draft.room_id, draft.visitor_id)):
            raise Unavailable
        room = batch.rooms.get(draft.room_id)
        if room is None or room.expires_at <= batch.now:
            raise NotFound
        author = batch.authors.get((draft.room_id, draft.visitor_id))
        if author is None or author.visitor.expires_at <= batch.now:  # deleted since the request
            raise NotAMember
        return room, author

    def _append_message(self, draft: Draft, batch: Batch, room: Room, author: _Author) -> None:
        """Create the message, and update the room and the author's read position in the batch.

        Raises `InvalidMessage`, `Muted`, `RoomPaused`, `TooSoon` or `LimitReached`.
        """
        now, post = batch.now, draft.post
        require_unmuted(author.standing.muted_until, now)
        is_ordinary = author.pseudonym != room.owner and not rank(author.standing.role)
        if is_ordinary and room.rules.paused:
            raise RoomPaused
        check_message_lifetime(self._settings, post.ttl, room.message_ttl)
        readers = _find_readers(draft, batch) if post.once else []
        # Charged only after the membership check, so that others cannot use up the room's limit.
        # A retry is not charged again.
        if not draft.is_charged:
            pause = room.rules.slow_mode if is_ordinary else timedelta()
            key = f"{room.id} {draft.visitor_id}"
            if wait := self._limits.slow_posts.wait_time(key, pause):
                raise TooSoon(seconds=math.ceil(wait.total_seconds()))
            self._limits.posts.hit(draft.visitor_id)
            try:
                self._room_shares.hit(room.id, draft.visitor_id)
            except RateLimited:
                self._limits.posts.refund(draft.visitor_id, 1)
                raise
            if pause:
                self._limits.slow_posts.add(key)
            draft.is_charged = True
        message = Message(
            id=new_id(),
            room_id=room.id,
            seq=room.last_seq + 1,
            author=author.pseudonym,
            nickname=post.nickname or author.visitor.nickname,
            badge="" if post.nickname else author.visitor.badge,
            text=post.text,
            dedup_id=draft.dedup_id,
            posted_at=now,
            expires_at=now + message_lifetime(post, room.message_ttl),
            kind=post.kind,
            data=post.data,
            reply_to=post.reply_to,
            mentions=tuple(mention.author for mention in draft.mentions),
            once=post.once,
        )
        batch.rows.append(
            {
                "id": message.id,
                "room_id": message.room_id,
                "visitor_id": draft.visitor_id,
                "seq": message.seq,
                "author": message.author,
                "dedup_key": draft.dedup_key,
                "sealed": self._message_cipher.encrypt_message(
                    message,
                    draft.visitor_id,
                    generation=batch.generations[span_at(message.expires_at)],
                ),
                "revision": message.revision,
                "posted_at": message.posted_at,
                "expires_at": message.expires_at,
            }
        )
        batch.openings += [
            {
                "message_id": message.id,
                "visitor_id": reader.visitor_id,
                "author": reader.author,
                "opened": False,
            }
            for reader in readers
        ]
        if post.once:  # from here on nobody has its text
            draft.readers = tuple(sorted(reader.author for reader in readers))
            message = replace(message, text="", readers=draft.readers)
        batch.mentions += (
            {"room_id": room.id, "seq": message.seq, "mark": mention.mark}
            for mention in draft.mentioned
        )
        draft.attempted_ids.add(message.id)
        batch.new_messages.append((draft, message))
        batch.existing[draft.dedup_key] = message
        if author.read_seq == room.last_seq:  # an author who has read all has read this
            author.read_seq, author.has_new_read_seq = message.seq, True
        lifetime = room_lifetime(self._settings, room.room_ttl, was_entered=room.was_entered)
        batch.rooms[room.id] = replace(
            room,
            last_seq=message.seq,
            active_at=now,
            expires_at=max(room.expires_at, message.expires_at, now + lifetime),
        )

    def _write_rows(self, batch: Batch, statements: Statements) -> None:
        rooms = [batch.rooms[room_id] for room_id in {row["room_id"] for row in batch.rows}]
        statements.write(INSERT_MESSAGES, batch.rows)
        if batch.openings:
            statements.write(INSERT_OPENINGS, batch.openings)
        if batch.mentions:
            statements.write(INSERT_MENTIONS, batch.mentions)
        statements.write(
            UPDATE_ROOMS,
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
            statements.write(UPDATE_READ_SEQ, readers)
        if first_posts := _list_first_posts(batch):
            statements.write(MARK_FIRST_POSTS, first_posts)
        if extensions := self._list_visitor_extensions(batch):
            statements.write(EXTEND_VISITORS, extensions)

    def _list_visitor_extensions(self, batch: Batch) -> list[dict[str, Any]]:
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


def _find_readers(draft: Draft, batch: Batch) -> list[Any]:
    """Return the members who can open a draft once; raise `InvalidMessage` or `LimitReached`."""
    members = batch.members[draft.room_id]
    readers = [member for member in members if member.visitor_id != draft.visitor_id]
    if not readers:
        raise InvalidMessage(N_("Nobody else is in the room who could open it."))
    if len(readers) > READERS_MAX:
        raise LimitReached(
            N_("The room has too many members for that: {most} others at most."), most=READERS_MAX
        )
    return readers


def _list_first_posts(batch: Batch) -> list[dict[str, str]]:
    """Return the visitors who post in a room for the first time."""
    posted = {(row["room_id"], row["visitor_id"]) for row in batch.rows}
    return [
        {"room": room_id, "visitor": visitor_id}
        for room_id, visitor_id in sorted(posted)
        if not batch.authors[room_id, visitor_id].has_posted_here
    ]

"""Posting, reading and deleting messages."""

import asyncio
import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import and_, col, delete, select, tuple_
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, RoomRow, TombstoneRow, VisitorRow

from ..bus import Bus
from ..clock import Clock
from ..database import Database
from ..errors import (
    N_,
    ChatError,
    InvalidMessage,
    LimitReached,
    MessageExpired,
    NotAllowed,
    NotAMember,
    NotFound,
    Unavailable,
)
from ..events import Event, MessagePosted, MessagesGone, RoomEnded
from ..ids import new_id
from ..keystore import KeyStore, span_key
from ..ledger import note_gone
from ..nouns import Message
from ..seal import Hasher
from ..settings import Settings
from ..shelf import Shelf
from ..text import tidy_message
from ..vault import Vault

_BATCH = 200
_PAGES_KEPT = 100
_PAGE_MOST = 200
_COMPANY = 20
_REST_SECONDS = 0.005

# Built once: to build a statement takes longer than to execute it.
_ROOMS = select(RoomRow).where(col(RoomRow.id).in_(bindparam("rooms", expanding=True)))
_AUTHORS = (
    select(MemberRow, VisitorRow)
    .join(VisitorRow, col(VisitorRow.id) == MemberRow.visitor_id)
    .where(
        col(MemberRow.room_id).in_(bindparam("rooms", expanding=True)),
        col(MemberRow.visitor_id).in_(bindparam("visitors", expanding=True)),
    )
)
_KNOWN = select(MessageRow).where(
    tuple_(col(MessageRow.room_id), col(MessageRow.visitor_id), col(MessageRow.dedup_key)).in_(
        bindparam("keys", expanding=True)
    )
)
_DELETED = select(TombstoneRow).where(
    tuple_(
        col(TombstoneRow.room_id), col(TombstoneRow.visitor_id), col(TombstoneRow.dedup_key)
    ).in_(bindparam("keys", expanding=True))
)


@dataclass(slots=True)
class _Draft:
    room_id: str
    visitor_id: str
    text: str
    dedup_id: str
    dedup_key: bytes
    stored: asyncio.Future[Message] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def key(self) -> tuple[str, str, bytes]:
        return self.room_id, self.visitor_id, self.dedup_key


@dataclass(slots=True)
class _Desk:
    """What a batch of drafts needs to know, read at once."""

    rooms: dict[str, RoomRow]
    authors: dict[tuple[str, str], tuple[MemberRow, VisitorRow]]
    known: dict[tuple[str, str, bytes], MessageRow]
    deleted: set[tuple[str, str, bytes]]


@dataclass(slots=True)
class _Page:
    """The newest messages of a room, each with the visitor who wrote it."""

    said: deque[tuple[str, Message]]
    is_whole: bool  # there is nothing older

    def add(self, visitor_id: str, message: Message) -> None:
        if self.said and self.said[-1][1].seq >= message.seq:
            return  # it was read before this word of it
        self.is_whole = self.is_whole and len(self.said) < _PAGE_MOST
        self.said.append((visitor_id, message))

    def remove(self, seqs: tuple[int, ...]) -> None:
        gone = set(seqs)
        left = [entry for entry in self.said if entry[1].seq not in gone]
        self.said = deque(left, _PAGE_MOST)


class Messages:
    """All messages. Posts that arrive while the database is busy share its next commit."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        keys: KeyStore,
        vault: Vault,
        hasher: Hasher,
        is_member: Callable[[str, str], Awaitable[bool]],
        renew_span: Callable[[datetime], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._keys = keys
        self._vault = vault
        self._hasher = hasher
        self._is_member = is_member
        self._renew_span = renew_span
        self._waiting: list[_Draft] = []
        self._writer: asyncio.Task[None] | None = None
        self._pages: Shelf[_Page] = Shelf(_PAGES_KEPT)
        bus.subscribe(self._on_event)

    async def post(
        self, room_id: str, *, visitor_id: str, text: str, dedup_id: str = ""
    ) -> Message:
        """Store a message and return it; the same `dedup_id` again returns the same message.

        Raises `InvalidMessage`, `MessageExpired`, `NotAMember`, `NotFound`, `LimitReached` or
        `Unavailable`.
        """
        text, dedup_id = tidy_message(text), _check_dedup_id(dedup_id)
        dedup_key = self._hasher.hash("dedup", dedup_id)
        draft = _Draft(room_id, visitor_id, text, dedup_id, dedup_key)
        if len(self._waiting) >= self._settings.waiting_posts_max:
            raise LimitReached(N_("Too much is being said at once. Please try again."))
        self._waiting.append(draft)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        return await draft.stored

    async def history(
        self,
        room_id: str,
        *,
        visitor_id: str,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Message]:
        """Return what a member may read now, oldest first.

        With `after`, the oldest that follow that `seq`; else the newest, before `before` if given.
        Raises `NotAMember`.
        """
        if after is None and before is None and limit <= _PAGE_MOST:
            return await self._newest(room_id, visitor_id, limit)
        async with self._database.reading() as session:
            await _require_member(session, room_id, visitor_id)
        found = await self._read(room_id, after=after, before=before, limit=limit)
        return [message for _, message in found]

    async def living_seqs(
        self, room_id: str, *, visitor_id: str, first: int, last: int, limit: int
    ) -> list[int]:
        """Return which messages from `first` to `last` are still there. Raises `NotAMember`."""
        seq = col(MessageRow.seq)
        query = select(seq).where(self._living(room_id), seq.between(first, last))
        query = query.order_by(seq).limit(limit)
        async with self._database.reading() as session:
            await _require_member(session, room_id, visitor_id)
            return list((await session.exec(query)).all())

    async def delete(self, room_id: str, *, visitor_id: str, message_id: str) -> None:
        """Delete a message, which its author and the owner of the room may do.

        Its row goes, and then the key that could open a copy of it: what shares that key is given
        another one. A post with its `dedup_id` that comes late is refused. Raises `NotAMember`,
        `NotAllowed`, `Unavailable`, or `NotFound` if it is gone already.
        """
        query = select(MessageRow).where(self._living(room_id), MessageRow.id == message_id)
        async with self._database.transaction() as session:
            member = await _require_member(session, room_id, visitor_id)
            row = (await session.exec(query)).first()
            if row is None:
                raise NotFound(N_("There is no such message, or it is gone already."))
            room = await session.get(RoomRow, room_id)
            if row.visitor_id != visitor_id and (room is None or room.owner != member.author):
                raise NotAllowed(N_("Only its author and the owner of the room may delete it."))
            await self._keys.renew(span_key(row.expires_at))  # first: a crash must not forget it
            await session.exec(delete(MessageRow).where(col(MessageRow.id) == message_id))
            session.add(_bury(row))
            await note_gone(session, messages=1)
        await self._bus.publish(MessagesGone(room_id, (row.seq,)))
        with suppress(Unavailable):  # then the janitor does it, in its next round
            await self._renew_span(row.expires_at)

    async def finish(self) -> None:
        """Wait until everything that was accepted for posting is stored."""
        if self._writer:
            await self._writer

    async def _newest(self, room_id: str, visitor_id: str, limit: int) -> list[Message]:
        if not await self._is_member(room_id, visitor_id):
            raise NotAMember(N_("Only members can do that. Join the room first."))
        page = await self._pages.obtain(room_id, lambda: self._read_page(room_id, limit))
        living = self._list_living(page)
        if len(living) < limit and not page.is_whole:  # some went, or more are asked for
            self._pages.drop(room_id)
            page = await self._pages.obtain(room_id, lambda: self._read_page(room_id, limit))
            living = self._list_living(page)
        return living[-limit:]

    def _list_living(self, page: _Page) -> list[Message]:
        now = self._clock()
        return [
            message
            for author_id, message in page.said
            if message.expires_at > now and self._vault.can_open(message, author_id)
        ]

    async def _read_page(self, room_id: str, limit: int) -> _Page:
        found = await self._read(room_id, after=None, before=None, limit=limit)
        return _Page(deque(found, _PAGE_MOST), is_whole=len(found) < limit)

    async def _read(
        self, room_id: str, *, after: int | None, before: int | None, limit: int
    ) -> list[tuple[str, Message]]:
        """Return messages, oldest first, each with the visitor who wrote it."""
        seq = col(MessageRow.seq)
        low, high = -1 if after is None else after, sys.maxsize if before is None else before
        found: list[tuple[str, Message]] = []
        async with self._database.reading() as session:
            while (missing := limit - len(found)) > 0:
                # Bounds even where there are none: else all that live in the room are sorted.
                query = select(MessageRow).where(self._living(room_id), seq > low, seq < high)
                query = query.order_by(seq.desc() if after is None else seq)
                rows = (await session.exec(query.limit(missing))).all()
                opened = ((row.visitor_id, self._vault.open_message(row)) for row in rows)
                found += [(author_id, message) for author_id, message in opened if message]
                if len(rows) < missing:
                    break
                # Some could not be read, for their authors are being forgotten: on to the next.
                low, high = (low, rows[-1].seq) if after is None else (rows[-1].seq, high)
        return found[::-1] if after is None else found

    async def _on_event(self, event: Event) -> None:
        match event:
            case MessagesGone(room_id, seqs):
                self._pages.change(room_id, lambda page: page.remove(seqs))
            case RoomEnded(room_id):
                self._pages.drop(room_id)

    def _living(self, room_id: str) -> ColumnElement[bool]:
        return and_(col(MessageRow.room_id) == room_id, col(MessageRow.expires_at) > self._clock())

    async def _write_waiting(self) -> None:
        while self._waiting:
            drafts, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            try:
                posted = await self._store(drafts)
            except Exception as error:  # whoever waits for the answer must get one
                for draft in drafts:
                    _refuse(draft, error)
                continue
            for event in posted:
                await self._bus.publish(event)
            if len(drafts) < _COMPANY:  # a commit costs the same for many
                await asyncio.sleep(_REST_SECONDS)

    async def _store(self, drafts: list[_Draft]) -> list[MessagePosted]:
        """Store the drafts in one commit; one that has to be refused does not hold the others."""
        placed: list[tuple[_Draft, MessageRow]] = []
        fresh: set[str] = set()
        async with self._database.transaction() as session:
            desk = await _lay_out(session, drafts)
            now = self._clock()
            await self._vault.prepare_spans(now + _message_ttl(row) for row in desk.rooms.values())
            for draft in drafts:  # without a pause, so that no key is destroyed in between
                row = desk.known.get(draft.key)
                if row is None:
                    try:
                        _refuse_deleted(draft, desk)
                        row = self._place(draft, desk, now)
                    except ChatError as refusal:
                        _refuse(draft, refusal)
                        continue
                    session.add(row)
                    desk.known[draft.key] = row
                    fresh.add(row.id)
                placed.append((draft, row))
        return self._report(placed, fresh, desk)

    def _place(self, draft: _Draft, desk: _Desk, now: datetime) -> MessageRow:
        """Give the draft its place in the room, and the room and the author longer lives."""
        room = desk.rooms.get(draft.room_id)
        if room is None or room.expires_at <= now or not self._vault.knows_room(room.id):
            raise NotFound(N_("There is no such room, or it has ended."))
        author = desk.authors.get((draft.room_id, draft.visitor_id))
        if author is None:
            raise NotAMember(N_("Only members can do that. Join the room first."))
        member, visitor_row = author
        visitor = self._vault.open_visitor(visitor_row)
        if visitor is None or visitor.expires_at <= now:  # forgotten a moment ago
            raise NotAMember(N_("Only members can do that. Join the room first."))
        row = MessageRow(
            id=new_id(),
            room_id=room.id,
            visitor_id=visitor.id,
            seq=room.last_seq + 1,
            author=member.author,
            dedup_key=draft.dedup_key,
            sealed=b"",
            posted_at=now,
            expires_at=now + _message_ttl(room),
        )
        row.sealed = self._vault.seal_message(
            row,
            nickname=visitor.nickname,
            badge=visitor.badge,
            text=draft.text,
            dedup_id=draft.dedup_id,
        )
        if member.read_seq == room.last_seq:  # who has read all has read their own words too
            member.read_seq = row.seq
        room.last_seq = row.seq
        room.active_at = now
        room.expires_at = max(room.expires_at, now + timedelta(seconds=room.room_ttl))
        if visitor.expires_at < max(row.expires_at, now + 0.9 * self._settings.visitor_ttl):
            visitor_row.expires_at = max(row.expires_at, now + self._settings.visitor_ttl)
        return row

    def _report(
        self, placed: list[tuple[_Draft, MessageRow]], fresh: set[str], desk: _Desk
    ) -> list[MessagePosted]:
        """Answer everybody who waits, and return what is new to the others."""
        rooms = {id: self._vault.open_room(row) for id, row in desk.rooms.items()}
        events = []
        for draft, row in placed:
            message, room = self._vault.open_message(row), rooms[row.room_id]
            if room is None:
                _refuse(draft, NotFound(N_("There is no such room, or it has ended.")))
                continue
            if message is None or message.expires_at <= self._clock():
                _refuse(draft, MessageExpired(N_("That message has come to its end already.")))
                continue
            if not draft.stored.done():
                draft.stored.set_result(message)
            if row.id in fresh:
                fresh.remove(row.id)
                self._keep(row.visitor_id, message)
                events.append(MessagePosted(room, message))
        return events

    def _keep(self, visitor_id: str, message: Message) -> None:
        self._pages.change(message.room_id, lambda page: page.add(visitor_id, message))


async def _lay_out(session: AsyncSession, drafts: list[_Draft]) -> _Desk:
    wanted = {
        "rooms": list({draft.room_id for draft in drafts}),
        "visitors": list({draft.visitor_id for draft in drafts}),
        "keys": [draft.key for draft in drafts],
    }
    rooms = await session.exec(_ROOMS, params=wanted)
    authors = await session.exec(_AUTHORS, params=wanted)
    known = await session.exec(_KNOWN, params=wanted)
    deleted = await session.exec(_DELETED, params=wanted)
    return _Desk(
        rooms={row.id: row for row in rooms},
        authors={(member.room_id, visitor.id): (member, visitor) for member, visitor in authors},
        known={(row.room_id, row.visitor_id, row.dedup_key): row for row in known},
        deleted={(row.room_id, row.visitor_id, row.dedup_key) for row in deleted},
    )


def _bury(row: MessageRow) -> TombstoneRow:
    return TombstoneRow(
        room_id=row.room_id,
        visitor_id=row.visitor_id,
        dedup_key=row.dedup_key,
        expires_at=row.expires_at,
    )


def _refuse_deleted(draft: _Draft, desk: _Desk) -> None:
    if draft.key in desk.deleted:
        raise MessageExpired(N_("That message was deleted."))


def _check_dedup_id(dedup_id: str) -> str:
    """Return the id, or a new one for an empty one; a single bad one would spoil its batch."""
    if not isinstance(dedup_id, str) or not re.fullmatch(r"[!-~]{0,64}", dedup_id):
        raise InvalidMessage(N_("That is not a text."))
    return dedup_id or new_id()


def _message_ttl(room: RoomRow) -> timedelta:
    return timedelta(seconds=room.message_ttl)


async def _require_member(session: AsyncSession, room_id: str, visitor_id: str) -> MemberRow:
    member = await session.get(MemberRow, (room_id, visitor_id))
    if member is None:
        raise NotAMember(N_("Only members can do that. Join the room first."))
    return member


def _refuse(draft: _Draft, error: Exception) -> None:
    if not draft.stored.done():
        draft.stored.set_exception(error)

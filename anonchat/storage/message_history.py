"""Reads messages; caches the newest ones of each room."""

import sys
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, select

from models import MessageRow

from ..bus import Bus
from ..entities import Message
from ..events import (
    Event,
    EventsLost,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    RoomEnded,
)
from ..runtime.clock import Clock
from ..security.message_cipher import MessageCipher
from ..text.posts import is_id
from .database import Database
from .reactions import StoredReactions
from .room_cache import RoomCache

_MESSAGES_CACHED_MAX = 20_000
_PAGE_MAX = 201  # the longest page of the API, plus one message to detect that there are more
_KEY_WAIT_MAX = timedelta(minutes=10)  # a node that is away for longer may have lost its disk


@dataclass(slots=True)
class _Page:
    """The newest messages of a room, each with its author's visitor id; cached."""

    entries: deque[tuple[str, Message]]
    is_whole: bool  # there are no older messages
    may_lack_some: bool  # messages were left out whose keys another node may still share
    last_seq: int

    def is_continued_by(self, message: Message) -> bool:
        """Return whether no message is missing between this page and `message`."""
        return message.seq <= self.last_seq + 1

    def covers(self, seq: int) -> bool:
        """Return whether the page contains all messages from `seq` on."""
        return not self.may_lack_some and (
            self.is_whole or (bool(self.entries) and self.entries[0][1].seq <= seq)
        )

    def add(self, visitor_id: str, message: Message) -> None:
        if message.seq <= self.last_seq:
            return  # already read from the database
        self.last_seq = message.seq
        self.is_whole = self.is_whole and len(self.entries) < _PAGE_MAX
        self.entries.append((visitor_id, message))

    def change(self, message: Message) -> None:
        for index, (visitor_id, known) in enumerate(self.entries):
            if known.seq == message.seq and known.revision < message.revision:
                self.entries[index] = (visitor_id, message)

    def remove(self, seqs: tuple[int, ...]) -> None:
        deleted = set(seqs)
        remaining = [entry for entry in self.entries if entry[1].seq not in deleted]
        self.entries = deque(remaining, _PAGE_MAX)


class MessageHistory:
    """Returns the unexpired and decryptable messages of rooms, oldest first.

    The database work is done for `group`, a visitor (see `Database`).
    """

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        cipher: MessageCipher,
        reactions: StoredReactions,
    ) -> None:
        self._database = database
        self._clock = clock
        self._cipher = cipher
        self._reactions = reactions
        self._pages: RoomCache[_Page] = RoomCache(
            _MESSAGES_CACHED_MAX, bus.room_epoch, measure=lambda page: 1 + len(page.entries)
        )
        bus.subscribe(self._on_event)

    async def read(
        self, room_id: str, *, after: int | None, before: int | None, limit: int, group: str
    ) -> list[Message]:
        """Return up to `limit` messages.

        With `after`, the oldest ones after that `seq`; else the newest, before `before` if given.
        """
        if after is None and before is None and limit <= _PAGE_MAX:
            return await self._newest(room_id, group, limit)
        if after is not None and before is None:
            cached = self._find_cached(room_id, after + 1)
            if cached is not None:
                return [message for message in cached if message.seq > after][:limit]
        found, _ = await self._read(room_id, after=after, before=before, limit=limit, group=group)
        return [message for _, message in found]

    async def find(self, room_id: str, message_id: str, *, group: str) -> Message | None:
        """Return the message with that id."""
        if not is_id(message_id):
            return None
        query = select(MessageRow).where(is_live(room_id, self._clock()))
        async with self._database.read_session(group) as session:
            rows = (await session.exec(query.where(MessageRow.id == message_id))).all()
            found = await self._reactions.decrypt_messages(session, rows)
        return found[0] if found else None

    def add(self, posted: MessagePosted) -> None:
        """Add a message to the cached page; invalidate it if messages arrived out of order.

        A message may be added twice: on this node before its author is answered, so that the author
        finds it, and by its event.
        """
        message = posted.message
        page = self._pages.get(message.room_id)
        if page and not page.is_continued_by(message):
            self._pages.invalidate(message.room_id)
        else:
            self._pages.update(message.room_id, lambda page: page.add(posted.visitor_id, message))

    async def list_seqs(
        self, room_id: str, *, first: int, last: int, limit: int, group: str
    ) -> list[int]:
        """Return the `seq` of messages from `first` to `last`, undecryptable ones included."""
        cached = self._find_cached(room_id, first)
        if cached is not None:
            return [message.seq for message in cached if first <= message.seq <= last][:limit]
        seq = col(MessageRow.seq)
        query = select(seq).where(is_live(room_id, self._clock()), seq.between(first, last))
        query = query.order_by(seq).limit(limit)
        async with self._database.read_session(group) as session:
            return list((await session.exec(query)).all())

    async def list_changed(
        self, room_id: str, *, first: int, last: int, limit: int, group: str
    ) -> list[Message]:
        """Return the messages from `first` to `last` that were changed: the last ones, in order."""
        cached = self._find_cached(room_id, first)
        if cached is not None:
            changed = [each for each in cached if each.revision and first <= each.seq <= last]
            return changed[-limit:]
        seq = col(MessageRow.seq)
        query = select(MessageRow).where(is_live(room_id, self._clock()), seq.between(first, last))
        query = query.where(col(MessageRow.revision) > 0).order_by(seq.desc()).limit(limit)
        async with self._database.read_session(group) as session:
            rows = (await session.exec(query)).all()
            found = await self._reactions.decrypt_messages(session, rows)
        return [message for message in reversed(found) if message]

    def _find_cached(self, room_id: str, first: int) -> list[Message] | None:
        """Return the unexpired messages from a `seq` on, or `None` if not all are cached."""
        page = self._pages.get(room_id)
        if page is None or not page.covers(first):
            return None
        now = self._clock()
        live = [entry for entry in page.entries if entry[1].expires_at > now]
        if not all(
            self._cipher.can_decrypt_message(message, author_id) for author_id, message in live
        ):
            return None  # a key was destroyed, or another node has not shared it yet
        return [message for _, message in live]

    async def _newest(self, room_id: str, group: str, limit: int) -> list[Message]:
        load = partial(self._read_page, room_id, limit, group)
        page = await self._pages.get_or_load(room_id, load)
        live = self._list_live(page)
        if len(live) < limit and not page.is_whole:  # some expired, or the page was shorter
            self._pages.invalidate(room_id)
            live = self._list_live(await self._pages.get_or_load(room_id, load))
        return live[-limit:]

    def _list_live(self, page: _Page) -> list[Message]:
        now = self._clock()
        return [
            message
            for author_id, message in page.entries
            if message.expires_at > now and self._cipher.can_decrypt_message(message, author_id)
        ]

    async def _read_page(self, room_id: str, limit: int, group: str) -> _Page:
        found, may_lack_some = await self._read(
            room_id, after=None, before=None, limit=limit, group=group
        )
        last_seq = found[-1][1].seq if found else 0
        return _Page(
            deque(found, _PAGE_MAX),
            is_whole=len(found) < limit,
            may_lack_some=may_lack_some,
            last_seq=last_seq,
        )

    async def _read(
        self, room_id: str, *, after: int | None, before: int | None, limit: int, group: str
    ) -> tuple[list[tuple[str, Message]], bool]:
        """Return messages, oldest first, each with its author's visitor id.

        Also return whether any was left out whose keys another node may still share.
        """
        may_lack_some = False
        seq = col(MessageRow.seq)
        low, high = -1 if after is None else after, sys.maxsize if before is None else before
        found: list[tuple[str, Message]] = []
        async with self._database.read_session(group) as session:
            while (missing := limit - len(found)) > 0:
                # Always both bounds: without them the database sorts all messages of the room.
                query = select(MessageRow).where(is_live(room_id, self._clock()))
                query = query.where(seq > low, seq < high)
                query = query.order_by(seq.desc() if after is None else seq)
                rows = (await session.exec(query.limit(missing))).all()
                decrypted = zip(
                    rows, await self._reactions.decrypt_messages(session, rows), strict=True
                )
                for row, message in decrypted:
                    if message:
                        found.append((row.visitor_id, message))
                    elif self._may_be_decryptable_later(row):
                        may_lack_some = True
                        if after is not None:  # stop here: a reader that continues would skip it
                            return found, may_lack_some
                if len(rows) < missing:
                    break
                # Some were skipped because their keys are gone: continue with the next rows.
                low, high = (low, rows[-1].seq) if after is None else (rows[-1].seq, high)
        return found[::-1] if after is None else found, may_lack_some

    async def _on_event(self, event: Event) -> None:
        match event:
            case MessagePosted():
                self.add(event)
            case MessageEdited(message) | MessageReacted(message) | MessageOpened(message):
                self._pages.update(message.room_id, lambda page: page.change(message))
            case MessagesDeleted(room_id, seqs):
                self._pages.update(room_id, lambda page: page.remove(seqs))
            case RoomEnded(room_id):
                self._pages.invalidate(room_id)
            case EventsLost():
                self._pages.clear()

    def _may_be_decryptable_later(self, row: MessageRow) -> bool:
        """Return whether another node may still share the keys of a message."""
        return (
            not self._cipher.is_undecryptable(row) and row.posted_at > self._clock() - _KEY_WAIT_MAX
        )


def is_live(room_id: str, now: datetime) -> ColumnElement[bool]:
    """Return the SQL condition for unexpired messages of a room."""
    return and_(col(MessageRow.room_id) == room_id, col(MessageRow.expires_at) > now)

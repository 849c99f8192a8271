"""Posting, reading and deleting messages."""

import re
import sys
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement
from sqlmodel import and_, col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, RoomRow, SpanRow, TombstoneRow

from ..bus import Bus
from ..clock import Clock
from ..coarse_time import minute_after
from ..database import Database, again_after_clash
from ..errors import (
    N_,
    InvalidMessage,
    NotAllowed,
    NotAMember,
    NotFound,
    Unavailable,
)
from ..events import Event, MessagePosted, MessagesGone, NewsMissed, RoomEnded
from ..ids import new_id
from ..keystore import KeyStore, generation_of, span_of
from ..ledger import note_gone
from ..limits import Limits
from ..metrics import Metrics
from ..network_shares import NetworkShares
from ..nouns import Message
from ..posting import Desk, Draft
from ..seal import Hasher
from ..settings import Settings
from ..shelf import Shelf
from ..text import tidy_message
from ..vault import Vault

_PAGES_KEPT = 100
_PAGE_MOST = 201  # the longest page of the API, and the one message that tells there are more
_HOPE = timedelta(minutes=10)  # a node that was away for longer may have lost its disk
_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_TO_STAY = {"read": True, "key_share": True}  # nobody ends the room meanwhile
_NO_MESSAGE = N_("There is no such message, or it is gone already.")


@dataclass(slots=True)
class _Page:
    """The newest messages of a room, each with the visitor who wrote it."""

    said: deque[tuple[str, Message]]
    is_whole: bool  # there is nothing older
    may_lack: bool  # something was left out that another node may still bring the keys of
    last_seq: int

    def follows(self, message: Message) -> bool:
        """Tell whether nothing was said between what is here and this."""
        return message.seq <= self.last_seq + 1

    def reaches(self, seq: int) -> bool:
        """Tell whether everything from this `seq` on is here."""
        return not self.may_lack and (
            self.is_whole or (bool(self.said) and self.said[0][1].seq <= seq)
        )

    def add(self, visitor_id: str, message: Message) -> None:
        if message.seq <= self.last_seq:
            return  # it was read before this word of it
        self.last_seq = message.seq
        self.is_whole = self.is_whole and len(self.said) < _PAGE_MOST
        self.said.append((visitor_id, message))

    def remove(self, seqs: tuple[int, ...]) -> None:
        gone = set(seqs)
        left = [entry for entry in self.said if entry[1].seq not in gone]
        self.said = deque(left, _PAGE_MOST)


class Messages:
    """All messages."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        shares: NetworkShares,
        keys: KeyStore,
        vault: Vault,
        hasher: Hasher,
        metrics: Metrics,
        is_member: Callable[[str, str], Awaitable[bool]],
        renew_span: Callable[[int], Awaitable[None]],
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._keys = keys
        self._vault = vault
        self._hasher = hasher
        self._metrics = metrics
        self._is_member = is_member
        self._renew_span = renew_span
        self._desk = Desk(
            settings=settings,
            database=database,
            bus=bus,
            clock=clock,
            limits=limits,
            shares=shares,
            vault=vault,
            keep=self._keep,
        )
        self._pages: Shelf[_Page] = Shelf(_PAGES_KEPT, bus.hearing)
        bus.subscribe(self._on_event)

    async def post(
        self, room_id: str, *, visitor_id: str, text: str, dedup_id: str = ""
    ) -> Message:
        """Store a message and return it; the same `dedup_id` again returns the same message.

        Raises `InvalidMessage`, `MessageExpired`, `NotAMember`, `NotFound`, `LimitReached` or
        `Unavailable`.
        """
        with self._metrics.posting():
            text, dedup_id = tidy_message(text), _check_dedup_id(dedup_id)
            dedup_key = self._hasher.hash("dedup", room_id, visitor_id, dedup_id)
            return await self._desk.store(Draft(room_id, visitor_id, text, dedup_id, dedup_key))

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
        await self._check_member(room_id, visitor_id)
        if after is None and before is None and limit <= _PAGE_MOST:
            return await self._newest(room_id, visitor_id, limit)
        if after is not None and before is None:
            kept = self._find_kept(room_id, after + 1)
            if kept is not None:
                return [message for message in kept if message.seq > after][:limit]
        found, _ = await self._read(
            room_id, after=after, before=before, limit=limit, group=visitor_id
        )
        return [message for _, message in found]

    async def living_seqs(
        self, room_id: str, *, visitor_id: str, first: int, last: int, limit: int
    ) -> list[int]:
        """Return which messages from `first` to `last` are still there. Raises `NotAMember`."""
        await self._check_member(room_id, visitor_id)
        kept = self._find_kept(room_id, first)
        if kept is not None:
            return [message.seq for message in kept if first <= message.seq <= last][:limit]
        seq = col(MessageRow.seq)
        query = select(seq).where(self._living(room_id), seq.between(first, last))
        query = query.order_by(seq).limit(limit)
        async with self._database.reading(visitor_id) as session:
            return list((await session.exec(query)).all())

    async def delete(self, room_id: str, *, visitor_id: str, message_id: str) -> None:
        """Delete a message, which its author and the owner of the room may do.

        Its row goes, and then the key that could open a copy of it: what shares that key is given
        another one. A post with its `dedup_id` that comes late is refused. Raises `NotAMember`,
        `NotAllowed`, `TooOften`, `Unavailable`, or `NotFound` if it is gone already.
        """
        if not _ID.fullmatch(message_id):  # not every text can be asked for
            raise NotFound(_NO_MESSAGE)
        spend = self._limits.deletions.once(visitor_id)
        seq, number = await self._remove(room_id, visitor_id, message_id, spend)
        await self._bus.publish(MessagesGone(room_id, (seq,)))
        with suppress(Unavailable):  # then the janitor does it, in its next round
            await self._renew_span(number)

    @again_after_clash
    async def _remove(
        self, room_id: str, visitor_id: str, message_id: str, spend: Callable[[], None]
    ) -> tuple[int, int]:
        """Remove the row of a message; return its `seq`, and the span in which it would end."""
        query = select(MessageRow).where(self._living(room_id), MessageRow.id == message_id)
        async with self._database.transaction(visitor_id) as session:
            room = await session.get(RoomRow, room_id, with_for_update=_TO_STAY)
            member = await _require_member(session, room_id, visitor_id)
            row = (await session.exec(query.with_for_update())).first()
            if row is None:
                raise NotFound(_NO_MESSAGE)
            if row.visitor_id != visitor_id and (room is None or room.owner != member.author):
                raise NotAllowed(N_("Only its author and the owner of the room may delete it."))
            spend()
            number = span_of(row.expires_at)
            await self._begin_generation(session, number)
            await session.exec(delete(MessageRow).where(col(MessageRow.id) == message_id))
            session.add(_bury(row))
            await note_gone(session, messages=1)
        return row.seq, number

    async def _begin_generation(self, session: AsyncSession, number: int) -> None:
        """Let everything that ends in this span be sealed with other keys from now on."""
        await self._database.claim_span(session, number)
        span = await session.get(SpanRow, number) or SpanRow(number=number, generation=0, settled=0)
        known = map(generation_of, self._keys.names_of_span(number))
        span.generation = max(span.generation, *known, 0) + 1
        await self._keys.obtain(self._keys.own_of_span(number, span.generation))
        session.add(span)

    async def finish(self) -> None:
        """Wait until everything that was accepted for posting is stored."""
        await self._desk.finish()

    async def _check_member(self, room_id: str, visitor_id: str) -> None:
        if not await self._is_member(room_id, visitor_id):
            raise NotAMember(N_("Only members can do that. Join the room first."))

    def _find_kept(self, room_id: str, first: int) -> list[Message] | None:
        """Return what lives from a `seq` on, if all of it is kept; it need not be read then."""
        page = self._pages.peek(room_id)
        if page is None or not page.reaches(first):
            return None
        now = self._clock()
        living = [entry for entry in page.said if entry[1].expires_at > now]
        if not all(self._vault.can_open(message, author_id) for author_id, message in living):
            return None  # forgotten, or its keys are still on their way from another node
        return [message for _, message in living]

    async def _newest(self, room_id: str, visitor_id: str, limit: int) -> list[Message]:
        page = await self._obtain_page(room_id, limit, group=visitor_id)
        living = self._list_living(page)
        if len(living) < limit and not page.is_whole:  # some went, or more are asked for
            self._pages.drop(room_id)
            page = await self._obtain_page(room_id, limit, group=visitor_id)
            living = self._list_living(page)
        return living[-limit:]

    async def _obtain_page(self, room_id: str, limit: int, *, group: str) -> _Page:
        return await self._pages.obtain(room_id, lambda: self._read_page(room_id, limit, group))

    def _list_living(self, page: _Page) -> list[Message]:
        now = self._clock()
        return [
            message
            for author_id, message in page.said
            if message.expires_at > now and self._vault.can_open(message, author_id)
        ]

    async def _read_page(self, room_id: str, limit: int, group: str) -> _Page:
        found, may_lack = await self._read(
            room_id, after=None, before=None, limit=limit, group=group
        )
        last_seq = found[-1][1].seq if found else 0
        said = deque(found, _PAGE_MOST)
        return _Page(said, is_whole=len(found) < limit, may_lack=may_lack, last_seq=last_seq)

    async def _read(
        self, room_id: str, *, after: int | None, before: int | None, limit: int, group: str
    ) -> tuple[list[tuple[str, Message]], bool]:
        """Return messages, oldest first, each with the visitor who wrote it.

        Also tell whether any was left out whose keys another node may still bring.
        """
        may_lack = False
        seq = col(MessageRow.seq)
        low, high = -1 if after is None else after, sys.maxsize if before is None else before
        found: list[tuple[str, Message]] = []
        async with self._database.reading(group) as session:
            while (missing := limit - len(found)) > 0:
                # Bounds even where there are none: else all that live in the room are sorted.
                query = select(MessageRow).where(self._living(room_id), seq > low, seq < high)
                query = query.order_by(seq.desc() if after is None else seq)
                rows = (await session.exec(query.limit(missing))).all()
                opened = zip(rows, await self._vault.open_messages(rows), strict=True)
                for row, message in opened:
                    if message:
                        found.append((row.visitor_id, message))
                    elif self._may_come(row):
                        may_lack = True
                        if after is not None:  # it can be read later, so who reads on waits
                            return found, may_lack
                if len(rows) < missing:
                    break
                # Some could not be read, for their authors are being forgotten: on to the next.
                low, high = (low, rows[-1].seq) if after is None else (rows[-1].seq, high)
        return found[::-1] if after is None else found, may_lack

    async def _on_event(self, event: Event) -> None:
        match event:
            case MessagePosted(_, message, visitor_id):  # elsewhere: ours is kept already
                self._keep(visitor_id, message)
            case MessagesGone(room_id, seqs):
                self._pages.change(room_id, lambda page: page.remove(seqs))
            case RoomEnded(room_id):
                self._pages.drop(room_id)
            case NewsMissed():
                self._pages.clear()

    def _living(self, room_id: str) -> ColumnElement[bool]:
        return and_(col(MessageRow.room_id) == room_id, col(MessageRow.expires_at) > self._clock())

    def _may_come(self, row: MessageRow) -> bool:
        """Tell whether the keys of a message may still be brought by the node that made them."""
        return not self._vault.is_lost(row) and row.posted_at > self._clock() - _HOPE

    def _keep(self, visitor_id: str, message: Message) -> None:
        """Note what was said; of two nodes, the one that was later may be heard of first."""
        page = self._pages.peek(message.room_id)
        if page and not page.follows(message):
            self._pages.drop(message.room_id)
        else:
            self._pages.change(message.room_id, lambda page: page.add(visitor_id, message))


def _bury(row: MessageRow) -> TombstoneRow:
    return TombstoneRow(
        dedup_key=row.dedup_key,
        room_id=row.room_id,
        visitor_id=row.visitor_id,
        expires_at=minute_after(row.expires_at),
    )


def _check_dedup_id(dedup_id: str) -> str:
    """Return the id, or a new one for an empty one; a single bad one would spoil its batch."""
    if not isinstance(dedup_id, str) or not re.fullmatch(r"[!-~]{0,64}", dedup_id):
        raise InvalidMessage(N_("That is not a text."))
    return dedup_id or new_id()


async def _require_member(session: AsyncSession, room_id: str, visitor_id: str) -> MemberRow:
    member = await session.get(MemberRow, (room_id, visitor_id))
    if member is None:
        raise NotAMember(N_("Only members can do that. Join the room first."))
    return member

"""Messages: posting, reading and deleting."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import ColumnElement
from sqlmodel import col, delete, select
from sqlmodel.ext.asyncio.session import AsyncSession

from models import MemberRow, MessageRow, RoomRow, SpanRow, TombstoneRow

from ..bus import Bus
from ..crypto import Hasher
from ..entities import Member, Message, Post, Reviewed
from ..errors import (
    N_,
    NeedsConfirmation,
    NotAllowed,
    NotAMember,
    NotFound,
    Unavailable,
)
from ..events import MessagesDeleted
from ..ids import new_id
from ..lifetimes import check_message_lifetime
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..runtime.coarse_time import ceil_to_minute
from ..runtime.metrics import Metrics
from ..security.key_names import key_generation, span_at
from ..security.keystore import KeyStore
from ..settings import Settings
from ..storage.conflicts import retry_on_conflict
from ..storage.database import Database
from ..storage.draft import Draft
from ..storage.message_history import MessageHistory, is_live
from ..storage.message_writer import MessageWriter
from ..storage.purge_stats import count_purged
from ..text.mentions import find_mentions, may_mention
from ..text.posts import check_dedup_id, is_id, normalize_post

_FOR_KEY_SHARE = {"read": True, "key_share": True}  # so that the room is not ended meanwhile
_NO_MESSAGE = N_("There is no such message, or it is gone already.")


class Messages:
    """Posts, reads and deletes messages of members."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        keys: KeyStore,
        hasher: Hasher,
        metrics: Metrics,
        writer: MessageWriter,
        history: MessageHistory,
        require_member: Callable[[str, str], Awaitable[object]],
        list_members: Callable[[str], Awaitable[Iterable[Member]]],
        rotate_span_keys: Callable[[int], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._database = database
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._keys = keys
        self._hasher = hasher
        self._metrics = metrics
        self._writer = writer
        self._history = history
        self._require_member = require_member
        self._list_members = list_members
        self._rotate_span_keys = rotate_span_keys
        self.review: Callable[[str, str, Post], Awaitable[Reviewed]] | None = None
        """Called with room id, visitor id and every post before it is stored; may change it."""

    async def post(
        self,
        room_id: str,
        *,
        visitor_id: str,
        text: str = "",
        dedup_id: str = "",
        post: Post | None = None,
        confirmed: bool = True,
    ) -> Message:
        """Store a text, or a post, and return the message.

        A retry with the same `dedup_id` returns the same message. `confirmed` is whether the author
        wants to post in spite of warnings.

        Raises `InvalidMessage`, `MessageExpired`, `NeedsConfirmation`, `NotAMember`, `NotFound`,
        `LimitReached` or `Unavailable`, and what `review` raises, such as `Refused`.
        """
        with self._metrics.track_post():
            dedup_id = check_dedup_id(dedup_id) or new_id()
            post = normalize_post(post or Post(text))
            check_message_lifetime(self._settings, post.ttl)
            post = await self._review(room_id, visitor_id, post, confirmed=confirmed)
            draft = Draft(
                room_id,
                visitor_id,
                post,
                dedup_id,
                dedup_key=self._hasher.hash("dedup", room_id, visitor_id, dedup_id),
                mentions=await self._find_mentions(room_id, post.text),
            )
            return await self._writer.store(draft)

    async def _review(self, room_id: str, visitor_id: str, post: Post, *, confirmed: bool) -> Post:
        """Return what is stored instead of a post: what it answers, and its lifetime, stay."""
        if self.review is None:
            return post
        reviewed = await self.review(room_id, visitor_id, post)
        if reviewed.warnings and not confirmed:
            raise NeedsConfirmation(reviewed.warnings)
        return normalize_post(replace(reviewed.post, reply_to=post.reply_to, ttl=post.ttl))

    async def _find_mentions(self, room_id: str, text: str) -> tuple[str, ...]:
        """Return the authors whom a text mentions."""
        if not may_mention(text):
            return ()
        members = await self._list_members(room_id)
        return find_mentions(text, ((member.nickname, member.author) for member in members))

    async def history(
        self,
        room_id: str,
        *,
        visitor_id: str,
        after: int | None = None,
        before: int | None = None,
        limit: int,
    ) -> list[Message]:
        """Return up to `limit` unexpired messages, oldest first.

        With `after`, the oldest ones after that `seq`; else the newest, before `before` if given.
        Raises `NotAMember`.
        """
        await self._require_member(room_id, visitor_id)
        return await self._history.read(
            room_id, after=after, before=before, limit=limit, group=visitor_id
        )

    async def find(self, room_id: str, *, visitor_id: str, message_id: str) -> Message:
        """Return an unexpired message. Raises `NotAMember`, `NotFound` or `Unavailable`."""
        await self._require_member(room_id, visitor_id)
        found = await self._history.find(room_id, message_id, group=visitor_id)
        if found is None:
            raise NotFound(_NO_MESSAGE)
        return found

    async def list_seqs(
        self, room_id: str, *, visitor_id: str, first: int, last: int, limit: int
    ) -> list[int]:
        """Return the `seq` of unexpired messages from `first` to `last`. Raises `NotAMember`."""
        await self._require_member(room_id, visitor_id)
        return await self._history.list_seqs(
            room_id, first=first, last=last, limit=limit, group=visitor_id
        )

    async def delete(self, room_id: str, *, visitor_id: str, message_id: str) -> None:
        """Delete a message; allowed for its author and the owner of the room.

        Its row is deleted, then the key that decrypts copies of it is rotated, because other
        messages share that key. A late retry of the post is refused. Raises `NotAMember`,
        `NotAllowed`, `RateLimited`, `Unavailable`, or `NotFound` if it is already gone.
        """
        if not is_id(message_id):
            raise NotFound(_NO_MESSAGE)
        await self._delete(room_id, visitor_id, col(MessageRow.id) == message_id)

    async def delete_by_seq(self, room_id: str, *, visitor_id: str, seq: int) -> None:
        """Delete a message as `delete()` does."""
        await self._delete(room_id, visitor_id, col(MessageRow.seq) == seq)

    async def _delete(self, room_id: str, visitor_id: str, which: ColumnElement[bool]) -> None:
        charge = self._limits.deletions.hit_once(visitor_id)
        seq, number = await self._remove(room_id, visitor_id, which, charge)
        await self._bus.publish(MessagesDeleted(room_id, (seq,)))
        with suppress(Unavailable):  # the next purge retries
            await self._rotate_span_keys(number)

    @retry_on_conflict
    async def _remove(
        self,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
        charge: Callable[[], None],
    ) -> tuple[int, int]:
        """Delete the row of a message; return its `seq` and the number of its span."""
        query = select(MessageRow).where(is_live(room_id, self._clock()), which)
        async with self._database.transaction(visitor_id) as session:
            room = await session.get(RoomRow, room_id, with_for_update=_FOR_KEY_SHARE)
            member = await session.get(MemberRow, (room_id, visitor_id))
            if member is None:
                raise NotAMember
            row = (await session.exec(query.with_for_update())).first()
            if row is None:
                raise NotFound(_NO_MESSAGE)
            if row.visitor_id != visitor_id and (room is None or room.owner != member.author):
                raise NotAllowed(N_("Only its author and the owner of the room may delete it."))
            charge()
            number = span_at(row.expires_at)
            await self._begin_generation(session, number)
            await session.exec(delete(MessageRow).where(col(MessageRow.id) == row.id))
            session.add(
                TombstoneRow(
                    dedup_key=row.dedup_key,
                    room_id=row.room_id,
                    visitor_id=row.visitor_id,
                    expires_at=ceil_to_minute(row.expires_at),
                )
            )
            await count_purged(session, messages=1)
        return row.seq, number

    async def _begin_generation(self, session: AsyncSession, number: int) -> None:
        """Begin a key generation: later messages of this span are encrypted with new keys."""
        await self._database.lock_span_exclusively(session, number)
        span = await session.get(SpanRow, number) or SpanRow(number=number, generation=0, settled=0)
        generations = map(key_generation, self._keys.span_key_names(number))
        span.generation = max(span.generation, *generations, 0) + 1
        await self._keys.get_or_create(self._keys.own_span_key(number, span.generation))
        session.add(span)

    async def flush(self) -> None:
        """Wait until all accepted messages are stored."""
        await self._writer.flush()

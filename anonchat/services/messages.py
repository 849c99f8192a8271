"""Messages: posting, reading, editing, reacting and deleting."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import ColumnElement
from sqlmodel import col

from models import MessageRow

from ..bus import Bus
from ..crypto import Hasher
from ..entities import FoundMessages, Member, Message, Post, Reviewed, RoomSummary, may_moderate
from ..errors import (
    NeedsConfirmation,
    NotFound,
    RoomPaused,
    Unavailable,
    UnwantedWord,
)
from ..events import MembersMentioned, MessageEdited, MessagesDeleted
from ..ids import new_id
from ..lifetimes import check_message_lifetime
from ..limits.rate_limits import Limits
from ..runtime.clock import Clock
from ..runtime.cooperative import iterate_cooperatively
from ..runtime.metrics import Metrics
from ..settings import Settings
from ..storage.draft import Draft
from ..storage.mentions import Mention, mark_of
from ..storage.message_history import MessageHistory
from ..storage.message_search import MessageSearch
from ..storage.message_writer import MessageWriter
from ..storage.stored_messages import NO_MESSAGE, StoredMessages
from ..text.emoji import normalize_emoji
from ..text.mentions import find_mentions, may_mention
from ..text.posts import check_dedup_id, is_id, normalize_post
from ..text.search import split_query
from ..text.unwanted import find_unwanted, fold_word, split_words


class Messages:
    """Posts, reads, edits and deletes messages of members, and their reactions."""

    def __init__(
        self,
        *,
        settings: Settings,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        hasher: Hasher,
        metrics: Metrics,
        writer: MessageWriter,
        history: MessageHistory,
        search: MessageSearch,
        stored: StoredMessages,
        require_member: Callable[[str, str], Awaitable[Member]],
        find_room: Callable[[str], RoomSummary | None],
        list_members: Callable[[str], Awaitable[Sequence[Member]]],
        rotate_span_keys: Callable[[int], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._hasher = hasher
        self._metrics = metrics
        self._writer = writer
        self._history = history
        self._search = search
        self._stored = stored
        self._require_member = require_member
        self._find_room = find_room
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

        Raises `InvalidMessage`, `UnwantedWord`, `MessageExpired`, `NeedsConfirmation`,
        `NotAMember`, `NotFound`, `Muted`, `RoomPaused`, `TooSoon`, `LimitReached` or `Unavailable`,
        and what `review` raises, such as `Refused`.
        """
        with self._metrics.track_post():
            dedup_id = check_dedup_id(dedup_id) or new_id()
            post = normalize_post(post or Post(text))
            check_message_lifetime(self._settings, post.ttl)
            post = await self._review(room_id, visitor_id, post, confirmed=confirmed)
            await self._require_wanted(room_id, post.text)
            draft = Draft(
                room_id,
                visitor_id,
                post,
                dedup_id,
                dedup_key=self._hasher.hash("dedup", room_id, visitor_id, dedup_id),
                # Those of a text that is opened once are not known to others.
                mentions=() if post.once else await self._find_mentions(room_id, post.text),
            )
            return await self._writer.store(draft)

    async def _review(self, room_id: str, visitor_id: str, post: Post, *, confirmed: bool) -> Post:
        """Return what is stored instead of a post: what it answers, and its lifetime, stay."""
        if self.review is None:
            return post
        reviewed = await self.review(room_id, visitor_id, post)
        if reviewed.warnings and not confirmed:
            raise NeedsConfirmation(reviewed.warnings)
        return normalize_post(
            replace(reviewed.post, reply_to=post.reply_to, ttl=post.ttl, once=post.once)
        )

    async def _require_wanted(self, room_id: str, text: str) -> None:
        """Raise `UnwantedWord` if the room does not want a word of the text."""
        summary = self._find_room(room_id)
        unwanted = summary.room.rules.unwanted if summary else ()
        if not unwanted:
            return
        folded = [fold_word(word) async for word in iterate_cooperatively(split_words(text))]
        if word := find_unwanted(text, folded, unwanted):
            raise UnwantedWord(word=word)

    async def _require_no_pause(self, room_id: str, visitor_id: str) -> None:
        """Raise `RoomPaused` unless the member may write just now."""
        summary = self._find_room(room_id)
        if summary and summary.room.rules.paused:
            member = await self._require_member(room_id, visitor_id)
            if not may_moderate(member, summary.room):
                raise RoomPaused

    async def _find_mentions(self, room_id: str, text: str) -> tuple[Mention, ...]:
        """Return the members whom a text mentions."""
        if not may_mention(text):
            return ()
        members = await self._list_members(room_id)
        authors = find_mentions(text, ((member.nickname, member.author) for member in members))
        visitor_ids = {member.author: member.visitor_id for member in members}
        return tuple(
            Mention(author, visitor_ids[author], mark_of(self._hasher, room_id, author))
            for author in authors
        )

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

    async def search(
        self,
        room_id: str,
        *,
        visitor_id: str,
        query: str,
        before: int | None = None,
        limit: int,
    ) -> FoundMessages:
        """Return the newest messages that contain all words of the query, oldest first.

        Case and width of letters do not matter. With `before`, only those before that `seq`. One
        search reads up to `SEARCHED_MAX` messages; a query without words finds nothing. Raises
        `NotAMember` or `RateLimited`.
        """
        await self._require_member(room_id, visitor_id)
        self._limits.searches.hit(visitor_id)
        return await self._search.find(
            room_id, words=split_query(query), before=before, limit=limit, group=visitor_id
        )

    async def find(self, room_id: str, *, visitor_id: str, message_id: str) -> Message:
        """Return an unexpired message. Raises `NotAMember`, `NotFound` or `Unavailable`."""
        await self._require_member(room_id, visitor_id)
        found = await self._history.find(room_id, message_id, group=visitor_id)
        if found is None:
            raise NotFound(NO_MESSAGE)
        return found

    async def list_seqs(
        self, room_id: str, *, visitor_id: str, first: int, last: int, limit: int
    ) -> list[int]:
        """Return the `seq` of unexpired messages from `first` to `last`. Raises `NotAMember`."""
        await self._require_member(room_id, visitor_id)
        return await self._history.list_seqs(
            room_id, first=first, last=last, limit=limit, group=visitor_id
        )

    async def list_changed(
        self, room_id: str, *, visitor_id: str, first: int, last: int, limit: int
    ) -> list[Message]:
        """Return the unexpired messages from `first` to `last` that were changed, the last ones.

        They are in the order of `seq`. Raises `NotAMember`.
        """
        await self._require_member(room_id, visitor_id)
        return await self._history.list_changed(
            room_id, first=first, last=last, limit=limit, group=visitor_id
        )

    async def edit(
        self, room_id: str, *, visitor_id: str, message_id: str, text: str, confirmed: bool = True
    ) -> Message:
        """Change the text of an ordinary message; allowed for its author, while it lives.

        The new text is reviewed as a post is, and its expiry stays. The old text is as unreadable
        afterwards as a deleted one. Raises `InvalidMessage`, `UnwantedWord`, `NeedsConfirmation`,
        `NotAMember`, `NotAllowed`, `Muted`, `RoomPaused`, `RateLimited`, `Unavailable`, `NotFound`
        if it is gone, and what `review` raises.
        """
        which = _has_id(message_id)
        return await self._edit(room_id, visitor_id, which, text, confirmed=confirmed)

    async def edit_by_seq(
        self, room_id: str, *, visitor_id: str, seq: int, text: str, confirmed: bool = True
    ) -> Message:
        """Change the text of a message as `edit()` does."""
        which = col(MessageRow.seq) == seq
        return await self._edit(room_id, visitor_id, which, text, confirmed=confirmed)

    async def _edit(
        self,
        room_id: str,
        visitor_id: str,
        which: ColumnElement[bool],
        text: str,
        *,
        confirmed: bool,
    ) -> Message:
        post = normalize_post(Post(text))
        post = await self._review(room_id, visitor_id, post, confirmed=confirmed)
        await self._require_wanted(room_id, post.text)
        await self._require_no_pause(room_id, visitor_id)
        mentions = await self._find_mentions(room_id, post.text)

        def change(message: Message) -> Message:
            return replace(
                message,
                text=post.text,
                kind=post.kind,
                data=post.data,
                mentions=tuple(mention.author for mention in mentions),
                edited=True,
                revision=message.revision + 1,
            )

        charge = self._limits.edits.hit_once(visitor_id)
        others = [mention for mention in mentions if mention.visitor_id != visitor_id]
        before, message, number = await self._stored.edit(
            room_id, visitor_id, which, charge, change, others
        )
        if self._writer.is_readable(message, visitor_id):  # else deleted meanwhile
            await self._bus.publish(MessageEdited(message, visitor_id))
            await self._tell_mentioned(before, message, others)
        with suppress(Unavailable):  # the next purge retries
            await self._rotate_span_keys(number)
        return message

    async def _tell_mentioned(
        self, before: Message, message: Message, mentions: Iterable[Mention]
    ) -> None:
        """Tell the members whom a message mentions or no longer mentions since it was edited."""
        added = [each.visitor_id for each in mentions if each.author not in before.mentions]
        removed = {*before.mentions} - {*message.mentions}
        if not added and not removed:
            return
        members = await self._list_members(message.room_id) if removed else ()
        former = [member.visitor_id for member in members if member.author in removed]
        await self._bus.publish(
            MembersMentioned(message.room_id, message.seq, tuple(added), tuple(former))
        )

    async def delete(self, room_id: str, *, visitor_id: str, message_id: str) -> None:
        """Delete a message; allowed for its author, and for who may act on them to keep order.

        Its row is deleted, then the key that decrypts copies of it is rotated, because other
        messages share that key. A late retry of the post is refused. Raises `NotAMember`,
        `NotAllowed`, `RateLimited`, `Unavailable`, or `NotFound` if it is already gone.
        """
        await self._delete(room_id, visitor_id, _has_id(message_id))

    async def delete_by_seq(self, room_id: str, *, visitor_id: str, seq: int) -> None:
        """Delete a message as `delete()` does."""
        await self._delete(room_id, visitor_id, col(MessageRow.seq) == seq)

    async def _delete(self, room_id: str, visitor_id: str, which: ColumnElement[bool]) -> None:
        charge = self._limits.deletions.hit_once(visitor_id)
        seq, number = await self._stored.delete(room_id, visitor_id, which, charge)
        await self._bus.publish(MessagesDeleted(room_id, (seq,)))
        with suppress(Unavailable):  # the next purge retries
            await self._rotate_span_keys(number)

    async def react(
        self, room_id: str, *, visitor_id: str, message_id: str, emoji: str, on: bool
    ) -> Message:
        """Add or remove a reaction of a member to a message; return the message as it is then.

        Adding a second time, and removing what is not there, change nothing. Raises
        `InvalidMessage` if it is not one emoji, `NotAMember`, `NotFound`, `Muted`, `LimitReached`,
        `RateLimited` or `Unavailable`.
        """
        return await self._react(room_id, visitor_id, _has_id(message_id), emoji, on=on)

    async def react_by_seq(
        self, room_id: str, *, visitor_id: str, seq: int, emoji: str, on: bool
    ) -> Message:
        """Add or remove a reaction as `react()` does."""
        return await self._react(room_id, visitor_id, col(MessageRow.seq) == seq, emoji, on=on)

    async def _react(
        self, room_id: str, visitor_id: str, which: ColumnElement[bool], emoji: str, *, on: bool
    ) -> Message:
        emoji = normalize_emoji(emoji)
        charge = self._limits.reactions.hit_once(visitor_id)
        event, is_changed = await self._stored.react(
            room_id, visitor_id, which, charge, emoji, on=on
        )
        if is_changed and self._writer.is_readable(event.message, event.visitor_id):
            await self._bus.publish(event)
        return event.message

    async def open_once(self, room_id: str, *, visitor_id: str, message_id: str) -> str:
        """Return the text of a message that is `once`, to each of its readers a single time.

        These are the others who were members when it was posted. When all have opened it, it is
        deleted. Raises `NotAMember`, `NotAllowed`, `NotFound`, `RateLimited` or `Unavailable`.
        """
        return await self._open_once(room_id, visitor_id, _has_id(message_id))

    async def open_once_by_seq(self, room_id: str, *, visitor_id: str, seq: int) -> str:
        """Return the text of a message as `open_once()` does."""
        return await self._open_once(room_id, visitor_id, col(MessageRow.seq) == seq)

    async def _open_once(self, room_id: str, visitor_id: str, which: ColumnElement[bool]) -> str:
        charge = self._limits.openings.hit_once(visitor_id)
        text, event, number = await self._stored.open_once(room_id, visitor_id, which, charge)
        await self._bus.publish(event)
        if number is not None:
            with suppress(Unavailable):  # the next purge retries
                await self._rotate_span_keys(number)
        return text

    async def flush(self) -> None:
        """Wait until all accepted messages are stored."""
        await self._writer.flush()


def _has_id(message_id: str) -> ColumnElement[bool]:
    """Return the condition for the message with that id; raise `NotFound` if it cannot be one."""
    if not is_id(message_id):
        raise NotFound(NO_MESSAGE)
    return col(MessageRow.id) == message_id

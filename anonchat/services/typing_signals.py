"""Typing signals: who is writing a message in a room, on any node. Nothing of it is stored."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from ..bus import Bus
from ..entities import Member, Preferences, Typing
from ..events import (
    Event,
    MemberLeft,
    MessagePosted,
    PresenceChanged,
    RoomEnded,
    TypingChanged,
    TypingSignalled,
)
from ..limits.rate_limits import Limits
from ..mutes import find_mute
from ..runtime.clock import Clock

NAMED_MAX = 4  # a member who is one of them is shown the other three
_LASTS = timedelta(seconds=6)
_INTERVAL = timedelta(seconds=3)
_NOBODY = Typing()


class TypingSignals:
    """Knows who is typing: the members whose last signal is less than six seconds old.

    It ends sooner when they post, close the room or leave it. Changes of what is shown are
    published four times a second at most, those by a post or a departure at once.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        clock: Clock,
        limits: Limits,
        require_member: Callable[[str, str], Awaitable[Member]],
        read_preferences: Callable[[str], Awaitable[Preferences]],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._require_member = require_member
        self._read_preferences = read_preferences
        # Until when, by room and author; those who began first come first.
        self._until: dict[str, dict[str, datetime]] = {}
        self._published: dict[str, Typing] = {}  # by room
        bus.subscribe(self._on_event)

    async def signal(self, room_id: str, *, visitor_id: str) -> None:
        """Note that a member is typing, unless they prefer not to show it, or are muted.

        Of several signals in three seconds the first one counts. Raises `NotAMember`, `RateLimited`
        or `Unavailable`.
        """
        member = await self._require_member(room_id, visitor_id)
        self._limits.typing.hit(visitor_id)
        if find_mute(member.muted_until, self._clock()):
            return
        preferences = await self._read_preferences(visitor_id)
        if not (preferences.shows_typing and preferences.shows_presence):
            return
        until = self._until.get(room_id, {}).get(member.author)
        if until is None or until - self._clock() <= _LASTS - _INTERVAL:
            await self._bus.publish(TypingSignalled(room_id, member.author))

    def get(self, room_id: str) -> Typing:
        """Return who is typing in a room, as published: a page that shows it misses no change."""
        return self._published.get(room_id, _NOBODY)

    async def tick(self) -> None:
        """Publish what has changed, and forget old signals."""
        now = self._clock()
        for room_id, by_author in list(self._until.items()):
            for author in [author for author, until in by_author.items() if until <= now]:
                self._drop(room_id, author)
            await self._publish_change(room_id)

    async def _on_event(self, event: Event) -> None:
        match event:
            case TypingSignalled(room_id, author):
                self._until.setdefault(room_id, {})[author] = self._clock() + _LASTS
            case MessagePosted(room, message):
                await self._end(room.id, message.author)
            case MemberLeft(room_id, _, author):
                await self._end(room_id, author)
            case PresenceChanged(member, False):
                await self._end(member.room_id, member.author)
            case RoomEnded(room_id):
                self._until.pop(room_id, None)
                self._published.pop(room_id, None)

    async def _end(self, room_id: str, author: str) -> None:
        if self._drop(room_id, author):
            await self._publish_change(room_id)

    def _drop(self, room_id: str, author: str) -> bool:
        """Forget that an author is typing; return whether they were."""
        by_author = self._until.get(room_id, {})
        was_typing = by_author.pop(author, None) is not None
        if not by_author:
            self._until.pop(room_id, None)
        return was_typing

    async def _publish_change(self, room_id: str) -> None:
        typing = self._find(room_id)
        if typing == self.get(room_id):
            return
        if typing == _NOBODY:
            del self._published[room_id]
        else:
            self._published[room_id] = typing
        await self._bus.publish_local(TypingChanged(room_id, typing))

    def _find(self, room_id: str) -> Typing:
        now = self._clock()
        authors = tuple(
            author for author, until in self._until.get(room_id, {}).items() if until > now
        )
        return Typing(authors) if len(authors) <= NAMED_MAX else Typing(several=True)

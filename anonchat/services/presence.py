"""Presence: which members have a room open now, on any node."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from ..bus import Bus
from ..entities import Member, Preferences
from ..errors import LimitReached, StartupError, Unavailable
from ..events import (
    BadgeChanged,
    Event,
    EventsLost,
    MemberLeft,
    PeerPresence,
    PreferencesChanged,
    PresenceChanged,
    PresenceSnapshot,
    RoomEnded,
)
from ..runtime.cooperative import iterate_cooperatively

_NODE_TIMEOUT_SECONDS = 6.0
_SNAPSHOT_SECONDS = 60.0
_HEARTBEAT_SECONDS = 2.0
_ANSWER_TIMEOUT_SECONDS = 1.0
_CHECKED_AT_ONCE = 20  # visitors, so that the next heartbeat is not late
_CHECK_SECONDS = 1.0
_log = logging.getLogger(__name__)

_Members = dict[str, dict[str, Member]]  # by room and pseudonym


class Presence:
    """Tracks present members: those with the room open in at least one page, on any node.

    Those who prefer not to show it are hidden: they have it open, but do not count as present.

    Each node publishes the changes on it, a heartbeat every two seconds, and a snapshot of all its
    present members every minute.
    """

    def __init__(
        self,
        *,
        bus: Bus,
        node: str,
        read_preferences: Callable[[str], Awaitable[Preferences]],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bus = bus
        self._read_preferences = read_preferences
        self._unchecked: set[str] = set()  # visitors whose preferences may have changed unnoticed
        self._node = node
        self._elapsed = elapsed
        self._pages: dict[str, dict[str, set[str]]] = {}  # of this node, by room and pseudonym
        self._local: _Members = {}
        self._remote: dict[str, _Members] = {}  # by node
        self._last_seen: dict[str, float] = {}  # by node
        self._heartbeat_at = self._snapshot_at = 0.0
        self._answers: asyncio.Queue[str] | None = None  # node ids, while `announce` waits
        self._is_announced = False
        self._is_shutting_down = False
        bus.subscribe(self._on_event)

    async def enter(self, member: Member, *, page_id: str) -> None:
        """Note that a page of this member shows the room."""
        pages = self._pages.setdefault(member.room_id, {}).setdefault(member.author, set())
        if page_id in pages:
            return
        pages.add(page_id)
        if len(pages) == 1:
            is_hidden = await self._is_hidden(member.visitor_id)
            if self._pages.get(member.room_id, {}).get(member.author) is pages:  # not closed yet
                await self._show(replace(member, is_hidden=True) if is_hidden else member)

    async def leave(self, member: Member, *, page_id: str) -> None:
        """Note that a page of this member no longer shows the room."""
        pages = self._pages.get(member.room_id, {}).get(member.author, set())
        if page_id not in pages:
            return
        pages.remove(page_id)
        if not pages:
            self._drop_pages(member.room_id, member.author)
            await self._remove(self._local, member)
            self._bus.publish_remote(PeerPresence(self._node, member, False))

    def list_present(self, room_id: str) -> frozenset[str]:
        """Return the pseudonyms of the members who are present."""
        return frozenset(
            author
            for present in self._all()
            for author, member in present.get(room_id, {}).items()
            if not member.is_hidden
        )

    def list_open(self, room_id: str) -> frozenset[str]:
        """Return the pseudonyms of the members who have the room open, hidden ones too."""
        return frozenset(author for present in self._all() for author in present.get(room_id, ()))

    def count_peers(self) -> int:
        """Return the number of other nodes whose heartbeat is recent."""
        return len(self._last_seen)

    async def tick(self) -> None:
        """Send a heartbeat or snapshot if due, and remove nodes whose heartbeat timed out."""
        now = self._elapsed()
        if now - self._snapshot_at > _SNAPSHOT_SECONDS:
            self.publish_snapshot()
        elif now - self._heartbeat_at > _HEARTBEAT_SECONDS:
            self._send_heartbeat(None)
        for node, last_seen in list(self._last_seen.items()):
            if now - last_seen > _NODE_TIMEOUT_SECONDS:
                del self._last_seen[node]
                await self._replace(node, ())
                self._bus.report_gap()  # it may have crashed with events unsent
        if self._unchecked:
            await self._check_preferences()

    async def announce(self) -> None:
        """Ask the other nodes for their ids and present members.

        Raises `StartupError` if another node has the same id. It waits for as many answers as the
        bus has subscribers, so a crashed node does not delay its replacement, and for 1 s at most.
        """
        others = await self._bus.count_others()
        answers: asyncio.Queue[str] = asyncio.Queue()
        self._answers = answers
        self._send_heartbeat(None, asks=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_ANSWER_TIMEOUT_SECONDS):
                nodes: set[str] = set()  # a node may answer more than once
                while len(nodes) < others:
                    nodes.add(await answers.get())
                    if self._node in nodes:
                        raise StartupError(
                            f"ANONCHAT_NODE_ID: another running node has the id {self._node}"
                        )
        self._answers, self._is_announced = None, True

    def publish_snapshot(self, *, asks: bool = False) -> None:
        """Send the present members of this node to the other nodes; `asks` requests theirs."""
        self._snapshot_at = self._elapsed()
        self._send_heartbeat(_list(self._local), asks=asks)

    def announce_shutdown(self) -> None:
        """Announce to the other nodes that this node stops and that no events of it were lost."""
        if self._is_announced:
            self._bus.publish_remote(PresenceSnapshot(self._node, (), leaves=True))
            self._is_shutting_down = True

    def _send_heartbeat(self, members: tuple[Member, ...] | None, *, asks: bool = False) -> None:
        """Send a heartbeat, with a snapshot unless `members` is `None`."""
        self._heartbeat_at = self._elapsed()
        if self._is_shutting_down:  # else other nodes would add it again
            return
        self._bus.publish_remote(PresenceSnapshot(self._node, members, asks))

    async def _on_event(self, event: Event) -> None:
        match event:
            case MemberLeft(room_id, _, author):
                self._drop_pages(room_id, author)
                for present in self._all():
                    _pop(present, room_id, author)
            case RoomEnded(room_id):
                self._pages.pop(room_id, None)
                for present in self._all():
                    present.pop(room_id, None)
            case PreferencesChanged(visitor_id, preferences):
                self._unchecked.discard(visitor_id)
                await self._hide_or_show(visitor_id, not preferences.shows_presence)
            case BadgeChanged(visitor_id, badge):
                for members in (members for present in self._all() for members in present.values()):
                    for author, member in members.items():
                        if member.visitor_id == visitor_id:
                            members[author] = replace(member, badge=badge)
            case PeerPresence(node, member, is_present):
                present = self._remote.setdefault(node, {})
                await (self._add(present, member) if is_present else self._remove(present, member))
            case PresenceSnapshot(node, leaves=True):
                self._last_seen.pop(node, None)
                await self._replace(node, ())
            case PresenceSnapshot(node, members, asks):
                if self._answers:
                    self._answers.put_nowait(node)
                elif node == self._node:
                    _log.error(
                        "another node has the same id %s, so keys will conflict: stop one of "
                        "them and change its ANONCHAT_NODE_ID",
                        node,
                    )
                self._last_seen[node] = self._elapsed()
                if members is not None:
                    await self._replace(node, members)
                if asks:
                    self.publish_snapshot()
            case EventsLost():
                self._unchecked = self._list_visitors()
                self.publish_snapshot(asks=True)

    async def _is_hidden(self, visitor_id: str) -> bool:
        try:
            return not (await self._read_preferences(visitor_id)).shows_presence
        except (LimitReached, Unavailable):  # a tick asks again
            self._unchecked.add(visitor_id)
            return True

    async def _check_preferences(self) -> None:
        """Hide or show some of the visitors whose preferences may have changed unnoticed."""
        self._unchecked &= self._list_visitors()
        read: dict[str, Preferences] = {}
        with suppress(TimeoutError):
            async with asyncio.timeout(_CHECK_SECONDS):
                for visitor_id in [*islice(self._unchecked, _CHECKED_AT_ONCE)]:
                    with suppress(LimitReached, Unavailable):  # the next tick asks again
                        read[visitor_id] = await self._read_preferences(visitor_id)
        for visitor_id, preferences in read.items():
            if visitor_id in self._unchecked:  # else they have been changed meanwhile
                self._unchecked.discard(visitor_id)
                await self._hide_or_show(visitor_id, not preferences.shows_presence)

    def _list_visitors(self) -> set[str]:
        """Return the visitors whose pages on this node show rooms."""
        return {member.visitor_id for member in _list(self._local)}

    async def _hide_or_show(self, visitor_id: str, is_hidden: bool) -> None:
        """Hide or show a visitor in the rooms that pages of this node show."""
        for member in _list(self._local):
            if member.visitor_id == visitor_id and member.is_hidden != is_hidden:
                await self._show(replace(member, is_hidden=is_hidden))

    async def _show(self, member: Member) -> None:
        await self._add(self._local, member)
        self._bus.publish_remote(PeerPresence(self._node, member, True))

    async def _replace(self, node: str, members: Sequence[Member]) -> None:
        present = self._remote.setdefault(node, {})
        reported = {(member.room_id, member.author) for member in members}
        async for member in iterate_cooperatively(_list(present)):
            if (member.room_id, member.author) not in reported:
                await self._remove(present, member)
        async for member in iterate_cooperatively(members):
            await self._add(present, member)
        if not present:
            self._remote.pop(node, None)

    async def _add(self, present: _Members, member: Member) -> None:
        was_present = self._is_present(member)
        present.setdefault(member.room_id, {})[member.author] = member
        await self._publish_change(member, was_present)

    async def _remove(self, present: _Members, member: Member) -> None:
        was_present = self._is_present(member)
        # The member as added, because `member` may lack the nickname.
        if removed := _pop(present, member.room_id, member.author):
            await self._publish_change(removed, was_present)

    async def _publish_change(self, member: Member, was_present: bool) -> None:
        is_present = self._is_present(member)
        if is_present != was_present:
            await self._bus.publish_local(PresenceChanged(member, is_present))

    def _is_present(self, member: Member) -> bool:
        found = (present.get(member.room_id, {}).get(member.author) for present in self._all())
        return any(each is not None and not each.is_hidden for each in found)

    def _all(self) -> list[_Members]:
        return [self._local, *self._remote.values()]

    def _drop_pages(self, room_id: str, author: str) -> None:
        pages = self._pages.get(room_id, {})
        pages.pop(author, None)
        if not pages:
            self._pages.pop(room_id, None)


def _list(present: _Members) -> tuple[Member, ...]:
    return tuple(member for members in present.values() for member in members.values())


def _pop(present: _Members, room_id: str, author: str) -> Member | None:
    members = present.get(room_id, {})
    removed = members.pop(author, None)
    if not members:
        present.pop(room_id, None)
    return removed

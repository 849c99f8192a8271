"""Who has a room open right now."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from ..bus import Bus
from ..errors import StartError
from ..events import (
    Event,
    MemberLeft,
    NewsMissed,
    PresenceChanged,
    PresenceTold,
    RollTold,
    RoomEnded,
)
from ..nouns import Member

_SILENT_SECONDS = 6.0
_ROLL_SECONDS = 60.0
_PULSE_SECONDS = 2.0
_AT_ONCE = 50
_INTRODUCTION_SECONDS = 1.0
_log = logging.getLogger(__name__)

_Here = dict[str, dict[str, Member]]  # by room and pseudonym


class Presence:
    """A member is present in a room while at least one of their screens shows it, on any node.

    Each node tells the others of those who are present on it, and every two seconds that it lives.
    """

    def __init__(
        self, *, bus: Bus, node: str, elapsed: Callable[[], float] = time.monotonic
    ) -> None:
        self._bus = bus
        self._node = node
        self._elapsed = elapsed
        self._screens: dict[str, dict[str, set[str]]] = {}
        self._here: _Here = {}
        self._elsewhere: dict[str, _Here] = {}  # by node
        self._heard_at: dict[str, float] = {}
        self._told_at = self._roll_at = 0.0
        self._answers: asyncio.Queue[str] | None = None  # while this node introduces itself
        self._is_known = False
        self._has_left = False
        bus.subscribe(self._on_event)

    async def enter(self, member: Member, *, screen: str) -> None:
        """Note that a screen shows the room to this member."""
        screens = self._screens.setdefault(member.room_id, {}).setdefault(member.author, set())
        if screen in screens:
            return
        screens.add(screen)
        if len(screens) == 1:
            await self._come(self._here, member)
            self._bus.send(PresenceTold(self._node, member, True))

    async def leave(self, member: Member, *, screen: str) -> None:
        """Note that a screen does not show the room to this member any more."""
        screens = self._screens.get(member.room_id, {}).get(member.author, set())
        if screen not in screens:
            return
        screens.remove(screen)
        if not screens:
            self._drop(member.room_id, member.author)
            await self._go(self._here, member)
            self._bus.send(PresenceTold(self._node, member, False))

    def list_present(self, room_id: str) -> frozenset[str]:
        """Return the pseudonyms of the members who are present."""
        return frozenset(author for here in self._all() for author in here.get(room_id, ()))

    def count_nodes(self) -> int:
        """Return how many other nodes have been heard of lately."""
        return len(self._heard_at)

    async def pulse(self) -> None:
        """Let time pass: tell the others that this node lives, and miss those who are silent."""
        now = self._elapsed()
        if now - self._roll_at > _ROLL_SECONDS:
            self._call_roll()
        elif now - self._told_at > _PULSE_SECONDS:
            self._tell_roll(None)
        for node, heard_at in list(self._heard_at.items()):
            if now - heard_at > _SILENT_SECONDS:
                del self._heard_at[node]
                await self._replace(node, ())
                self._bus.miss()  # it may have died before it told what it did

    async def introduce(self) -> None:
        """Ask the other nodes who they are and who is present there.

        Raises `StartError` if one of them bears our name. It waits for those who listen now: who
        was killed does not, so whoever is started in their place is not held up.
        """
        others = await self._bus.count_others()
        answers: asyncio.Queue[str] = asyncio.Queue()
        self._answers = answers
        self._tell_roll(None, asks=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(_INTRODUCTION_SECONDS):
                heard: set[str] = set()  # some say more than one thing meanwhile
                while len(heard) < others:
                    heard.add(await answers.get())
                    if self._node in heard:
                        raise StartError(
                            f"ANONCHAT_NODE_ID: another node is running that is called {self._node}"
                        )
        self._answers, self._is_known = None, True

    def tell(self) -> None:
        """Tell the other nodes who is present here."""
        self._call_roll()

    def ask(self) -> None:
        """Ask the other nodes who is present there, and tell them the same of this one."""
        self._call_roll(asks=True)

    def say_goodbye(self) -> None:
        """Tell the other nodes that this one ends, and has told all it had to tell."""
        if self._is_known:
            self._bus.send(RollTold(self._node, (), leaves=True))
            self._has_left = True

    def _call_roll(self, *, asks: bool = False) -> None:
        self._roll_at = self._elapsed()
        self._tell_roll(_list(self._here), asks=asks)

    def _tell_roll(self, members: tuple[Member, ...] | None, *, asks: bool = False) -> None:
        self._told_at = self._elapsed()
        if self._has_left:  # an answer now would bring back those who have just gone
            return
        self._bus.send(RollTold(self._node, members, asks))

    async def _on_event(self, event: Event) -> None:
        match event:
            case MemberLeft(room_id, _, author):
                self._drop(room_id, author)
                for here in self._all():
                    _take(here, room_id, author)
            case RoomEnded(room_id):
                self._screens.pop(room_id, None)
                for here in self._all():
                    here.pop(room_id, None)
            case PresenceTold(node, member, present):
                here = self._elsewhere.setdefault(node, {})
                await (self._come(here, member) if present else self._go(here, member))
            case RollTold(node, leaves=True):
                self._heard_at.pop(node, None)
                await self._replace(node, ())
            case RollTold(node, members, asks):
                if self._answers:
                    self._answers.put_nowait(node)
                elif node == self._node:
                    _log.error("another node has our name, %s: keys will clash", node)
                self._heard_at[node] = self._elapsed()
                if members is not None:
                    await self._replace(node, members)
                if asks:
                    self._call_roll()
            case NewsMissed():
                self.ask()

    async def _replace(self, node: str, members: Sequence[Member]) -> None:
        here = self._elsewhere.setdefault(node, {})
        told = {(member.room_id, member.author) for member in members}
        for number, member in enumerate(_list(here), 1):
            if (member.room_id, member.author) not in told:
                await self._go(here, member)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        for number, member in enumerate(members, 1):
            await self._come(here, member)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)
        if not here:
            self._elsewhere.pop(node, None)

    async def _come(self, here: _Here, member: Member) -> None:
        is_new = not self._is_anywhere(member)
        here.setdefault(member.room_id, {})[member.author] = member
        if is_new:
            await self._bus.tell(PresenceChanged(member, True))

    async def _go(self, here: _Here, member: Member) -> None:
        gone = _take(here, member.room_id, member.author)
        if gone and not self._is_anywhere(gone):  # as they came: a member may go without a nickname
            await self._bus.tell(PresenceChanged(gone, False))

    def _is_anywhere(self, member: Member) -> bool:
        return any(member.author in here.get(member.room_id, ()) for here in self._all())

    def _all(self) -> list[_Here]:
        return [self._here, *self._elsewhere.values()]

    def _drop(self, room_id: str, author: str) -> None:
        present = self._screens.get(room_id, {})
        present.pop(author, None)
        if not present:
            self._screens.pop(room_id, None)


def _list(here: _Here) -> tuple[Member, ...]:
    return tuple(member for members in here.values() for member in members.values())


def _take(here: _Here, room_id: str, author: str) -> Member | None:
    members = here.get(room_id, {})
    gone = members.pop(author, None)
    if not members:
        here.pop(room_id, None)
    return gone

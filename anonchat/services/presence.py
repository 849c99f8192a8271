"""Who has a room open right now."""

from ..bus import Bus
from ..events import Event, MemberLeft, PresenceChanged, RoomEnded
from ..nouns import Member


class Presence:
    """A member is present in a room while at least one of their screens shows it."""

    def __init__(self, *, bus: Bus) -> None:
        self._bus = bus
        self._screens: dict[str, dict[str, set[str]]] = {}
        bus.subscribe(self._on_event)

    async def enter(self, member: Member, *, screen: str) -> None:
        """Note that a screen shows the room to this member."""
        screens = self._screens.setdefault(member.room_id, {}).setdefault(member.author, set())
        if screen in screens:
            return
        screens.add(screen)
        if len(screens) == 1:
            await self._bus.publish(PresenceChanged(member, True))

    async def leave(self, member: Member, *, screen: str) -> None:
        """Note that a screen does not show the room to this member any more."""
        screens = self._screens.get(member.room_id, {}).get(member.author, set())
        if screen not in screens:
            return
        screens.remove(screen)
        if not screens:
            self._drop(member.room_id, member.author)
            await self._bus.publish(PresenceChanged(member, False))

    def list_present(self, room_id: str) -> frozenset[str]:
        """Return the pseudonyms of the members who are present."""
        return frozenset(self._screens.get(room_id, ()))

    async def _on_event(self, event: Event) -> None:
        match event:
            case MemberLeft(room_id, _, author):
                self._drop(room_id, author)
            case RoomEnded(room_id):
                self._screens.pop(room_id, None)

    def _drop(self, room_id: str, author: str) -> None:
        present = self._screens.get(room_id, {})
        present.pop(author, None)
        if not present:
            self._screens.pop(room_id, None)

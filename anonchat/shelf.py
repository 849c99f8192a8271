"""What was read of the rooms that were looked at last, so that it need not be read again."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """Keeps one thing for each of so many rooms; the one not asked for the longest goes.

    Whoever changes the room changes what is kept as well. What changed while it was being read is
    not kept, for nobody knows whether it was read before or after the change. Neither is what is
    read of a room of whose changes not everything is heard: `hearing` tells (see `Bus.hearing`).
    """

    def __init__(self, most: int, hearing: Callable[[str], object | None]) -> None:
        self._most = most
        self._hearing = hearing
        self._kept: dict[str, tuple[object, T]] = {}
        self._reading: dict[str, object] = {}

    async def obtain(self, room_id: str, read: Callable[[], Awaitable[T]]) -> T:
        """Return what is kept of the room; read it if nothing is."""
        heard = self._hearing(room_id)
        kept = self._kept.pop(room_id, None)
        if kept and kept[0] is heard:
            self._kept[room_id] = kept
            return kept[1]
        mark = self._reading[room_id] = object()
        try:
            fresh = await read()
        finally:
            is_unchanged = self._reading.get(room_id) is mark
            if is_unchanged:
                del self._reading[room_id]
        if is_unchanged and heard and self._hearing(room_id) is heard:
            self._kept[room_id] = heard, fresh
            if len(self._kept) > self._most:
                self.drop(next(iter(self._kept)))
        return fresh

    def peek(self, room_id: str) -> T | None:
        """Return what is kept of the room, if anything is."""
        mark, kept = self._kept.get(room_id, (None, None))
        return kept if mark and mark is self._hearing(room_id) else None

    def change(self, room_id: str, how: Callable[[T], object]) -> None:
        """Change what is kept of the room, if anything is."""
        self._reading.pop(room_id, None)
        if kept := self._kept.get(room_id):
            how(kept[1])

    def drop(self, room_id: str) -> None:
        """Keep nothing of the room."""
        self._reading.pop(room_id, None)
        self._kept.pop(room_id, None)

    def clear(self) -> None:
        """Keep nothing."""
        self._reading.clear()
        self._kept.clear()

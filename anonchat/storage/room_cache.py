"""A cache of one value per room, with least-recently-used eviction."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    epoch: object
    value: T
    size: int


class RoomCache(Generic[T]):
    """Caches one value for each of many rooms (LRU).

    `measure` returns the size of a value; all of them together have at most `size_max`.

    The caller updates the value when the room changes. A value is not cached if the room changed
    while it was loaded, because it may predate the change. Nor is it cached, or served, unless all
    events of the room were received since: `room_epoch` stays the same (see `Bus.room_epoch`).
    """

    def __init__(
        self,
        size_max: int,
        room_epoch: Callable[[str], object | None],
        *,
        measure: Callable[[T], int],
    ) -> None:
        self._size_max = size_max
        self._room_epoch = room_epoch
        self._measure = measure
        self._entries: OrderedDict[str, _Entry[T]] = OrderedDict()
        self._size = 0
        self._loading: dict[str, object] = {}

    async def get_or_load(self, room_id: str, load: Callable[[], Awaitable[T]]) -> T:
        """Return the cached value of the room; load it if there is none."""
        if entry := self._find(room_id):
            return entry.value
        self._remove(room_id)
        epoch = self._room_epoch(room_id)
        token = self._loading[room_id] = object()
        try:
            value = await load()
        finally:
            is_unchanged = self._loading.get(room_id) is token
            if is_unchanged:
                del self._loading[room_id]
        if is_unchanged and epoch and self._room_epoch(room_id) is epoch:
            self._remove(room_id)  # by another load
            self._entries[room_id] = entry = _Entry(epoch, value, 0)
            self._resize(entry)
        return value

    def get(self, room_id: str) -> T | None:
        """Return the cached value of the room, or `None`."""
        entry = self._find(room_id)
        return entry.value if entry else None

    def update(self, room_id: str, update: Callable[[T], object]) -> None:
        """Call `update` with the cached value of the room, if there is one."""
        self._loading.pop(room_id, None)
        if entry := self._entries.get(room_id):
            update(entry.value)
            self._resize(entry)

    def invalidate(self, room_id: str) -> None:
        """Remove the value of the room, and do not cache one that is being loaded."""
        self._loading.pop(room_id, None)
        self._remove(room_id)

    def clear(self) -> None:
        """Remove all values, and do not cache those that are being loaded."""
        self._loading.clear()
        self._entries.clear()
        self._size = 0

    def _find(self, room_id: str) -> _Entry[T] | None:
        """Return the entry of a room, now the most recently used, if it is up to date."""
        entry = self._entries.get(room_id)
        if entry is None or entry.epoch is not self._room_epoch(room_id):
            return None
        self._entries.move_to_end(room_id)
        return entry

    def _resize(self, entry: _Entry[T]) -> None:
        """Measure a value again; remove the least recently used ones if there is no room for it."""
        size = self._measure(entry.value)
        self._size += size - entry.size
        entry.size = size
        while self._size > self._size_max:
            self._remove(next(iter(self._entries)))

    def _remove(self, room_id: str) -> None:
        if entry := self._entries.pop(room_id, None):
            self._size -= entry.size

"""A cache of one value per room, with least-recently-used eviction."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from ..runtime.bounded_dict import BoundedDict

T = TypeVar("T")


class RoomCache(Generic[T]):
    """Caches one value for each of at most `size_max` rooms (LRU).

    The caller updates the value when the room changes. A value is not cached if the room changed
    while it was loaded, because it may predate the change. Nor is it cached, or served, unless all
    events of the room were received since: `room_epoch` stays the same (see `Bus.room_epoch`).
    """

    def __init__(self, size_max: int, room_epoch: Callable[[str], object | None]) -> None:
        self._room_epoch = room_epoch
        self._values: BoundedDict[str, tuple[object, T]] = BoundedDict(size_max)
        self._loading: dict[str, object] = {}

    async def get_or_load(self, room_id: str, load: Callable[[], Awaitable[T]]) -> T:
        """Return the cached value of the room; load it if there is none."""
        epoch = self._room_epoch(room_id)
        cached = self._values.pop(room_id, None)
        if cached and cached[0] is epoch:
            self._values[room_id] = cached  # now the most recently used
            return cached[1]
        token = self._loading[room_id] = object()
        try:
            value = await load()
        finally:
            is_unchanged = self._loading.get(room_id) is token
            if is_unchanged:
                del self._loading[room_id]
        if is_unchanged and epoch and self._room_epoch(room_id) is epoch:
            self._values[room_id] = epoch, value
        return value

    def get(self, room_id: str) -> T | None:
        """Return the cached value of the room, or `None`."""
        epoch, value = self._values.get(room_id, (None, None))
        return value if epoch and epoch is self._room_epoch(room_id) else None

    def update(self, room_id: str, update: Callable[[T], object]) -> None:
        """Call `update` with the cached value of the room, if there is one."""
        self._loading.pop(room_id, None)
        if cached := self._values.get(room_id):
            update(cached[1])

    def invalidate(self, room_id: str) -> None:
        """Remove the value of the room, and do not cache one that is being loaded."""
        self._loading.pop(room_id, None)
        self._values.pop(room_id, None)

    def clear(self) -> None:
        """Remove all values, and do not cache those that are being loaded."""
        self._loading.clear()
        self._values.clear()

"""The event bus of a single node."""

import logging

from ..events import Event, MessagePosted, MessagesDeleted
from ..runtime.bounded_dict import BoundedDict
from .base import Listener

_DELETED_MAX = 10_000
_log = logging.getLogger(__name__)


class MemoryBus:
    """Calls the listeners in this process, one after the other."""

    is_up = True
    gaps = 0

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        # By room id and `seq`.
        self._recently_deleted: BoundedDict[tuple[str, int], None] = BoundedDict(_DELETED_MAX)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every event from now on, in the order of publishing."""
        self._listeners.append(listener)

    async def publish(self, event: Event) -> None:
        """Deliver the event to all listeners."""
        await self.publish_local(event)

    async def publish_local(self, event: Event) -> None:
        """Deliver the event to all listeners; if one fails, log it and call the others.

        The deletion of a message may arrive before its posting if they come from two nodes. Then
        the posting is dropped.
        """
        match event:
            case MessagesDeleted(room_id, seqs):
                self._recently_deleted |= dict.fromkeys((room_id, seq) for seq in seqs)
            case MessagePosted(room, message) if (room.id, message.seq) in self._recently_deleted:
                return
        for listener in self._listeners:
            try:
                await listener(event)
            except Exception:  # a failing listener must not block the others
                _log.exception("event listener failed: %s", type(event).__name__)

    def publish_remote(self, event: Event) -> None:
        """Do nothing: there are no other nodes."""

    async def subscribe_room(self, room_id: str) -> None:
        """Do nothing: all events are received."""

    def unsubscribe_room(self, room_id: str) -> None:
        """Do nothing: all events are received."""

    def room_epoch(self, room_id: str) -> object | None:
        """Return a constant: no event is ever missed."""
        return self

    async def count_others(self) -> int:
        """Return 0: there are no other nodes."""
        return 0

    def report_gap(self) -> None:
        """Do nothing: no event is ever missed."""

    async def start(self) -> None:
        """Do nothing: there is no connection."""

    async def stop(self) -> None:
        """Do nothing: there is no connection."""

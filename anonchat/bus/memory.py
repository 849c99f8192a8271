"""The bus of a single node."""

import logging
from collections import OrderedDict
from collections.abc import Iterable

from ..events import Event, MessagePosted, MessagesGone
from .base import Listener

_GONE_KEPT = 10_000
_log = logging.getLogger(__name__)


class MemoryBus:
    """Calls its listeners one after the other, in this process."""

    is_up = True
    gaps = 0

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._gone_lately: OrderedDict[tuple[str, int], None] = OrderedDict()  # room and `seq`

    def subscribe(self, listener: Listener) -> None:
        """Hand every event from now on to `listener`, in the order of publishing."""
        self._listeners.append(listener)

    async def publish(self, event: Event) -> None:
        """Hand the event to all listeners."""
        await self.tell(event)

    async def tell(self, event: Event) -> None:
        """Hand the event to all listeners; one that fails is logged, the others still hear.

        That a message went may be heard before that it was posted, of two nodes: then the second
        is of no news any more.
        """
        match event:
            case MessagesGone(room_id, seqs):
                self._note_gone(room_id, seqs)
            case MessagePosted(room, message) if (room.id, message.seq) in self._gone_lately:
                return
        for listener in self._listeners:
            try:
                await listener(event)
            except Exception:  # one broken listener must not silence the room
                _log.exception("a listener failed at %s", type(event).__name__)

    def _note_gone(self, room_id: str, seqs: Iterable[int]) -> None:
        self._gone_lately |= dict.fromkeys((room_id, seq) for seq in seqs)
        while len(self._gone_lately) > _GONE_KEPT:
            self._gone_lately.popitem(last=False)

    def send(self, event: Event) -> None:
        """Do nothing: there are no others."""

    async def attend(self, room_id: str) -> None:
        """Do nothing: everything is heard."""

    def leave(self, room_id: str) -> None:
        """Do nothing: everything is heard."""

    def hearing(self, room_id: str) -> object | None:
        """Return the same for as long as the process lives: nothing is missed."""
        return self

    async def count_others(self) -> int:
        """Return 0: there are no others."""
        return 0

    def miss(self) -> None:
        """Do nothing: nothing is missed."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""

"""The bus of a single node."""

import logging

from ..events import Event
from .base import Listener

_log = logging.getLogger(__name__)


class MemoryBus:
    """Calls its listeners one after the other, in this process."""

    is_up = True
    gaps = 0

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        """Hand every event from now on to `listener`, in the order of publishing."""
        self._listeners.append(listener)

    async def publish(self, event: Event) -> None:
        """Hand the event to all listeners."""
        await self.tell(event)

    async def tell(self, event: Event) -> None:
        """Hand the event to all listeners; one that fails is logged, the others still hear."""
        for listener in self._listeners:
            try:
                await listener(event)
            except Exception:  # one broken listener must not silence the room
                _log.exception("a listener failed at %s", type(event).__name__)

    def send(self, event: Event) -> None:
        """Do nothing: there are no others."""

    async def attend(self, room_id: str) -> None:
        """Do nothing: everything is heard."""

    def leave(self, room_id: str) -> None:
        """Do nothing: everything is heard."""

    def hearing(self, room_id: str) -> object | None:
        """Return the same for as long as the process lives: nothing is missed."""
        return self

    def miss(self) -> None:
        """Do nothing: nothing is missed."""

    async def start(self) -> None:
        """Begin."""

    async def stop(self) -> None:
        """End."""

"""The bus of a single node."""

import logging

from ..events import Event
from .base import Listener

_log = logging.getLogger(__name__)


class MemoryBus:
    """Calls its listeners one after the other, in this process."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self.is_up = True

    def subscribe(self, listener: Listener) -> None:
        """Hand every event from now on to `listener`, in the order of publishing."""
        self._listeners.append(listener)

    async def publish(self, event: Event) -> None:
        """Hand the event to all listeners; one that fails is logged, the others still hear."""
        for listener in self._listeners:
            try:
                await listener(event)
            except Exception:  # one broken listener must not silence the room
                _log.exception("a listener failed at %s", type(event).__name__)

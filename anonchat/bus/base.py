"""What a bus is."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..events import Event

Listener = Callable[[Event], Awaitable[None]]


class Bus(Protocol):
    """Carries events from whoever publishes to all who subscribed, on every node."""

    @property
    def is_up(self) -> bool:
        """Whether other nodes can be heard now."""

    def subscribe(self, listener: Listener) -> None:
        """Hand every event from now on to `listener`, in the order of publishing."""

    async def publish(self, event: Event) -> None:
        """Hand the event to all listeners."""

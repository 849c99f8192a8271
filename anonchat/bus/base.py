"""What a bus is."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..events import Event

Listener = Callable[[Event], Awaitable[None]]


class Bus(Protocol):
    """Carries events from whoever publishes to all who subscribed, on every node.

    What is said in a room reaches the nodes that attend it; of the others each is told once a
    second that something was (`RoomsStirred`). When events may have been missed, `NewsMissed` is
    told.
    """

    @property
    def is_up(self) -> bool:
        """Whether other nodes can be heard now."""

    @property
    def gaps(self) -> int:
        """How often they could not be heard any more."""

    def subscribe(self, listener: Listener) -> None:
        """Hand every event from now on to `listener`, in the order of publishing."""

    async def publish(self, event: Event) -> None:
        """Hand the event to all listeners, here at once and on the other nodes soon."""

    async def tell(self, event: Event) -> None:
        """Hand the event to the listeners on this node alone."""

    def send(self, event: Event) -> None:
        """Hand the event to the listeners on the other nodes alone."""

    async def attend(self, room_id: str) -> None:
        """Hear, once this returns, all that is said in a room; `leave` it as often."""

    def leave(self, room_id: str) -> None:
        """Need not hear what is said in a room any more."""

    def hearing(self, room_id: str) -> object | None:
        """Return what stays the same for as long as everything said in a room is heard here.

        `None` says that it is not.
        """

    async def count_others(self) -> int:
        """Return how many other nodes hear now what is told to all."""

    def miss(self) -> None:
        """Let it be told, soon and once, that something may have been missed."""

    async def start(self) -> None:
        """Begin to hear the other nodes. Raises `StartError` if that is impossible."""

    async def stop(self) -> None:
        """Send what waits, and hear nothing any more."""

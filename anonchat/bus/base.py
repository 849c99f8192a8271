"""The interface of an event bus."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from ..events import Event

Listener = Callable[[Event], Awaitable[None]]


class Bus(Protocol):
    """Delivers published events to all subscribed listeners on every node.

    Messages of a room only reach the nodes that have subscribed to it. The other nodes receive a
    summary (`RoomActivity`) every 0.5 s. If events may have been missed, `EventsLost` is published.
    """

    @property
    def is_up(self) -> bool:
        """Whether events from other nodes are received now."""

    @property
    def gaps(self) -> int:
        """How many times the connection to the other nodes was lost."""

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every event from now on, in the order of publishing.

        Later events wait until it returns, for all listeners: for what takes long, start a task. It
        may post. Posts do not wait for listeners, but are refused while too many events wait.
        """

    async def publish(self, event: Event) -> None:
        """Deliver the event to the listeners on this node now, and on the other nodes soon."""

    async def publish_local(self, event: Event) -> None:
        """Deliver the event to the listeners on this node only."""

    def publish_remote(self, event: Event) -> None:
        """Deliver the event to the listeners on the other nodes only."""

    async def subscribe_room(self, room_id: str) -> None:
        """Receive all events of a room once this returns; call `unsubscribe_room` as often."""

    def unsubscribe_room(self, room_id: str) -> None:
        """Undo one `subscribe_room`."""

    def room_epoch(self, room_id: str) -> object | None:
        """Return the subscription epoch of a room: a new object after any gap.

        `None` if not all events of the room are received now.
        """

    async def count_others(self) -> int:
        """Return how many other nodes are subscribed now."""

    def report_gap(self) -> None:
        """Publish `EventsLost` on this node soon; repeated calls are combined."""

    async def start(self) -> None:
        """Connect to the other nodes. Raises `StartupError` if that fails."""

    async def stop(self) -> None:
        """Send the queued events and disconnect."""

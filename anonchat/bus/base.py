"""The event bus of a single node, which that of several nodes extends."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from ..entities import Message
from ..events import (
    Event,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
)
from ..runtime.bounded_dict import BoundedDict

Listener = Callable[[Event], Awaitable[None]]

_DELETED_MAX = 10_000
_CHANGED_MAX = 1_000
_log = logging.getLogger(__name__)


class Bus:
    """Delivers published events to all subscribed listeners in this process, one after the other.

    With several nodes (`ValkeyBus`), messages, states and typing signals of a room reach only the
    nodes that have subscribed to it. The other nodes receive a summary of the messages
    (`RoomActivity`) every 0.5 s. If events may have been missed, `EventsLost` is published.
    """

    is_up = True
    """Whether events from other nodes are received now."""
    gaps = 0
    """How many times the connection to the other nodes was lost."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._publisher_listeners: list[Listener] = []
        # By room id and `seq`.
        self._recently_deleted: BoundedDict[tuple[str, int], None] = BoundedDict(_DELETED_MAX)
        self._recently_changed: BoundedDict[tuple[str, int], Message] = BoundedDict(_CHANGED_MAX)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every event from now on, in the order of publishing.

        Later events wait until it returns, for all listeners: for what takes long, start a task. It
        may post. Posts do not wait for listeners, but are refused while too many events wait.
        """
        self._listeners.append(listener)

    def subscribe_published(self, listener: Listener) -> None:
        """Call `listener` as `subscribe` does, but only with what this node publishes.

        So each event reaches one of several nodes. It is called after the other listeners. What
        each node notices by itself, such as gaps (`EventsLost`) and who is present, does not
        reach it.
        """
        self._publisher_listeners.append(listener)

    async def publish(self, event: Event) -> None:
        """Deliver the event to the listeners on this node now, and on the other nodes soon."""
        await self.publish_local(event)
        self.publish_remote(event)
        await self._deliver(event, self._publisher_listeners)

    async def publish_local(self, event: Event) -> None:
        """Deliver the event to the listeners on this node; if one fails, log it, call the others.

        The deletion of a message may arrive before its posting, or before a change of it, if they
        come from two nodes. Then these are dropped. Of several changes the newest one counts.
        """
        match event:
            case MessagesDeleted(room_id, seqs):
                for seq in seqs:
                    self._recently_deleted[room_id, seq] = None
                    self._recently_changed.pop((room_id, seq), None)
            case MessageEdited(message) | MessageReacted(message) | MessageOpened(message) if (
                not self._is_outdated(message)
            ):
                self._recently_changed[message.room_id, message.seq] = message
        await self._deliver(event, self._listeners)

    async def _deliver(self, event: Event, listeners: list[Listener]) -> None:
        match event:
            case (
                MessagePosted(_, message)
                | MessageEdited(message)
                | MessageReacted(message)
                | MessageOpened(message)
            ) if self._was_deleted(message):
                return
            case MessagePosted(_, message) if self._is_outdated(message):
                newest = self._recently_changed[message.room_id, message.seq]
                event = replace(event, message=newest)
            case MessageEdited(message) | MessageReacted(message) | MessageOpened(message) if (
                self._is_outdated(message)
            ):
                return
        for listener in listeners:
            try:
                await listener(event)
            except Exception:  # a failing listener must not block the others
                _log.exception("event listener failed: %s", type(event).__name__)

    def _was_deleted(self, message: Message) -> bool:
        return (message.room_id, message.seq) in self._recently_deleted

    def _is_outdated(self, message: Message) -> bool:
        newest = self._recently_changed.get((message.room_id, message.seq))
        return newest is not None and newest.revision > message.revision

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
        return self

    async def count_others(self) -> int:
        """Return how many other nodes are subscribed now."""
        return 0

    def report_gap(self) -> None:
        """Publish `EventsLost` on this node soon; repeated calls are combined."""

    async def start(self) -> None:
        """Connect to the other nodes. Raises `StartupError` if that fails."""

    async def stop(self) -> None:
        """Send the queued events and disconnect."""

"""The events that wait to be sent to the other nodes."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from ..entities import Room
from ..events import (
    DoorsChanged,
    Event,
    EventsLost,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    RoomActivity,
    RoomEnded,
    RoomRead,
    RoomsRead,
    RoomStateChanged,
    TypingSignalled,
)
from ..runtime.batches import batches
from ..runtime.cooperative import iterate_cooperatively
from .client import BACKOFF_SECONDS, Command, Valkey, ValkeyUnavailable
from .subscriptions import ALL_NODES, room_channel

_QUEUE_MAX = 20_000
_BATCH_MAX = 500
_SUMMARY_SECONDS = 0.5
_ROOMS_PER_EVENT = 200
_READS_PER_EVENT = 200
_log = logging.getLogger(__name__)


class Outbox:
    """Sends events in batches. If events are dropped, the other nodes receive `EventsLost`.

    `encode` returns the packet of an event for a channel, or `None` if there is nothing to send.
    """

    def __init__(
        self, valkey: Valkey, encode: Callable[[str, Event], Awaitable[bytes | None]]
    ) -> None:
        self._valkey = valkey
        self._encode = encode
        self._queue: deque[tuple[str, Event]] = deque()
        self._send_lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._has_dropped_events = False
        self._active_rooms: dict[str, Room] = {}
        self._deleted_seqs: dict[str, int] = {}
        self._read_marks: dict[tuple[str, str], RoomRead] = {}

    def add(self, event: Event) -> None:
        """Queue an event; room events are also summarized for all nodes."""
        match event:
            case MessagePosted(room):
                self._active_rooms[room.id] = room
                self._enqueue(room_channel(room.id), event)
            case MessagesDeleted(room_id, seqs):
                self._deleted_seqs[room_id] = max(self._deleted_seqs.get(room_id, 0), *seqs)
                self._enqueue(room_channel(room_id), event)
            case MessageEdited(message) | MessageReacted(message) | MessageOpened(message):
                self._enqueue(room_channel(message.room_id), event)
            case RoomStateChanged(room_id) | DoorsChanged(room_id) | TypingSignalled(room_id):
                self._enqueue(room_channel(room_id), event)
            case RoomRead(visitor_id, room_id):  # the most frequent event: sent in batches
                self._read_marks[visitor_id, room_id] = event
            case RoomEnded(room_id):
                self._active_rooms.pop(room_id, None)
                self._enqueue(ALL_NODES, event)
            case _:
                self._enqueue(ALL_NODES, event)

    @property
    def is_pending(self) -> bool:
        """Whether queued events are not sent yet."""
        return bool(self._queue) or self._send_lock.locked()

    async def send_loop(self) -> None:
        """Send queued events forever."""
        pause = BACKOFF_SECONDS[0]
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._queue or self._has_dropped_events:
                    await self.send_batch()
                pause = BACKOFF_SECONDS[0]
            except ValkeyUnavailable:
                self._wake.set()
                await asyncio.sleep(pause)
                pause = min(2 * pause, BACKOFF_SECONDS[1])

    async def summary_loop(self) -> None:
        """Queue summaries forever."""
        while True:
            await asyncio.sleep(_SUMMARY_SECONDS)
            rooms, self._active_rooms = list(self._active_rooms.values()), {}
            deleted, self._deleted_seqs = self._deleted_seqs, {}
            while rooms or deleted:
                batch, rooms = rooms[:_ROOMS_PER_EVENT], rooms[_ROOMS_PER_EVENT:]
                self.add(RoomActivity(tuple(batch), deleted))
                deleted = {}
            marks, self._read_marks = list(self._read_marks.values()), {}
            for part in batches(marks, _READS_PER_EVENT):
                self.add(RoomsRead(tuple(part)))

    async def send_batch(self) -> None:
        """Send up to 500 queued events. Raises `ValkeyUnavailable`, and drops all then."""
        async with self._send_lock:
            batch = [self._queue.popleft() for _ in range(min(_BATCH_MAX, len(self._queue)))]
            # Reset before sending, because more events may be dropped meanwhile.
            has_dropped, self._has_dropped_events = self._has_dropped_events, False
            if has_dropped:
                batch.insert(0, (ALL_NODES, EventsLost()))
            try:
                await self._valkey.call_pipeline(await self._encode_batch(batch))
            except ValkeyUnavailable:
                self._drop_queue()
                raise

    def _enqueue(self, channel: str, event: Event) -> None:
        if len(self._queue) >= _QUEUE_MAX:
            self._drop_queue()
        self._queue.append((channel, event))
        self._wake.set()

    def _drop_queue(self) -> None:
        self._queue.clear()
        self._has_dropped_events = True

    async def _encode_batch(self, batch: list[tuple[str, Event]]) -> list[Command]:
        commands: list[Command] = []
        async for channel, event in iterate_cooperatively(batch):
            try:
                packet = await self._encode(channel, event)
            except ValkeyUnavailable:
                raise
            except Exception:  # a failing event must not stop the sending
                _log.exception("event not sent, encryption failed: %s", type(event).__name__)
                self._has_dropped_events = True
                continue
            if packet:
                commands.append(("PUBLISH", channel, packet))
        return commands

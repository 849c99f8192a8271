"""Event streams: each bus event is encoded once and sent to all subscribers of its room."""

import asyncio
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import chain

from ..bus import Bus
from ..entities import Message, RoomSummary, TranscriptQuestion
from ..events import (
    Event,
    EventsLost,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MessageEdited,
    MessageOpened,
    MessagePosted,
    MessageReacted,
    MessagesDeleted,
    PresenceChanged,
    RoomChanged,
    RoomEnded,
    TokenRevoked,
    TranscriptAsked,
    TranscriptEnded,
    TypingChanged,
    VisitorForgotten,
)
from ..ids import new_id
from ..limits.client_networks import Networks
from ..limits.connection_limit import ConnectionLimit
from ..runtime.clock import Clock
from ..runtime.metrics import Metrics
from ..settings import Settings
from ..text.markdown import draw_html
from . import schemas

HEARTBEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """An encoded event; of a message also its `seq` and when it expires.

    `is_change` is whether it changes a message that is sent before.
    """

    data: bytes
    seq: int = 0
    expires_at: datetime | None = None
    is_change: bool = False


class Subscriber:
    """One event stream of one room, with a bounded queue of pending events."""

    def __init__(self, visitor_id: str, *, clock: Clock, backlog: int, heartbeat: float) -> None:
        self.id = new_id()
        self.visitor_id = visitor_id
        self.author = ""
        """The pseudonym of the visitor as a member, once it is known."""
        self._clock = clock
        self._backlog = backlog
        self._heartbeat = heartbeat
        self._queue: list[StreamEvent] = []
        self._queue_bytes = 0
        self.ended = False
        self._has_gap = False
        self._wake = asyncio.Event()

    def enqueue(self, event: StreamEvent) -> None:
        """Queue an event; exceeding `backlog` bytes clears the queue and ends the stream."""
        if self.ended:
            return
        self._queue.append(event)
        self._queue_bytes += len(event.data)
        if self._queue_bytes > self._backlog:
            self._queue.clear()
            self.end()
        self._wake.set()

    def change(self, message: StreamEvent, change: StreamEvent) -> None:
        """Queue a change of a message; if the message still waits, replace that instead."""
        waiting = [each.seq == message.seq and not each.is_change for each in self._queue]
        if any(waiting):
            pairs = zip(self._queue, waiting, strict=True)
            self._queue = [message if is_waiting else each for each, is_waiting in pairs]
        else:
            self.discard({change.seq})  # an earlier change
            self.enqueue(change)

    def discard(self, seqs: Collection[int]) -> None:
        """Remove these messages from the queue."""
        self._queue = [event for event in self._queue if event.seq not in seqs]
        self._queue_bytes = sum(len(event.data) for event in self._queue)

    def drop_all(self) -> None:
        """Remove all messages from the queue."""
        self.discard({event.seq for event in self._queue} - {0})

    def mark_gap(self) -> None:
        """Record that events may have been lost."""
        self._has_gap = True
        self._wake.set()

    def take_gap(self) -> bool:
        """Return whether events may have been lost, and clear the flag."""
        had_gap, self._has_gap = self._has_gap, False
        return had_gap

    def end(self) -> None:
        """Accept no more events; queued events can still be taken."""
        self.ended = True
        self._wake.set()

    async def receive(self) -> list[StreamEvent] | None:
        """Wait for events; return `[]` after `heartbeat` seconds, and `None` at the end.

        Messages that expired in the queue are left out.
        """
        if not self._queue and not self.ended and not self._has_gap:
            try:
                async with asyncio.timeout(self._heartbeat):
                    await self._wake.wait()
            except TimeoutError:
                return []
        self._wake.clear()
        events, self._queue, self._queue_bytes = self._queue, [], 0
        if not events and self.ended:
            return None
        now = self._clock()
        return [event for event in events if event.expires_at is None or event.expires_at > now]


class Streams:
    """The subscribers of each room on this node."""

    def __init__(
        self,
        *,
        settings: Settings,
        bus: Bus,
        clock: Clock,
        metrics: Metrics,
        find_room: Callable[[str], RoomSummary | None],
    ) -> None:
        self._find_room = find_room
        self.heartbeat = 15.0
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._subscribers: dict[str, set[Subscriber]] = {}
        self._connections = ConnectionLimit(
            per_visitor=settings.streams_per_visitor_max,
            per_network=settings.sockets_per_ip_max,
            network_total=settings.connections_per_ip_max,
        )
        self._stopped = False
        bus.subscribe(self._on_event)
        metrics.add_gauge("anonchat_streams", "Open event streams.", self.count)

    @contextmanager
    def subscribe(
        self, room_id: str, *, visitor_id: str, networks: Networks = ()
    ) -> Iterator[Subscriber]:
        """Subscribe to a room inside the block. Raises `LimitReached`."""
        self._connections.open(networks, visitor_id=visitor_id)
        subscriber = Subscriber(
            visitor_id,
            clock=self._clock,
            backlog=self._settings.stream_backlog_max,
            heartbeat=self.heartbeat,
        )
        self._subscribers.setdefault(room_id, set()).add(subscriber)
        if self._stopped:
            subscriber.end()
        try:
            yield subscriber
        finally:
            self._subscribers[room_id].remove(subscriber)
            if not self._subscribers[room_id]:
                del self._subscribers[room_id]
            self._connections.close(networks, visitor_id=visitor_id)

    def stop(self) -> None:
        """End all streams, because a server shutdown waits for open responses."""
        self._stopped = True
        for subscriber in self._list_all():
            subscriber.end()

    def list_visitors(self) -> Collection[str]:
        """Return the ids of the visitors with an open stream."""
        return self._connections.list_visitors()

    def count(self) -> int:
        """Return the number of open streams."""
        return sum(map(len, self._subscribers.values()))

    def _list_all(self) -> Iterator[Subscriber]:
        return chain.from_iterable(self._subscribers.values())

    async def _on_event(self, event: Event) -> None:
        match event:
            case MessagePosted(room, message) if room.id in self._subscribers:
                self._send(room.id, message_event(message))
            case MessageEdited(message) if message.room_id in self._subscribers:
                self._change(message, "edited")
            case MessageReacted(message) if message.room_id in self._subscribers:
                self._change(message, "reacted")
            case MessageOpened(message) if message.room_id in self._subscribers:
                self._change(message, "opened")
            case MessagesDeleted(room_id, seqs) if room_id in self._subscribers:
                for subscriber in self._subscribers[room_id]:
                    subscriber.discard(seqs)
                self._send(room_id, deleted_event(seqs))
            case MemberJoined(room, member) if room.id in self._subscribers:
                joined = {"author": member.author, "nickname": member.nickname}
                self._send(room.id, _event("joined", joined))
            case PresenceChanged(member, present) if member.room_id in self._subscribers:
                change = {"author": member.author, "nickname": member.nickname, "present": present}
                self._send(member.room_id, _event("presence", change))
            case TypingChanged(room_id, typing) if room_id in self._subscribers:
                self._send(room_id, _event("typing", asdict(typing)))
            case TranscriptAsked(question) if question.room_id in self._subscribers:
                self._send(question.room_id, transcript_event(question, None))
            case TranscriptEnded(question, granted) if question.room_id in self._subscribers:
                self._send(question.room_id, transcript_event(question, granted))
            case MemberChanged(member) if member.room_id in self._subscribers:
                if summary := self._find_room(member.room_id):
                    changed = schemas.Member.of(member, summary.room, self._clock())
                    data = changed.model_dump_json()
                    self._send(member.room_id, StreamEvent(_encode("member", data, None)))
            case MemberLeft(room_id, visitor_id, author, _, removed) if (
                room_id in self._subscribers
            ):
                left: dict[str, object] = {"author": author}
                self._send(room_id, _event("left", left | ({"removed": True} if removed else {})))
                for subscriber in self._subscribers[room_id]:
                    if subscriber.visitor_id == visitor_id:
                        subscriber.drop_all()
                        subscriber.end()
            case RoomChanged(room) if room.id in self._subscribers:
                data = schemas.RoomSettings.of(room).model_dump_json()
                self._send(room.id, StreamEvent(_encode("changed", data, None)))
            case RoomEnded(room_id) if room_id in self._subscribers:
                for subscriber in self._subscribers[room_id]:
                    subscriber.drop_all()
                self._send(room_id, _event("ended", {}))
                for subscriber in self._subscribers[room_id]:
                    subscriber.end()
            case EventsLost():
                for subscriber in self._list_all():
                    subscriber.mark_gap()
            # Ends all streams of the visitor: those with another token reconnect and resume.
            case VisitorForgotten(visitor_id) | TokenRevoked(visitor_id) if self._connections.count(
                visitor_id
            ):
                for subscriber in self._list_all():
                    if subscriber.visitor_id == visitor_id:
                        subscriber.end()

    def _send(self, room_id: str, event: StreamEvent) -> None:
        self._metrics.record_stream_event(len(self._subscribers[room_id]))
        for subscriber in self._subscribers[room_id]:
            subscriber.enqueue(event)

    def _change(self, message: Message, event: str) -> None:
        """Send a message that has changed: encoded once, and once for each of its reactors."""
        subscribers = self._subscribers[message.room_id]
        self._metrics.record_stream_event(len(subscribers))
        reactors = {author for reaction in message.reactions for author in reaction.authors}
        html = draw_html(message.text)
        encoded: dict[str, tuple[StreamEvent, StreamEvent]] = {}
        for subscriber in subscribers:
            reader = subscriber.author if subscriber.author in reactors else ""
            if reader not in encoded:
                posted = message_event(message, reader, html=html)
                encoded[reader] = posted, changed_event(message, reader, event, html=html)
            subscriber.change(*encoded[reader])


def message_event(message: Message, reader: str = "", *, html: str | None = None) -> StreamEvent:
    """Encode a message for a reader; its `seq` is the event `id`, used to resume.

    `html` is its text as HTML, if that is drawn already.
    """
    data = schemas.Message.drawn(message, reader, html=html).model_dump_json()
    return StreamEvent(_encode("message", data, message.seq), message.seq, message.expires_at)


def changed_event(
    message: Message, reader: str, event: str = "edited", *, html: str | None = None
) -> StreamEvent:
    """Encode a message that was changed, as it is now, for a reader."""
    content = schemas.Message.drawn(message, reader, html=html).model_dump_json()
    data = _encode(event, content, None)
    return StreamEvent(data, message.seq, message.expires_at, is_change=True)


def deleted_event(seqs: tuple[int, ...]) -> StreamEvent:
    """Encode the removal of messages."""
    return _event("gone", {"seqs": seqs})


def transcript_event(question: TranscriptQuestion, granted: bool | None) -> StreamEvent:
    """Encode that members are asked for a transcript, or how the question has ended."""
    content = schemas.TranscriptQuestion.model_validate(question).model_dump(mode="json")
    return _event("transcript", {**content, "granted": granted})


def ready_event(seq: int) -> StreamEvent:
    """Encode that everything up to `seq` was sent and live events follow."""
    return _event("ready", {"seq": seq}, id=seq)


def _event(event: str, content: Mapping[str, object], *, id: int | None = None) -> StreamEvent:
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return StreamEvent(_encode(event, data, id))


def _encode(event: str, data: str, id: int | None) -> bytes:
    header = f"event: {event}\n" if id is None else f"event: {event}\nid: {id}\n"
    return f"{header}data: {data}\n\n".encode()

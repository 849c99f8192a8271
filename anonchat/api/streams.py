"""Brings what happens in rooms to the programs that listen: written once, sent to all of them."""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from ..bus import Bus
from ..clock import Clock
from ..connection_limit import ConnectionLimit
from ..events import (
    Event,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    MessagesGone,
    NewsMissed,
    PresenceChanged,
    RoomEnded,
    TokenRevoked,
    VisitorForgotten,
)
from ..ids import new_id
from ..metrics import Metrics
from ..network_shares import Networks
from ..nouns import Message
from ..settings import Settings
from . import schemas

HEARTBEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Notice:
    """An event as it travels; of a message also where it stands, and until when it may be told."""

    data: bytes
    seq: int = 0
    expires_at: datetime | None = None


class Reader:
    """One program that listens to one room. What it has not taken yet waits, within bounds."""

    def __init__(self, visitor_id: str, *, clock: Clock, backlog: int, patience: float) -> None:
        self.id = new_id()
        self.visitor_id = visitor_id
        self._clock = clock
        self._backlog = backlog
        self._patience = patience
        self._waiting: list[Notice] = []
        self._size = 0
        self.ended = False
        self._has_gap = False
        self._stir = asyncio.Event()

    def hear(self, notice: Notice) -> None:
        """Let a notice wait to be taken; one too many ends the stream, to be resumed later."""
        if self.ended:
            return
        self._waiting.append(notice)
        self._size += len(notice.data)
        if self._size > self._backlog:
            self._waiting.clear()
            self.end()
        self._stir.set()

    def drop(self, seqs: Collection[int]) -> None:
        """Let none of these messages wait any longer; they are no more."""
        self._waiting = [note for note in self._waiting if note.seq not in seqs]
        self._size = sum(len(note.data) for note in self._waiting)

    def drop_all(self) -> None:
        """Let no message wait any longer."""
        self.drop({note.seq for note in self._waiting} - {0})

    def miss(self) -> None:
        """Note that something may have been missed, and has to be looked up."""
        self._has_gap = True
        self._stir.set()

    def take_gap(self) -> bool:
        """Tell, once, whether something may have been missed."""
        had_gap, self._has_gap = self._has_gap, False
        return had_gap

    def end(self) -> None:
        """Hear nothing any more; what waits may still be taken."""
        self.ended = True
        self._stir.set()

    async def take(self) -> list[Notice] | None:
        """Return what waits, nothing if nothing happens for a while, `None` at the end.

        A message that has expired while it waited is told to nobody.
        """
        if not self._waiting and not self.ended and not self._has_gap:
            try:
                async with asyncio.timeout(self._patience):
                    await self._stir.wait()
            except TimeoutError:
                return []
        self._stir.clear()
        taken, self._waiting, self._size = self._waiting, [], 0
        if not taken and self.ended:
            return None
        now = self._clock()
        return [note for note in taken if note.expires_at is None or note.expires_at > now]


class Streams:
    """Knows which programs listen to which room on this node."""

    def __init__(self, *, settings: Settings, bus: Bus, clock: Clock, metrics: Metrics) -> None:
        self.heartbeat = 15.0
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._readers: dict[str, set[Reader]] = {}
        self._open = ConnectionLimit(
            per_visitor=settings.streams_per_visitor_max,
            per_network=settings.sockets_per_address_max,
            network_total=settings.connections_per_address_max,
        )
        self._stopped = False
        bus.subscribe(self._on_event)
        metrics.watch("anonchat_streams", "Event streams that are open.", self.count)

    @contextmanager
    def listen(self, room_id: str, *, visitor_id: str, networks: Networks = ()) -> Iterator[Reader]:
        """Hear what happens in a room from now on, from these networks. Raises `LimitReached`."""
        self._open.open(networks, visitor_id=visitor_id)
        reader = Reader(
            visitor_id,
            clock=self._clock,
            backlog=self._settings.stream_backlog_max,
            patience=self.heartbeat,
        )
        self._readers.setdefault(room_id, set()).add(reader)
        if self._stopped:
            reader.end()
        try:
            yield reader
        finally:
            self._let_go(room_id, reader)
            self._open.close(networks, visitor_id=visitor_id)

    def stop(self) -> None:
        """End all streams, for whoever stops the server waits until everything is answered."""
        self._stopped = True
        for readers in self._readers.values():
            for reader in readers:
                reader.end()

    def list_visitors(self) -> Collection[str]:
        """Return the ids of the visitors who have a stream open."""
        return self._open.list_visitors()

    def count(self) -> int:
        """Return how many streams are open."""
        return sum(map(len, self._readers.values()))

    async def _on_event(self, event: Event) -> None:
        match event:
            case MessagePosted(room, message) if room.id in self._readers:
                self._tell(room.id, message_notice(message))
            case MessagesGone(room_id, seqs) if room_id in self._readers:
                for reader in self._readers[room_id]:
                    reader.drop(seqs)
                self._tell(room_id, gone_notice(seqs))
            case MemberJoined(room, member) if room.id in self._readers:
                joined = schemas.Joined(author=member.author, nickname=member.nickname)
                self._tell(room.id, _notice("joined", joined))
            case PresenceChanged(member, present) if member.room_id in self._readers:
                change = schemas.Presence(
                    author=member.author, nickname=member.nickname, present=present
                )
                self._tell(member.room_id, _notice("presence", change))
            case MemberLeft(room_id, visitor_id, author) if room_id in self._readers:
                self._tell(room_id, _notice("left", schemas.Left(author=author)))
                for reader in self._readers[room_id]:
                    if reader.visitor_id == visitor_id:
                        reader.drop_all()
                        reader.end()
            case RoomEnded(room_id) if room_id in self._readers:
                for reader in self._readers[room_id]:
                    reader.drop_all()
                self._tell(room_id, _notice("ended", schemas.Ended()))
                for reader in self._readers[room_id]:
                    reader.end()
            case NewsMissed():
                for readers in self._readers.values():
                    for reader in readers:
                        reader.miss()
            # Of whose token was revoked: the others come back and go on where they were.
            case VisitorForgotten(visitor_id) | TokenRevoked(visitor_id) if self._open.count(
                visitor_id
            ):
                for readers in self._readers.values():
                    for reader in readers:
                        if reader.visitor_id == visitor_id:
                            reader.end()

    def _tell(self, room_id: str, notice: Notice) -> None:
        self._metrics.note_notice(len(self._readers[room_id]))
        for reader in self._readers[room_id]:
            reader.hear(notice)

    def _let_go(self, room_id: str, reader: Reader) -> None:
        self._readers[room_id].remove(reader)
        if not self._readers[room_id]:
            del self._readers[room_id]


def message_notice(message: Message) -> Notice:
    """Write a message down; its `seq` is what a reader resumes by."""
    data = _write("message", schemas.Message.of(message), id=message.seq)
    return Notice(data, message.seq, message.expires_at)


def gone_notice(seqs: tuple[int, ...]) -> Notice:
    """Write down which messages are no more."""
    return _notice("gone", schemas.Gone(seqs=seqs))


def ready_notice(seq: int) -> Notice:
    """Write down that all was told up to `seq`, and that what follows happens now."""
    return Notice(_write("ready", schemas.Ready(seq=seq), id=seq))


def _notice(event: str, content: BaseModel) -> Notice:
    return Notice(_write(event, content))


def _write(event: str, content: BaseModel, *, id: int | None = None) -> bytes:
    head = f"event: {event}\n" if id is None else f"event: {event}\nid: {id}\n"
    return f"{head}data: {content.model_dump_json()}\n\n".encode()

"""The content of one event stream: missed messages, then live events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from ..chat import Chat
from ..entities import Member, Message, Room
from ..errors import ChatError
from ..limits.costs import Cost
from ..limits.work_budget import MAX_WAIT
from ..runtime.cooperative import iterate_cooperatively
from .schemas import PAGE_MAX
from .streams import (
    HEARTBEAT,
    StreamEvent,
    Subscriber,
    changed_event,
    deleted_event,
    message_event,
    ready_event,
    transcript_event,
)

_DELETED_LOOKBACK = 1_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """A member's subscription to the events of a room."""

    subscriber: Subscriber
    member: Member
    address: str


class StreamContent:
    """Generates the content of one stream in order: missed messages, then live events."""

    def __init__(
        self, chat: Chat, room: Room, subscription: Subscription, start: int | None
    ) -> None:
        self._chat = chat
        self._room = room
        self._subscriber = subscription.subscriber
        self._visitor_id = subscription.member.visitor_id
        self._author = subscription.member.author
        self._address = subscription.address
        self._start_seq = start
        self._sent_seq = 0
        self._read_seq = subscription.member.read_seq

    async def generate(self) -> AsyncIterator[bytes]:
        """Yield the encoded events until the stream ends."""
        try:
            async for chunk in self._replay():
                yield chunk
            while (events := await self._subscriber.receive()) is not None:
                if self._subscriber.take_gap():
                    async for chunk in self._resync():
                        yield chunk
                async for chunk in self._send(events):
                    yield chunk
        except ChatError:  # no longer a member, or the room has ended
            return

    async def _replay(self) -> AsyncIterator[bytes]:
        last_seq = (await self._chat.rooms.find(self._room.slug)).last_seq
        if self._start_seq is None:
            self._sent_seq = last_seq
        elif self._start_seq <= last_seq:
            self._sent_seq = self._start_seq
            async for chunk in self._send_changes():
                yield chunk
        # Else the start belongs to an earlier room with this slug: send all of this room.
        async for chunk in self._catch_up():
            yield chunk
        yield ready_event(self._sent_seq).data
        if question := self._chat.transcripts.find_question(self._room.id):
            yield transcript_event(question, None).data

    async def _send(self, events: list[StreamEvent]) -> AsyncIterator[bytes]:
        chunk: list[bytes] = []
        for event in events:
            if event.is_change:
                if event.seq <= self._sent_seq:  # else it is sent as it is now
                    chunk.append(event.data)
                continue
            if event.seq and event.seq <= self._sent_seq:
                continue
            if event.seq > self._sent_seq + 1:  # events of earlier messages are missing
                yield b"".join(chunk)
                chunk = []
                async for missed in self._catch_up():
                    yield missed
                continue  # sent by `_catch_up`, deleted, or waiting for an earlier message
            chunk.append(event.data)
            self._sent_seq = max(self._sent_seq, event.seq)
        yield b"".join(chunk) or HEARTBEAT
        await self._mark_read()
        # Not charged to the network: other members decide how much is posted.
        await self._chat.work_budget.spend(Cost.STREAM_WRITE, visitor_id=self._visitor_id)

    async def _resync(self) -> AsyncIterator[bytes]:
        """Send what may have been lost on the bus."""
        async for chunk in self._send_changes():
            yield chunk
        async for chunk in self._catch_up():
            yield chunk

    async def _catch_up(self) -> AsyncIterator[bytes]:
        while not self._subscriber.ended and (messages := await self._load_missed()):
            self._sent_seq = messages[-1].seq
            events = [
                message_event(each, self._author).data
                async for each in iterate_cooperatively(messages)
            ]
            yield b"".join(events)
        await self._mark_read()

    async def _load_missed(self) -> list[Message]:
        cost = Cost.LIST_QUERY + PAGE_MAX * Cost.STREAM_WRITE
        async with self._chat.work_budget.run_exclusively(
            cost, visitor_id=self._visitor_id, address=self._address, max_wait=MAX_WAIT
        ) as charge:
            charge.milliseconds = Cost.LIST_QUERY
            messages = await self._chat.messages.history(
                self._room.id, visitor_id=self._visitor_id, after=self._sent_seq, limit=PAGE_MAX
            )
            charge.milliseconds += len(messages) * Cost.STREAM_WRITE
            charge.milliseconds += Cost.DRAWN_CHARACTER * sum(len(each.text) for each in messages)
        return messages

    async def _send_changes(self) -> AsyncIterator[bytes]:
        """Send what may have happened to the last messages that were sent."""
        if deleted := await self._find_deleted():
            yield deleted_event(deleted).data
        changed = await self._load_changed()
        events = [
            changed_event(each, self._author).data async for each in iterate_cooperatively(changed)
        ]
        yield b"".join(events)

    async def _load_changed(self) -> list[Message]:
        cost = Cost.LIST_QUERY + PAGE_MAX * Cost.STREAM_WRITE
        async with self._chat.work_budget.run_exclusively(
            cost, visitor_id=self._visitor_id, address=self._address, max_wait=MAX_WAIT
        ) as charge:
            charge.milliseconds = Cost.LIST_QUERY
            messages = await self._chat.messages.list_changed(
                self._room.id,
                visitor_id=self._visitor_id,
                first=self._sent_seq - _DELETED_LOOKBACK + 1,
                last=self._sent_seq,
                limit=PAGE_MAX,
            )
            charge.milliseconds += len(messages) * Cost.STREAM_WRITE
            charge.milliseconds += Cost.DRAWN_CHARACTER * sum(len(each.text) for each in messages)
        return messages

    async def _find_deleted(self) -> tuple[int, ...]:
        await self._chat.work_budget.spend(
            2 * Cost.LIST_QUERY, visitor_id=self._visitor_id, address=self._address
        )
        first = max(1, self._sent_seq - _DELETED_LOOKBACK + 1)
        live = await self._chat.messages.list_seqs(
            self._room.id,
            visitor_id=self._visitor_id,
            first=first,
            last=self._sent_seq,
            limit=_DELETED_LOOKBACK,
        )
        return tuple(sorted(set(range(first, self._sent_seq + 1)) - set(live)))

    async def _mark_read(self) -> None:
        if self._sent_seq > self._read_seq:
            self._read_seq = self._sent_seq
            await self._chat.memberships.mark_read(
                self._room.id, visitor_id=self._visitor_id, seq=self._sent_seq
            )

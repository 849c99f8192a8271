"""Live events of a room, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..chat import Chat
from ..entities import Member, Message, Room
from ..errors import ChatError
from ..limits.costs import Cost
from ..limits.work_budget import MAX_WAIT
from .dependencies import (
    ROOM_PROBLEMS,
    Caller,
    ChatDependency,
    ClientIp,
    RoomDependency,
    StreamsDependency,
    charge,
)
from .problems import INVALID_REQUEST, LIMIT_REACHED, NOT_A_MEMBER, problem_responses
from .schemas import PAGE_MAX, SEQ_MAX
from .streams import HEARTBEAT, StreamEvent, Subscriber, deleted_event, message_event, ready_event

routes = APIRouter(tags=["events"])

_DELETED_LOOKBACK = 1_000
_HEADERS = {"X-Accel-Buffering": "no"}  # disables buffering in nginx
_EXAMPLE = """\
event: ready
id: 41
data: {"seq":41}

event: message
id: 42
data: {"id":"pS3kX0v1cN6i4yXl","seq":42,"nickname":"Night Owl","author":"9f2b4c6d8e0a1b3c5d",\
"text":"Good evening!","posted_at":"2030-01-01T12:00:00Z","expires_at":"2030-01-02T12:00:00Z"}

event: gone
data: {"seqs":[40,41]}

"""
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": ["ready", "message", "gone", "joined", "left", "presence", "ended"]},
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The events, until you disconnect or are no longer a member.",
        "content": {"text/event-stream": {"itemSchema": _EVENT, "example": _EXAMPLE}},
    }
}


class EventStream(StreamingResponse):
    """A streaming response that ends its subscriber when the client disconnects.

    The content iterator is never cancelled, because that could interrupt a database query.
    """

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes], subscriber: Subscriber) -> None:
        super().__init__(content, headers=_HEADERS)
        self._subscriber = subscriber

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream until its content ends."""
        disconnect_watcher = asyncio.create_task(self._watch_disconnect(receive))
        try:
            await self.stream_response(send)
        finally:
            disconnect_watcher.cancel()

    async def _watch_disconnect(self, receive: Receive) -> None:
        await self.listen_for_disconnect(receive)
        self._subscriber.end()


@dataclass(frozen=True, slots=True)
class _Subscription:
    subscriber: Subscriber
    member: Member
    address: str


async def _subscribe(
    chat: ChatDependency,
    streams: StreamsDependency,
    caller: Caller,
    room: RoomDependency,
    address: ClientIp,
) -> AsyncIterator[_Subscription]:
    """Subscribe to a room, then check the membership, so that no leave event is missed.

    A subscribed member counts as present in the room, as with an open page, until the last byte.
    """
    networks = chat.network_shares.networks_of_address(address)
    with streams.subscribe(room.id, visitor_id=caller.id, networks=networks) as subscriber:
        try:
            await chat.bus.subscribe_room(room.id)
            member = await chat.memberships.require(room.id, visitor_id=caller.id)
            await chat.presence.enter(member, page_id=subscriber.id)
            try:
                yield _Subscription(subscriber, member, address)
            finally:
                await chat.presence.leave(member, page_id=subscriber.id)
        finally:
            chat.bus.unsubscribe_room(room.id)


@routes.get(
    "/rooms/{slug}/events",
    dependencies=[charge(Cost.STREAM)],
    status_code=200,
    summary="Stream events",
    response_class=EventStream,
    responses={
        **_STREAM,
        **problem_responses(*ROOM_PROBLEMS, NOT_A_MEMBER, INVALID_REQUEST, LIMIT_REACHED),
    },
)
async def listen(
    chat: ChatDependency,
    room: RoomDependency,
    subscription: Annotated[_Subscription, Depends(_subscribe)],
    after: Annotated[
        int | None,
        Query(ge=0, le=SEQ_MAX, description="First send the messages after this `seq`."),
    ] = None,
    last_event_id: Annotated[
        int | None,
        Header(
            ge=0, le=SEQ_MAX, description="The last `id` received; takes precedence over `after`."
        ),
    ] = None,
) -> EventStream:
    """Stream the events of a room to its members.

    | event | data | when |
    |---|---|---|
    | `message` | the message; the event's `id` is its `seq` | it was posted |
    | `gone` | `seqs` | messages were deleted or have expired |
    | `joined`, `left` | `author`, `nickname` (`joined` only) | the members change |
    | `presence` | `author`, `nickname`, `present` | a member opens the room or closes it |
    | `ended` | nothing | the room has ended |
    | `ready` | `seq` | everything up to `seq` was sent; live events follow |

    Every `message` is sent once, in the order of `seq`. Without `after` and `Last-Event-ID` the
    stream begins with live events. With one of them it begins after that `seq`; those of the last
    1,000 messages up to it that no longer exist are sent as `gone`. A comment every 15 seconds
    keeps the connection alive. The stream ends when you are no longer a member, when the room ends
    or the server stops, and when you read too slowly. To resume, reconnect with the last `id` you
    received, unless the call is refused.
    """
    start = after if last_event_id is None else last_event_id
    replay = _EventReplay(chat, room, subscription, start)
    return EventStream(replay.run(), subscription.subscriber)


class _EventReplay:
    """Generates the content of one stream in order: missed messages, then live events."""

    def __init__(
        self, chat: Chat, room: Room, subscription: _Subscription, start: int | None
    ) -> None:
        self._chat = chat
        self._room = room
        self._subscriber = subscription.subscriber
        self._visitor_id = subscription.member.visitor_id
        self._address = subscription.address
        self._start_seq = start
        self._sent_seq = 0
        self._read_seq = subscription.member.read_seq

    async def run(self) -> AsyncIterator[bytes]:
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
            if deleted := await self._find_deleted():
                yield deleted_event(deleted).data
        # Else the start belongs to an earlier room with this slug: send all of this room.
        async for chunk in self._catch_up():
            yield chunk
        yield ready_event(self._sent_seq).data

    async def _send(self, events: list[StreamEvent]) -> AsyncIterator[bytes]:
        chunk: list[bytes] = []
        for event in events:
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
        if deleted := await self._find_deleted():
            yield deleted_event(deleted).data
        async for chunk in self._catch_up():
            yield chunk

    async def _catch_up(self) -> AsyncIterator[bytes]:
        while not self._subscriber.ended and (messages := await self._load_missed()):
            self._sent_seq = messages[-1].seq
            yield b"".join(message_event(message).data for message in messages)
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
        return messages

    async def _find_deleted(self) -> tuple[int, ...]:
        await self._spend(2 * Cost.LIST_QUERY)
        first = max(1, self._sent_seq - _DELETED_LOOKBACK + 1)
        live = await self._chat.messages.list_seqs(
            self._room.id,
            visitor_id=self._visitor_id,
            first=first,
            last=self._sent_seq,
            limit=_DELETED_LOOKBACK,
        )
        return tuple(sorted(set(range(first, self._sent_seq + 1)) - set(live)))

    async def _spend(self, milliseconds: float) -> None:
        await self._chat.work_budget.spend(
            milliseconds, visitor_id=self._visitor_id, address=self._address
        )

    async def _mark_read(self) -> None:
        if self._sent_seq > self._read_seq:
            self._read_seq = self._sent_seq
            await self._chat.memberships.mark_read(
                self._room.id, visitor_id=self._visitor_id, seq=self._sent_seq
            )

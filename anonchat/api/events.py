"""Hearing at once of what happens in a room: server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..chat import Chat
from ..costs import Cost
from ..errors import ChatError
from ..nouns import Member, Message, Room
from .caller import IN_ROOM, Address, Caller, TheChat, TheRoom, TheStreams, costs
from .problems import INVALID_REQUEST, LIMIT_REACHED, NOT_A_MEMBER, documented
from .schemas import PAGE_MAX, SEQ_MAX
from .streams import HEARTBEAT, Notice, Reader, gone_notice, message_notice, ready_notice

routes = APIRouter(tags=["events"])

_LOOK_BACK = 1_000
_HEADERS = {"X-Accel-Buffering": "no"}  # a proxy must not hold it back
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
        "description": "The events, for as long as you listen and are a member.",
        "content": {"text/event-stream": {"itemSchema": _EVENT, "example": _EXAMPLE}},
    }
}


class EventStream(StreamingResponse):
    """An answer that goes on until its reader ends, which it does when the other side is gone.

    Nothing is broken off in the middle: that could be in the middle of a query.
    """

    media_type = "text/event-stream"

    def __init__(self, content: AsyncIterator[bytes], reader: Reader) -> None:
        super().__init__(content, headers=_HEADERS)
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        watching = asyncio.create_task(self._watch(receive))
        try:
            await self.stream_response(send)
        finally:
            watching.cancel()

    async def _watch(self, receive: Receive) -> None:
        await self.listen_for_disconnect(receive)
        self._reader.end()


@dataclass(frozen=True, slots=True)
class _Ear:
    reader: Reader
    member: Member
    address: str


async def _listen(
    chat: TheChat, streams: TheStreams, caller: Caller, room: TheRoom, address: Address
) -> AsyncIterator[_Ear]:
    """First listen, then see who it is: whoever leaves in between is heard of.

    A program that listens has the room open, like a screen; it lets go after the last byte.
    """
    networks = chat.network_shares.of_address(address)
    with streams.listen(room.id, visitor_id=caller.id, networks=networks) as reader:
        try:
            await chat.bus.attend(room.id)
            member = await chat.memberships.require(room.id, visitor_id=caller.id)
            await chat.presence.enter(member, screen=reader.id)
            try:
                yield _Ear(reader, member, address)
            finally:
                await chat.presence.leave(member, screen=reader.id)
        finally:
            chat.bus.leave(room.id)


@routes.get(
    "/rooms/{slug}/events",
    dependencies=[costs(Cost.STREAM)],
    status_code=200,
    summary="Hear what happens",
    response_class=EventStream,
    responses={**_STREAM, **documented(*IN_ROOM, NOT_A_MEMBER, INVALID_REQUEST, LIMIT_REACHED)},
)
async def listen(
    chat: TheChat,
    room: TheRoom,
    ear: Annotated[_Ear, Depends(_listen)],
    after: Annotated[
        int | None,
        Query(ge=0, le=SEQ_MAX, description="First tell what was said after this `seq`."),
    ] = None,
    last_event_id: Annotated[
        int | None,
        Header(ge=0, le=SEQ_MAX, description="Where a stream broke off; counts before `after`."),
    ] = None,
) -> EventStream:
    """Stream the events of a room, to its members.

    | event | data | when |
    |---|---|---|
    | `message` | the message; the event's `id` is its `seq` | it was posted |
    | `gone` | `seqs` | messages were deleted or have expired |
    | `joined`, `left` | `author`, `nickname` (of who joined) | the members change |
    | `presence` | `author`, `nickname`, `present` | a member opens the room or closes it |
    | `ended` | nothing | the room is gone |
    | `ready` | `seq` | everything up to there was told; what follows happens now |

    Every `message` comes once and in the order of `seq`. Without `after` and `Last-Event-ID` the
    stream begins now. With one of them it begins after it; what has gone meanwhile of the last
    1,000 messages up to there is told as `gone`. A comment every 15 seconds says that all is well.
    The stream ends when you are a member no more, when the room or the server ends, and when you
    read too slowly: unless a call says otherwise, resume by the last `id` you have seen.
    """
    start = after if last_event_id is None else last_event_id
    flow = _Flow(chat, room, ear, start)
    return EventStream(flow.run(), ear.reader)


class _Flow:
    """What one reader is told, in order: what it has missed, and then what happens."""

    def __init__(self, chat: Chat, room: Room, ear: _Ear, start: int | None) -> None:
        self._chat = chat
        self._room = room
        self._reader = ear.reader
        self._visitor_id = ear.member.visitor_id
        self._address = ear.address
        self._start = start
        self._told = 0
        self._read = ear.member.read_seq

    async def run(self) -> AsyncIterator[bytes]:
        """Yield it, until there is nothing more to tell."""
        try:
            async for chunk in self._begin():
                yield chunk
            while (notices := await self._reader.take()) is not None:
                if self._reader.take_gap():
                    async for chunk in self._look_again():
                        yield chunk
                async for chunk in self._pass_on(notices):
                    yield chunk
        except ChatError:  # a member no more, or no room: the end, as for everybody
            return

    async def _begin(self) -> AsyncIterator[bytes]:
        reached = (await self._chat.rooms.find(self._room.slug)).last_seq
        if self._start is None:
            self._told = reached
        elif self._start <= reached:
            self._told = self._start
            if gone := await self._find_gone():
                yield gone_notice(gone).data
        # Else it has heard of an earlier room at this address: this one is told from the beginning.
        async for chunk in self._catch_up():
            yield chunk
        yield ready_notice(self._told).data

    async def _pass_on(self, notices: list[Notice]) -> AsyncIterator[bytes]:
        chunk: list[bytes] = []
        for notice in notices:
            if notice.seq and notice.seq <= self._told:
                continue
            if notice.seq > self._told + 1:  # something was said that we were not told of
                yield b"".join(chunk)
                chunk = []
                async for missed in self._catch_up():
                    yield missed
                continue  # it was told with the others, is gone, or has to wait for one of them
            chunk.append(notice.data)
            self._told = max(self._told, notice.seq)
        yield b"".join(chunk) or HEARTBEAT
        await self._mark_read()
        # Not of the network: it is others who decide how much is said.
        await self._chat.work.spend(Cost.STREAMED, visitor_id=self._visitor_id)

    async def _look_again(self) -> AsyncIterator[bytes]:
        """Tell what may have been missed, on its way from another node."""
        if gone := await self._find_gone():
            yield gone_notice(gone).data
        async for chunk in self._catch_up():
            yield chunk

    async def _catch_up(self) -> AsyncIterator[bytes]:
        while not self._reader.ended and (messages := await self._read_on()):
            self._told = messages[-1].seq
            yield b"".join(message_notice(message).data for message in messages)
        await self._mark_read()

    async def _read_on(self) -> list[Message]:
        most = Cost.QUESTION + PAGE_MAX * Cost.STREAMED
        async with self._chat.work.exclusive(
            most, visitor_id=self._visitor_id, address=self._address
        ) as charge:
            messages = await self._chat.messages.history(
                self._room.id, visitor_id=self._visitor_id, after=self._told, limit=PAGE_MAX
            )
            charge.milliseconds = Cost.QUESTION + len(messages) * Cost.STREAMED
        return messages

    async def _find_gone(self) -> tuple[int, ...]:
        await self._spend(2 * Cost.QUESTION)
        first = max(1, self._told - _LOOK_BACK + 1)
        living = await self._chat.messages.living_seqs(
            self._room.id,
            visitor_id=self._visitor_id,
            first=first,
            last=self._told,
            limit=_LOOK_BACK,
        )
        return tuple(sorted(set(range(first, self._told + 1)) - set(living)))

    async def _spend(self, milliseconds: float) -> None:
        await self._chat.work.spend(
            milliseconds, visitor_id=self._visitor_id, address=self._address
        )

    async def _mark_read(self) -> None:
        if self._told > self._read:
            self._read = self._told
            await self._chat.memberships.mark_read(
                self._room.id, visitor_id=self._visitor_id, seq=self._told
            )

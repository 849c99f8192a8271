"""Live events of a room, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..limits.costs import Cost
from . import problems
from .dependencies import (
    ROOM_PROBLEMS,
    Caller,
    ChatDependency,
    ClientIp,
    RoomDependency,
    StreamsDependency,
    charge,
)
from .problem_responses import problem_responses
from .schemas import SEQ_MAX
from .stream_content import StreamContent, Subscription
from .streams import Subscriber

routes = APIRouter(tags=["events"])

_HEADERS = {"X-Accel-Buffering": "no"}  # disables buffering in nginx
_EXAMPLE = """\
event: ready
id: 41
data: {"seq":41}

event: message
id: 42
data: {"id":"pS3kX0v1cN6i4yXl","seq":42,"nickname":"Night Owl","author":"9f2b4c6d8e0a1b3c5d",\
"text":"dice: [4,2]","posted_at":"2030-01-01T12:00:00Z","expires_at":"2030-01-02T12:00:00Z",\
"kind":"dice","data":[4,2],"reply_to":"","mentions":[],"edited":false,"reactions":[],"once":false,\
"opened":0,"revision":0}

event: gone
data: {"seqs":[40,41]}

"""
_KINDS = (
    "ready",
    "message",
    "edited",
    "reacted",
    "opened",
    "gone",
    "joined",
    "left",
    "member",
    "presence",
    "typing",
    "transcript",
    "changed",
    "ended",
)
_EVENT = {
    "type": "object",
    "properties": {
        "event": {"enum": [*_KINDS]},
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


async def _subscribe(
    chat: ChatDependency,
    streams: StreamsDependency,
    caller: Caller,
    room: RoomDependency,
    address: ClientIp,
) -> AsyncIterator[Subscription]:
    """Subscribe to a room, then check the membership, so that no leave event is missed.

    A subscribed member counts as present in the room, as with an open page, until the last byte.
    """
    networks = chat.network_shares.networks_of_address(address)
    with streams.subscribe(room.id, visitor_id=caller.id, networks=networks) as subscriber:
        try:
            await chat.bus.subscribe_room(room.id)
            member = await chat.memberships.require(room.id, visitor_id=caller.id)
            subscriber.author = member.author
            await chat.presence.enter(member, page_id=subscriber.id)
            try:
                yield Subscription(subscriber, member, address)
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
        **problem_responses(
            *ROOM_PROBLEMS, problems.NOT_A_MEMBER, problems.INVALID_REQUEST, problems.LIMIT_REACHED
        ),
    },
)
async def listen(
    chat: ChatDependency,
    room: RoomDependency,
    subscription: Annotated[Subscription, Depends(_subscribe)],
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
    | `edited` | the message as it is now; no `id` | its author has changed it |
    | `reacted` | the same | its reactions have changed |
    | `opened` | the same | a reader has opened it, which is `once` |
    | `gone` | `seqs` | messages were deleted or have expired |
    | `joined`, `left` | `author`, `nickname` (`joined` only) | the members change |
    | `left` | also `removed`: true | owner or helpers have removed or banned somebody |
    | `member` | the member | somebody has another role, or was muted or unmuted |
    | `presence` | `author`, `nickname`, `present` | a member opens the room or closes it |
    | `typing` | `authors`; instead of more than four, `several` | others than before type |
    | `transcript` | `id`, `author`, `until`, `granted` | asked for (null), or how it ended |
    | `changed` | what the owner can change, as in the room, and `expires_at` | they change |
    | `ended` | nothing | the room has ended |
    | `ready` | `seq` | everything up to `seq` was sent; live events follow |

    Every `message` is sent once, in the order of `seq`. Without `after` and `Last-Event-ID` the
    stream begins with live events. With one of them it begins after that `seq`; those of the last
    1,000 messages up to it that no longer exist are sent as `gone`, and the newest 200 of them that
    were ever changed as `edited`, which may repeat what you know. A comment every 15 seconds
    keeps the connection alive. The stream ends when you are no longer a member, when the room ends
    or the server stops, and when you read too slowly. To resume, reconnect with the last `id` you
    received, unless the call is refused.
    """
    start = after if last_event_id is None else last_event_id
    content = StreamContent(chat, room, subscription, start)
    return EventStream(content.generate(), subscription.subscriber)

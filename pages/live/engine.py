"""What engine.io keeps for each socket, and how all of it ends with the socket.

A closed socket of engine.io can stay in memory for long: its next ping is scheduled, a polled
request waits for packets, the web socket of an upgrade waits for its client, or packets wait for a
client that does not come back.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engineio import packet
from engineio.async_socket import AsyncSocket
from nicegui import core

from .lines import Line

_PACKET_COST = 64  # bytes of a packet besides its text


class PacketQueue(asyncio.Queue[Any]):
    """The packets that wait for one socket; `size` is about how many bytes they take.

    `on_change` is called with the size whenever it changes.
    """

    def _init(self, maxsize: int) -> None:
        super()._init(maxsize)
        self.size = 0
        self.on_change: Callable[[int], None] | None = None

    def clear(self) -> None:
        """Drop all packets."""
        while not self.empty():
            self.get_nowait()

    def _put(self, item: Any) -> None:
        super()._put(item)
        self._resize(_cost(item))

    def _get(self) -> Any:
        item = super()._get()
        self._resize(-_cost(item))
        return item

    def _resize(self, change: int) -> None:
        self.size += change
        if self.on_change:
            self.on_change(self.size)


@dataclass(slots=True)
class _Parts:
    """What belongs to one socket besides engine.io's own object."""

    pings: set[asyncio.Task[Any]] = field(default_factory=set)
    polls: set[asyncio.Future[Any]] = field(default_factory=set)
    posts: set[asyncio.Future[Any]] = field(default_factory=set)
    lines: list[Line] = field(default_factory=list)


class EngineSockets:
    """Knows what belongs to each socket of engine.io, and ends all of it."""

    def __init__(self) -> None:
        self._parts: dict[str, _Parts] = {}
        self._start_task = core.sio.eio.start_background_task

    def __len__(self) -> int:
        return len(self._parts)

    def install(self) -> None:
        """Let engine.io make its queues and start its tasks through this."""
        core.sio.eio.create_queue = PacketQueue
        core.sio.eio.start_background_task = self._start_background_task

    def begin(self, engine_id: str, line: Line | None) -> PacketQueue:
        """Note a new socket, with its web socket unless it polls; return its queue."""
        parts = self._parts[engine_id] = _Parts()
        if line:
            parts.lines.append(line)
        queue: PacketQueue = core.sio.eio.sockets[engine_id].queue
        return queue

    def find_polling(self, engine_id: str) -> AsyncSocket | None:
        """Return an open socket that polls and may go on polling."""
        socket: AsyncSocket | None = core.sio.eio.sockets.get(engine_id)
        if socket is None or engine_id not in self._parts:
            return None
        is_over = socket.closed or socket.closing or socket.upgraded
        return None if is_over or not socket.connected else socket

    def is_polled(self, engine_id: str) -> bool:
        """Tell whether a request waits for the packets of a socket."""
        return bool(self._parts[engine_id].polls)

    @contextmanager
    def serving(
        self, engine_id: str, work: asyncio.Future[Any], *, poll: bool
    ) -> Iterator[Callable[[], None]]:
        """Note a polled request until it is served; call what this gives once it is answered.

        Whoever has read the answer may send the next request before `work` is done.
        """
        parts = self._parts.get(engine_id) or _Parts()
        requests = parts.polls if poll else parts.posts
        requests.add(work)
        end = partial(requests.discard, work)
        try:
            yield end
        finally:
            end()

    @contextmanager
    def upgrading(self, socket: AsyncSocket, line: Line) -> Iterator[None]:
        """Note the web socket to which a polling socket changes.

        engine.io answers polled requests with nothing at all for as long as it believes that a
        socket is about to change, also if its web socket was lost before.
        """
        parts = self._parts[socket.sid]
        parts.lines.append(line)
        try:
            yield
        finally:
            parts.lines.remove(line)
            if not socket.upgraded:
                socket.upgrading = False

    def has_line(self, engine_id: str) -> bool:
        """Tell whether a socket has a web socket, or is getting one."""
        return bool(self._parts[engine_id].lines)

    async def end(self, engine_id: str) -> None:
        """End what belongs to a closed socket, and wait until nothing of it is left."""
        parts = self._parts[engine_id]
        socket: AsyncSocket | None = core.sio.eio.sockets.get(engine_id)
        for ping in list(parts.pings):
            ping.cancel()
        for line in list(parts.lines):
            await line.end()
        while requests := parts.polls | parts.posts:  # each has an end of its own
            if socket and parts.polls and socket.queue.empty():
                socket.queue.put_nowait(packet.Packet(packet.CLOSE))
            await asyncio.wait(requests)
            await asyncio.sleep(0)  # they are taken off the list by whoever has served them
        core.sio.eio.sockets.pop(engine_id, None)
        if socket:
            socket.queue.clear()
        del self._parts[engine_id]

    def _start_background_task(
        self, target: Callable[..., Any], *args: Any, **named: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = self._start_task(target, *args, **named)
        owner = getattr(target, "__self__", None)
        if isinstance(owner, AsyncSocket) and (parts := self._parts.get(owner.sid)):
            parts.pings.add(task)
            task.add_done_callback(parts.pings.discard)
        return task


def _cost(item: Any) -> int:
    data = getattr(item, "data", None)
    return _PACKET_COST + (len(data) if isinstance(data, (str, bytes)) else 0)

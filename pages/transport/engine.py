"""Cleanup of everything that engine.io keeps for a socket.

A closed engine.io socket can stay in memory for long: its next ping is scheduled, a poll waits for
packets, the WebSocket of an upgrade waits for its client, or packets wait for a client that does
not return.
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

from .websocket import BroadcastWebSocket

_PACKET_OVERHEAD_BYTES = 64


class PacketQueue(asyncio.Queue[Any]):
    """Packet queue of one socket; `size` is its approximate size in bytes.

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
        self._resize(_packet_size(item))

    def _get(self) -> Any:
        item = super()._get()
        self._resize(-_packet_size(item))
        return item

    def _resize(self, change: int) -> None:
        self.size += change
        if self.on_change:
            self.on_change(self.size)


@dataclass(slots=True)
class _Resources:
    """Tasks, requests and WebSockets of one engine.io socket."""

    pings: set[asyncio.Task[Any]] = field(default_factory=set)
    polls: set[asyncio.Future[Any]] = field(default_factory=set)
    posts: set[asyncio.Future[Any]] = field(default_factory=set)
    websockets: list[BroadcastWebSocket] = field(default_factory=list)


class EngineSockets:
    """Tracks the resources of each engine.io socket, and releases them."""

    def __init__(self) -> None:
        self._resources: dict[str, _Resources] = {}
        self._start_task = core.sio.eio.start_background_task

    def __len__(self) -> int:
        return len(self._resources)

    def install(self) -> None:
        """Make engine.io create its queues and start its tasks through this object."""
        core.sio.eio.create_queue = PacketQueue
        core.sio.eio.start_background_task = self._start_background_task

    def register(self, engine_id: str, websocket: BroadcastWebSocket | None) -> PacketQueue:
        """Register a new socket, with its WebSocket unless it polls; return its queue."""
        resources = self._resources[engine_id] = _Resources()
        if websocket:
            resources.websockets.append(websocket)
        queue: PacketQueue = core.sio.eio.sockets[engine_id].queue
        return queue

    def find_polling(self, engine_id: str) -> AsyncSocket | None:
        """Return the socket if it is open and uses polling, else `None`."""
        socket: AsyncSocket | None = core.sio.eio.sockets.get(engine_id)
        if socket is None or engine_id not in self._resources:
            return None
        is_ended = socket.closed or socket.closing or socket.upgraded
        return None if is_ended or not socket.connected else socket

    def is_polled(self, engine_id: str) -> bool:
        """Return whether a poll waits for packets of a socket."""
        return bool(self._resources[engine_id].polls)

    @contextmanager
    def track_request(
        self, engine_id: str, work: asyncio.Future[Any], *, poll: bool
    ) -> Iterator[Callable[[], None]]:
        """Track a polling request; call the yielded function once its response is sent.

        A client that has the response may send its next request before `work` is done.
        """
        resources = self._resources.get(engine_id) or _Resources()
        requests = resources.polls if poll else resources.posts
        requests.add(work)
        untrack = partial(requests.discard, work)
        try:
            yield untrack
        finally:
            untrack()

    @contextmanager
    def track_upgrade(self, socket: AsyncSocket, websocket: BroadcastWebSocket) -> Iterator[None]:
        """Track the WebSocket that a polling socket upgrades to.

        Resets the `upgrading` flag if the WebSocket is lost: engine.io answers polls without
        packets while the flag is set.
        """
        resources = self._resources[socket.sid]
        resources.websockets.append(websocket)
        try:
            yield
        finally:
            resources.websockets.remove(websocket)
            if not socket.upgraded:
                socket.upgrading = False

    def has_websocket(self, engine_id: str) -> bool:
        """Return whether a socket has a WebSocket, or is upgrading to one."""
        return bool(self._resources[engine_id].websockets)

    async def release(self, engine_id: str) -> None:
        """Release the resources of a closed socket; return once none is left."""
        resources = self._resources[engine_id]
        socket: AsyncSocket | None = core.sio.eio.sockets.get(engine_id)
        for ping in list(resources.pings):
            ping.cancel()
        for websocket in list(resources.websockets):
            await websocket.end()
        while requests := resources.polls | resources.posts:  # each ends by itself
            if socket and resources.polls and socket.queue.empty():
                socket.queue.put_nowait(packet.Packet(packet.CLOSE))
            await asyncio.wait(requests)
            await asyncio.sleep(0)  # lets `track_request` untrack them
        core.sio.eio.sockets.pop(engine_id, None)
        if socket:
            socket.queue.clear()
        del self._resources[engine_id]

    def _start_background_task(
        self, target: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = self._start_task(target, *args, **kwargs)
        owner = getattr(target, "__self__", None)
        if isinstance(owner, AsyncSocket) and (resources := self._resources.get(owner.sid)):
            resources.pings.add(task)
            task.add_done_callback(resources.pings.discard)
        return task


def _packet_size(item: Any) -> int:
    data = getattr(item, "data", None)
    return _PACKET_OVERHEAD_BYTES + (len(data) if isinstance(data, (str, bytes)) else 0)

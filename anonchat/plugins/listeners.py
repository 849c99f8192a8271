"""Listeners: called with what happened on this node, after it happened."""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable

from ..entities import Room
from ..events import Event
from ..runtime.background_tasks import end_tasks
from .entities import MessageEdited, MessagePosted, MessageReacted, PluginEvent, make_event
from .invocation import Values, call_alone, log_failure
from .registrations import Listener

_SECONDS = 10.0
_QUEUE_MAX = 1_000  # events, for each plugin
_log = logging.getLogger(__name__)

Provide = Callable[[Listener, PluginEvent], Values]


class Listeners:
    """Calls listeners, those of one plugin one after the other, without making others wait."""

    def __init__(
        self,
        listeners: Iterable[Listener],
        provide: Provide,
        *,
        find_room: Callable[[str], Room | None],
    ) -> None:
        """`provide` returns what can be injected into a listener for an event."""
        self._provide = provide
        self._find_room = find_room
        self._by_event: defaultdict[type, list[Listener]] = defaultdict(list)
        for listener in listeners:
            self._by_event[listener.event].append(listener)
        self._queues: defaultdict[str, deque[tuple[Listener, PluginEvent]]] = defaultdict(deque)
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def on_event(self, event: Event) -> None:
        """Queue an event for its listeners; beyond 1,000 the oldest is dropped."""
        if not self._by_event or (seen := make_event(event, self._find_room)) is None:
            return
        for listener in self._by_event.get(type(seen), ()):
            plugin = listener.call.plugin
            queue = self._queues[plugin]
            queue.append((listener, seen))
            if len(queue) > _QUEUE_MAX:
                queue.popleft()
                _log.warning("plugin %s: too slow for all events, the oldest is dropped", plugin)
            if (task := self._tasks.get(plugin)) is None or task.done():
                self._tasks[plugin] = asyncio.create_task(self._call_all(queue), name=plugin)

    def forget(self, room_id: str, seqs: Collection[int] | None = None) -> None:
        """Drop queued messages that were deleted: those with these `seqs`, or all of a room."""
        for queue in self._queues.values():
            kept = [each for each in queue if not _is_of(each[1], room_id, seqs)]
            if len(kept) < len(queue):
                queue.clear()
                queue.extend(kept)

    async def finish(self) -> None:
        """Wait until all queued events are handled."""
        while tasks := [task for task in self._tasks.values() if not task.done()]:
            await asyncio.wait(tasks)

    async def stop(self) -> None:
        """Drop what is queued, cancel what runs, and wait for its end."""
        self._queues.clear()
        await end_tasks(self._tasks.values())

    async def _call_all(self, queue: deque[tuple[Listener, PluginEvent]]) -> None:
        while queue:
            listener, event = queue.popleft()
            what = f"listener of {type(event).__name__}"
            try:
                values = self._provide(listener, event)
                await call_alone(listener.call, values, what=what, seconds=_SECONDS)
            except Exception as error:
                log_failure(listener.call, what, error)


def _is_of(event: PluginEvent, room_id: str, seqs: Collection[int] | None) -> bool:
    if not isinstance(event, MessagePosted | MessageEdited | MessageReacted):
        return False
    return event.room.id == room_id and (seqs is None or event.message.seq in seqs)

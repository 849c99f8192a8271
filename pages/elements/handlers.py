"""Handlers of page events with bounded concurrency and bounded queues."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.events import GenericEventArguments

from anonchat import ChatError

_log = logging.getLogger(__name__)

Handle = Callable[[Any], Awaitable[object]]


class LatestOnlyHandler:
    """Handles one event at a time; of the events that arrive meanwhile, only the newest is kept.

    Use it where a later event supersedes earlier ones, such as a sync request or a read mark.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._is_busy = False
        self._newest: GenericEventArguments | None = None

    def __call__(self, arguments: GenericEventArguments) -> Awaitable[None] | None:
        """Handle the event, or replace the queued one by it."""
        if self._is_busy:
            self._newest = arguments
            return None
        self._is_busy = True
        return self._run(arguments)

    async def _run(self, arguments: GenericEventArguments) -> None:
        current: GenericEventArguments | None = arguments
        try:
            while current and not current.sender.is_deleted:
                await _handle_safely(self._handle, current)
                current, self._newest = self._newest, None
        finally:
            self._is_busy = False


class QueueHandler:
    """Handles up to `concurrency` events at once, queues `queue_max` more, rejects the rest.

    Use it where every event counts, such as a click.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        concurrency: int = 1,
        queue_max: int,
        reject: Callable[[Any], object] | None = None,
    ) -> None:
        self._handle = handle
        self._concurrency = concurrency
        self._queue_max = queue_max
        self._reject = reject
        self._running = 0
        self._queue: list[GenericEventArguments] = []  # an empty deque is ten times as large

    def __call__(self, arguments: GenericEventArguments) -> Awaitable[None] | None:
        """Handle the event, queue it, or reject it."""
        if self._running < self._concurrency:
            self._running += 1
            return self._run(arguments)
        if len(self._queue) < self._queue_max:
            self._queue.append(arguments)
        elif self._reject:
            self._reject(arguments)
        return None

    async def _run(self, arguments: GenericEventArguments) -> None:
        current: GenericEventArguments | None = arguments
        try:
            while current and not current.sender.is_deleted:
                await _handle_safely(self._handle, current)
                current = self._queue.pop(0) if self._queue else None
        finally:
            self._running -= 1
            if not self._running:
                self._queue.clear()


async def _handle_safely(handle: Handle, arguments: GenericEventArguments) -> None:
    """Handle one event; log its exceptions, so that the next one is handled in any case."""
    try:
        await handle(arguments)
    except ChatError:  # the handlers report these errors to the visitor
        _log.debug("page event rejected", exc_info=True)
    except Exception:
        _log.exception("unhandled exception in a page event handler")

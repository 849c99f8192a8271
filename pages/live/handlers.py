"""How events of a page are handled: never more of them at once than there is a bound for."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui.events import GenericEventArguments

from anonchat import ChatError

_log = logging.getLogger(__name__)

Handle = Callable[[Any], Awaitable[object]]


class NewestOnly:
    """Handles one event at a time; of those that come meanwhile only the newest is handled.

    For what a later event makes worthless: a question that was asked again, a mark that moved on.
    """

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._is_busy = False
        self._newest: GenericEventArguments | None = None

    def __call__(self, arguments: GenericEventArguments) -> Awaitable[None] | None:
        """Handle it, or let it wait in the place of the one that waits."""
        if self._is_busy:
            self._newest = arguments
            return None
        self._is_busy = True
        return self._run(arguments)

    async def _run(self, arguments: GenericEventArguments) -> None:
        next_one: GenericEventArguments | None = arguments
        try:
            while next_one and not next_one.sender.is_deleted:
                await _try(self._handle, next_one)
                next_one, self._newest = self._newest, None
        finally:
            self._is_busy = False


class InOrder:
    """Handles a few events at once, and lets so many more wait; whatever exceeds that is refused.

    For what a person does: each counts.
    """

    def __init__(
        self,
        handle: Handle,
        *,
        at_once: int = 1,
        waiting_most: int,
        refuse: Callable[[Any], object] | None = None,
    ) -> None:
        self._handle = handle
        self._at_once = at_once
        self._waiting_most = waiting_most
        self._refuse = refuse
        self._running = 0
        self._waiting: deque[GenericEventArguments] = deque()

    def __call__(self, arguments: GenericEventArguments) -> Awaitable[None] | None:
        """Handle it, or let it wait for its turn, or refuse it."""
        if self._running < self._at_once:
            self._running += 1
            return self._run(arguments)
        if len(self._waiting) < self._waiting_most:
            self._waiting.append(arguments)
        elif self._refuse:
            self._refuse(arguments)
        return None

    async def _run(self, arguments: GenericEventArguments) -> None:
        next_one: GenericEventArguments | None = arguments
        try:
            while next_one and not next_one.sender.is_deleted:
                await _try(self._handle, next_one)
                next_one = self._waiting.popleft() if self._waiting else None
        finally:
            self._running -= 1
            if not self._running:
                self._waiting.clear()


async def _try(handle: Handle, arguments: GenericEventArguments) -> None:
    """Handle one event; what goes wrong with it does not keep the next one from being handled."""
    try:
        await handle(arguments)
    except ChatError:  # whoever has refused it has told
        _log.debug("an event of a page was refused", exc_info=True)
    except Exception:
        _log.exception("an event of a page could not be handled")

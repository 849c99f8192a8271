"""A background task that runs at a fixed interval."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ..errors import Unavailable

_CANCEL_SECONDS = 0.1
_log = logging.getLogger(__name__)


class PeriodicTask:
    """Calls `function` every `seconds` seconds; failures are logged and do not end the task."""

    def __init__(
        self, function: Callable[[], Awaitable[None]], *, seconds: float, name: str
    ) -> None:
        self._function = function
        self._seconds = seconds
        self._name = name
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start; needs a running event loop."""
        self._task = asyncio.create_task(self._run(), name=self._name)

    def stop(self) -> None:
        """Request cancellation without waiting for it."""
        if self._task:
            self._task.cancel()

    async def end(self) -> None:
        """Cancel the task and wait until it has ended."""
        while self._task and not self._task.done():
            self._task.cancel()  # repeated: a client library may swallow a cancellation
            await asyncio.wait([self._task], timeout=_CANCEL_SECONDS)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._function()
            except Unavailable:  # logged where it was raised
                _log.debug(
                    "periodic task %s postponed: storage unavailable", self._name, exc_info=True
                )
            except Exception:  # the next run may succeed
                _log.exception("periodic task %s failed, the next run retries", self._name)

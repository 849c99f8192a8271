"""Low-priority threads for long computations."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ParamSpec, TypeVar

_NICENESS = 15

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class BackgroundThreads:
    """A thread pool at low priority for work that releases the GIL, such as Argon2id.

    At normal priority the work would compete with the event loop when processors are scarce.
    """

    def __init__(self, number: int) -> None:
        self._executor = ThreadPoolExecutor(number, "background", initializer=_lower_priority)

    async def run(
        self,
        compute: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **named: _Parameters.kwargs,
    ) -> _Result:
        """Call `compute` in a background thread and return its result."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: compute(*args, **named))


def _lower_priority() -> None:
    with suppress(OSError):  # only Linux supports per-thread priorities
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

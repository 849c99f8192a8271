"""Threads for long computations that give way to everything else."""

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
    """Runs what releases the interpreter's lock, such as Argon2id, at a low priority.

    Otherwise it would take turns with the event loop wherever there is no processor for each.
    """

    def __init__(self, number: int) -> None:
        self._executor = ThreadPoolExecutor(number, "background", initializer=_lower_priority)

    async def run(
        self,
        compute: Callable[_Parameters, _Result],
        *args: _Parameters.args,
        **named: _Parameters.kwargs,
    ) -> _Result:
        """Return what `compute` returns for these arguments."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: compute(*args, **named))


def _lower_priority() -> None:
    with suppress(OSError):  # only Linux lets a thread have a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)

"""A semaphore shared fairly between groups, whatever the queue length of each."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from ..errors import N_, LimitReached, Unavailable


@dataclass(eq=False, slots=True)
class _Waiter:
    is_admitted: bool = False
    wake: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class FairSemaphore:
    """Admits `slots` tasks at once; waiting tasks are admitted round robin by group.

    Tasks with precedence are admitted before all groups and have `reserved` extra slots that no
    group can occupy. At most `queue_max` tasks of one group may wait.
    """

    def __init__(self, slots: int, *, reserved: int, queue_max: int) -> None:
        self._slots = slots
        self._all_slots = slots + reserved
        self._waiting_most = queue_max
        self._held = 0
        self._held_by_groups = 0
        self._is_closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._priority_queue: deque[_Waiter] = deque()
        self._groups: dict[str, deque[_Waiter]] = {}  # in round-robin order

    @asynccontextmanager
    async def slot(
        self, group: str, *, has_priority: bool = False, timeout_seconds: float
    ) -> AsyncIterator[None]:
        """Hold a slot inside the block.

        Raises `LimitReached` if the queue of the group is full, and `Unavailable` after waiting
        for `timeout_seconds` seconds, and after `close`.
        """
        if self._is_closed:
            raise Unavailable
        waiter = _Waiter()
        if has_priority:
            self._priority_queue.append(waiter)
        else:
            self._enqueue(waiter, group)
        self._idle.clear()
        self._admit()
        try:
            if not waiter.is_admitted:
                await _wait(waiter, timeout_seconds)
            yield
        finally:
            if waiter.is_admitted:
                self._held -= 1
                self._held_by_groups -= not has_priority
                self._admit()
            elif has_priority:
                self._priority_queue.remove(waiter)
            else:
                self._dequeue(waiter, group)
            if self.is_idle:
                self._idle.set()

    async def close(self) -> None:
        """Admit no further tasks, and wait until those that were admitted or wait are done."""
        self._is_closed = True
        await self._idle.wait()

    @property
    def is_idle(self) -> bool:
        """Whether no task holds a slot or waits for one."""
        return not self._held and not self.count_waiting()

    def count_waiting(self) -> int:
        """Return the number of waiting tasks."""
        return len(self._priority_queue) + sum(map(len, self._groups.values()))

    def _enqueue(self, waiter: _Waiter, group: str) -> None:
        queue = self._groups.setdefault(group, deque())
        if len(queue) >= self._waiting_most:
            raise LimitReached(N_("Too much is asked for at once. Please try again."))
        queue.append(waiter)

    def _dequeue(self, waiter: _Waiter, group: str) -> None:
        self._groups[group].remove(waiter)
        if not self._groups[group]:
            del self._groups[group]

    def _admit(self) -> None:
        """Admit waiting tasks while slots are free."""
        while self._held < self._all_slots:
            if self._priority_queue:
                waiter = self._priority_queue.popleft()
            elif self._groups and self._held_by_groups < self._slots:
                waiter = self._pop_next()
                self._held_by_groups += 1
            else:
                return
            self._held += 1
            waiter.is_admitted = True
            if not waiter.wake.done():  # else its task is being cancelled and frees the slot
                waiter.wake.set_result(None)

    def _pop_next(self) -> _Waiter:
        """Pop the next waiter in round-robin order; its group moves to the end."""
        group = next(iter(self._groups))
        queue = self._groups.pop(group)
        waiter = queue.popleft()
        if queue:
            self._groups[group] = queue
        return waiter


async def _wait(waiter: _Waiter, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waiter.wake
    except TimeoutError as error:
        raise Unavailable from error

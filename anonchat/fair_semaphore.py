"""A semaphore that is shared fairly between groups, however many of one group wait."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from .errors import N_, LimitReached, Unavailable


@dataclass(eq=False, slots=True)
class _Waiter:
    is_admitted: bool = False
    wake: asyncio.Future[None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class FairSemaphore:
    """Admits `slots` at once; of those who wait, one of each group in turn (round robin).

    Whoever has precedence goes before all groups, and has `reserved` further slots that no group
    can occupy. At most `waiting_most` of one group wait.
    """

    def __init__(self, slots: int, *, reserved: int, waiting_most: int) -> None:
        self._slots = slots
        self._all_slots = slots + reserved
        self._waiting_most = waiting_most
        self._held = 0
        self._held_by_groups = 0
        self._preceding: deque[_Waiter] = deque()
        self._groups: dict[str, deque[_Waiter]] = {}  # the group whose turn is next comes first

    @asynccontextmanager
    async def slot(
        self, group: str, *, has_precedence: bool = False, longest: float
    ) -> AsyncIterator[None]:
        """Hold a slot inside the block.

        Raises `LimitReached` if too many of the group wait, and `Unavailable` after waiting for
        `longest` seconds.
        """
        waiter = _Waiter()
        if has_precedence:
            self._preceding.append(waiter)
        else:
            self._queue(waiter, group)
        self._admit()
        try:
            if not waiter.is_admitted:
                await _wait(waiter, longest)
            yield
        finally:
            if waiter.is_admitted:
                self._held -= 1
                self._held_by_groups -= not has_precedence
                self._admit()
            elif has_precedence:
                self._preceding.remove(waiter)
            else:
                self._remove(waiter, group)

    def count_waiting(self) -> int:
        """Return how many wait."""
        return len(self._preceding) + sum(map(len, self._groups.values()))

    def _queue(self, waiter: _Waiter, group: str) -> None:
        queue = self._groups.setdefault(group, deque())
        if len(queue) >= self._waiting_most:
            raise LimitReached(N_("Too much is asked for at once. Please try again."))
        queue.append(waiter)

    def _remove(self, waiter: _Waiter, group: str) -> None:
        self._groups[group].remove(waiter)
        if not self._groups[group]:
            del self._groups[group]

    def _admit(self) -> None:
        """Admit whoever is next for as long as there are slots for them."""
        while self._held < self._all_slots:
            if self._preceding:
                waiter = self._preceding.popleft()
            elif self._groups and self._held_by_groups < self._slots:
                waiter = self._take_turn()
                self._held_by_groups += 1
            else:
                return
            self._held += 1
            waiter.is_admitted = True
            if not waiter.wake.done():  # else its task is being cancelled, and lets go at once
                waiter.wake.set_result(None)

    def _take_turn(self) -> _Waiter:
        """Return the first of the group whose turn it is, which goes behind the other groups."""
        group = next(iter(self._groups))
        queue = self._groups.pop(group)
        waiter = queue.popleft()
        if queue:
            self._groups[group] = queue
        return waiter


async def _wait(waiter: _Waiter, longest: float) -> None:
    try:
        async with asyncio.timeout(longest):
            await waiter.wake
    except TimeoutError as error:
        raise Unavailable(N_("That could not be kept just now. Please try again.")) from error

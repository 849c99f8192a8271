"""Runs what is expensive one at a time, and takes turns between the clients that wait for it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .errors import N_, LimitReached


class FairQueue:
    """A lock that goes round robin over clients; each client's tasks run first in, first out.

    At most `per_client` tasks of one client wait, and `total` in all. When all places are taken,
    the client with the most tasks loses its newest one to a client that has fewer.
    """

    def __init__(self, *, per_client: int, total: int) -> None:
        self._per_client = per_client
        self._total = total
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}  # the next client first
        self._is_busy = False

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for the client's turn; raise `LimitReached` if there is no place to wait."""
        await self._wait(client)
        try:
            yield
        finally:
            self._start_next()

    async def _wait(self, client: str) -> None:
        if not self._is_busy:
            self._is_busy = True
            return
        self._make_room(client)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(client, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # its turn had just come
                self._start_next()
            else:
                self._remove(client, turn)
            raise

    def _make_room(self, client: str) -> None:
        own = len(self._waiting.get(client, ()))
        if own >= self._per_client:
            raise _refusal()
        if sum(map(len, self._waiting.values())) < self._total:
            return
        largest = max(self._waiting, key=lambda each: len(self._waiting[each]))
        newest = self._waiting[largest][-1]
        if len(self._waiting[largest]) <= own + 1:
            raise _refusal()
        self._remove(largest, newest)
        newest.set_exception(_refusal())

    def _start_next(self) -> None:
        """Give the turn to the client that has waited longest for one, and put it last."""
        if not self._waiting:
            self._is_busy = False
            return
        client = next(iter(self._waiting))
        turns = self._waiting.pop(client)
        turns.popleft().set_result(None)
        if turns:
            self._waiting[client] = turns

    def _remove(self, client: str, turn: asyncio.Future[None]) -> None:
        self._waiting[client].remove(turn)
        if not self._waiting[client]:
            del self._waiting[client]


def _refusal() -> LimitReached:
    return LimitReached(N_("Too many come in at once. Please try again."))

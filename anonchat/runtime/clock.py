"""Clocks, passed to their users as parameters."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_log = logging.getLogger(__name__)

TRUSTED_JUMP = timedelta(minutes=2)
"""A forward jump of the wall clock up to this size is accepted at once."""
JUMP_CONFIRMATION = timedelta(minutes=15)
"""A larger forward jump is accepted only after it has persisted for this long."""


class Clock(Protocol):
    """A monotonic source of the current UTC time."""

    def __call__(self) -> datetime:
        """Return the current time."""

    def reset(self) -> None:
        """Reset to the wall clock; only valid before the time has been used."""

    def advance_to(self, moment: datetime) -> None:
        """Advance to `moment` if it is in the future: that time was already used."""


def _elapsed() -> float:
    """Return monotonic seconds, including time suspended where the platform supports it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class DatabaseTime:
    """The time of the database server; the local wall clock until the first answer.

    Between two answers, and while the server is unreachable, it advances with the local monotonic
    clock.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = _elapsed,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._base: float | None = None

    def __call__(self) -> float:
        """Return the Unix time in seconds."""
        return self._wall() if self._base is None else self._base + self._elapsed()

    def synchronize(self, server_time: float, round_trip: float) -> None:
        """Synchronize with a server time read at some moment of the last `round_trip` seconds.

        The estimate changes only if it lies outside that interval. Correcting it for every slow
        answer would make the clocks run ahead, because they never go back.
        """
        if self._base is None or not server_time <= self() <= server_time + round_trip:
            self._base = server_time + round_trip / 2 - self._elapsed()


class MonotonicWallClock:
    """The wall clock in UTC that never goes back and distrusts large forward jumps.

    When the wall clock is set back, time continues with the monotonic clock, so that expired data
    stays expired and nothing outlives its TTL. When the wall clock jumps ahead by more than
    `TRUSTED_JUMP`, time also continues with the monotonic clock until the jump has persisted for
    `JUMP_CONFIRMATION`, because an erroneous jump would purge data irrecoverably.

    It may be called in any thread.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = _elapsed,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._base = wall() - elapsed()
        self._pending_jump: tuple[float, float] | None = None  # (first seen, seconds ahead)
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return the current time."""
        with self._lock:
            elapsed = self._elapsed()
            ahead = self._wall() - elapsed - self._base
            if self._accepts(ahead, elapsed):
                self._base += max(0, ahead)
            return datetime.fromtimestamp(self._base + elapsed, UTC)

    def reset(self) -> None:
        """Reset to the wall clock; only valid before the time has been used."""
        self._base = self._wall() - self._elapsed()
        self._pending_jump = None

    def advance_to(self, moment: datetime) -> None:
        """Advance to `moment` if it is in the future: that time was already used."""
        behind = (moment - self()).total_seconds()
        if behind > 0:
            self._base += behind
        if behind > TRUSTED_JUMP.total_seconds():
            _log.warning(
                "wall clock is %d s behind the last recorded time: continuing from the recorded "
                "time; check the system clock",
                behind,
            )

    def _accepts(self, ahead: float, elapsed: float) -> bool:
        """Return whether to follow the wall clock, `ahead` seconds ahead; track a pending jump."""
        step = TRUSTED_JUMP.total_seconds()
        if ahead <= step:
            if self._pending_jump:
                _log.warning("wall clock jump was reverted: nothing was purged early")
            self._pending_jump = None
            return True
        if self._pending_jump is None or abs(ahead - self._pending_jump[1]) > step:
            self._pending_jump = elapsed, ahead
            _log.error(
                "wall clock jumped ahead by %d s: ignored unless it persists for %d s, because "
                "everything expired by that time would be purged; check the system clock",
                ahead,
                JUMP_CONFIRMATION.total_seconds(),
            )
        if elapsed - self._pending_jump[0] < JUMP_CONFIRMATION.total_seconds():
            return False
        _log.error(
            "wall clock is still %d s ahead: accepted, everything expired by that time is purged",
            ahead,
        )
        self._pending_jump = None
        return True

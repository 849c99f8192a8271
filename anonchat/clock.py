"""Time is handed in: whoever needs to know the time is given a `Clock`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


class SteadyClock:
    """The wall clock in UTC, except that it never goes back.

    When the wall clock is set back, time goes on at its natural pace from where it was, so that
    what has expired stays expired and nothing lives longer than it was promised.
    """

    def __init__(
        self,
        *,
        wall: Callable[[], float] = time.time,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._base = wall()
        self._start = elapsed()

    def __call__(self) -> datetime:
        """Return the time."""
        steady = self._base + self._elapsed() - self._start
        wall = self._wall()
        if wall > steady:
            self._base += wall - steady
        return datetime.fromtimestamp(max(wall, steady), UTC)

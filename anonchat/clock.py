"""Time is handed in: whoever needs to know the time is given a `Clock`."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_log = logging.getLogger(__name__)

STEP = timedelta(minutes=2)
"""The wall clock may run ahead by so much and is believed at once."""
DOUBT = timedelta(minutes=15)
"""A wall clock that leaps further has to stay there for so long before it is believed."""


class Clock(Protocol):
    """Tells the time, and never goes back."""

    def __call__(self) -> datetime:
        """Return the time."""

    def begin(self) -> None:
        """Begin where the wall clock is now: nobody has been told the time yet."""

    def resume(self, moment: datetime) -> None:
        """Go on from that moment if it is not over yet: somebody has seen it already."""


def _elapsed() -> float:
    """Count real seconds, those during which the machine slept too where it can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class CommonTime:
    """The wall clock that several machines go by: a server's, or this machine's if there is none.

    It goes on by itself between two looks at the server's, and while nobody answers.
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
        """Return the seconds since 1970."""
        return self._wall() if self._base is None else self._base + self._elapsed()

    def learn(self, told: float, took: float) -> None:
        """Go by what the server has told: its time at some moment of the last `took` seconds.

        That leaves room for doubt. What we thought stays unless it cannot be true: clocks that were
        corrected for every answer that was late would run ahead, for they never go back.
        """
        if self._base is None or not told <= self() <= told + took:
            self._base = told + took / 2 - self._elapsed()


class SteadyClock:
    """The wall clock in UTC, except that it never goes back and does not leap on a whim.

    When the wall clock is set back, time goes on at its natural pace from where it was, so that
    what has expired stays expired and nothing lives longer than it was promised. When it leaps
    ahead, time goes on at its natural pace too, until the wall clock has held on to its opinion for
    a while: a leap that was a mistake would destroy what cannot be brought back.
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
        self._doubted: tuple[float, float] | None = None  # since when, and how far ahead

    def __call__(self) -> datetime:
        """Return the time."""
        elapsed = self._elapsed()
        ahead = self._wall() - elapsed - self._base
        if self._is_believed(ahead, elapsed):
            self._base += max(0, ahead)
        return datetime.fromtimestamp(self._base + elapsed, UTC)

    def begin(self) -> None:
        """Begin where the wall clock is now: nobody has been told the time yet."""
        self._base = self._wall() - self._elapsed()
        self._doubted = None

    def resume(self, moment: datetime) -> None:
        """Go on from that moment if it is not over yet: somebody has seen it already."""
        behind = (moment - self()).total_seconds()
        if behind > 0:
            self._base += behind
        if behind > STEP.total_seconds():
            _log.warning(
                "the clock of this machine is %d s behind the time that was reached before: time "
                "goes on from there",
                behind,
            )

    def _is_believed(self, ahead: float, elapsed: float) -> bool:
        """Tell whether the wall clock may lead; it is asked again and again while it may not."""
        step = STEP.total_seconds()
        if ahead <= step:
            if self._doubted:
                _log.warning("the clock of this machine has come back: nothing was lost")
            self._doubted = None
            return True
        if self._doubted is None or abs(ahead - self._doubted[1]) > step:
            self._doubted = elapsed, ahead
            _log.error(
                "the clock of this machine has leapt ahead by %d s: not believed until it stays so "
                "for %d s, for everything that had expired by then would be destroyed",
                ahead,
                DOUBT.total_seconds(),
            )
        if elapsed - self._doubted[0] < DOUBT.total_seconds():
            return False
        _log.error(
            "the clock of this machine is still %d s ahead: believed now, and what has expired by "
            "it is purged",
            ahead,
        )
        self._doubted = None
        return True

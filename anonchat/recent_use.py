"""How much each party has used in the last span of time."""

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from .clock import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEPT_MOST = 100_000


class RecentUse:
    """Counts uses in a sliding span, estimated from two fixed windows of that length.

    `blur` turns the name of a party into what is kept of it.
    """

    def __init__(self, span: timedelta, clock: Clock, blur: Callable[[str], str]) -> None:
        self._span = span
        self._clock = clock
        self._blur = blur
        self._window = 0
        self._current: Counter[str] = Counter()
        self._previous: Counter[str] = Counter()
        self._unsent: Counter[str] = Counter()  # what the other nodes do not know yet

    def count(self, who: str) -> float:
        """Return how often `who` has done it in the last span."""
        elapsed = self._turn()
        key = self._blur(who)
        return self._current[key] + self._previous[key] * (1 - elapsed)

    def add(self, who: str) -> None:
        """Count one use."""
        key = self._blur(who)
        self.note({key: 1})
        self._unsent[key] += 1

    def take_drawn(self) -> dict[str, float]:
        """Return what was counted here since the last time, by parties as they are kept."""
        unsent, self._unsent = self._unsent, Counter()
        return dict(unsent)

    def note(self, drawn: Mapping[str, float]) -> None:
        """Count what was used, here or on another node, by parties as they are kept."""
        self._turn()
        for key, times in drawn.items():
            self._current[key] += int(times)
        if len(self._current) > _KEPT_MOST:
            self._current = Counter(dict(self._current.most_common(_KEPT_MOST // 2)))

    def _turn(self) -> float:
        """Begin a new window if it is time; return which part of the current one is over."""
        window, elapsed = divmod((self._clock() - _EPOCH) / self._span, 1)
        if window != self._window:
            self._previous = self._current if window == self._window + 1 else Counter()
            self._current = Counter()
            self._window = int(window)
        return elapsed

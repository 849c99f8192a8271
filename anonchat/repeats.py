"""Lines of the log that repeat: one of a kind in a minute, and how many there were."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

_ONCE_IN_SECONDS = 60.0
_KINDS_MOST = 500
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Line:
    """What the log may tell of one record; `repeated` counts those that were not written."""

    created: float
    level: str
    logger: str
    place: str
    message: str
    error: str = ""
    repeated: int = 0

    @property
    def kind(self) -> tuple[str, ...]:
        """What lines have in common that differ in nothing but time and numbers."""
        words = _NUMBER.sub("0", self.message)
        return self.logger, self.level, self.place, words, self.error


class RepeatedLines:
    """Holds back lines of a kind that was written in the last minute, and counts them."""

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        # When the minute of a kind is over, and the last line that was held back; oldest first.
        self._kinds: OrderedDict[tuple[str, ...], tuple[float, Line | None]] = OrderedDict()

    def take(self, line: Line) -> list[Line]:
        """Return what to write now: nothing, or the line, with how often it was held back."""
        kind, now = line.kind, self._elapsed()
        until, held = self._kinds.get(kind, (now, None))
        if now < until:
            count = held.repeated if held else 0
            self._kinds[kind] = until, replace(line, repeated=count + 1)
            return []
        self._kinds[kind] = now + _ONCE_IN_SECONDS, None
        self._kinds.move_to_end(kind)
        dropped = self._pop_oldest() if len(self._kinds) > _KINDS_MOST else None
        told = replace(line, repeated=held.repeated) if held else line
        return [told, dropped] if dropped else [told]

    def take_due(self) -> list[Line]:
        """Return what was held back of each kind whose minute is over; another one begins then."""
        due, now = [], self._elapsed()
        while self._kinds and next(iter(self._kinds.values()))[0] <= now:
            if line := self._pop_oldest():
                due.append(line)
                self._kinds[line.kind] = now + _ONCE_IN_SECONDS, None
        return due

    def take_all(self) -> list[Line]:
        """Return what was held back of every kind."""
        kinds, self._kinds = self._kinds, OrderedDict()
        return [held for _, held in kinds.values() if held]

    def seconds_until_due(self) -> float | None:
        """Return how soon `take_due` returns something, or `None` if nothing is held back."""
        until = next((until for until, held in self._kinds.values() if held), None)
        return None if until is None else max(0.0, until - self._elapsed())

    def _pop_oldest(self) -> Line | None:
        return self._kinds.popitem(last=False)[1][1]

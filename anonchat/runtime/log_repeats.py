"""Deduplication of log lines: one of each kind per minute, with a repeat count."""

import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

_INTERVAL_SECONDS = 60.0
_KINDS_MAX = 500
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class LogEntry:
    """The loggable content of one record; `repeated` counts the suppressed repeats."""

    created: float
    level: str
    logger: str
    place: str
    message: str
    error: str = ""
    repeated: int = 0

    @property
    def kind(self) -> tuple[str, ...]:
        """The deduplication key: equal for lines that differ only in time and numbers."""
        text = _NUMBER.sub("0", self.message)
        return self.logger, self.level, self.place, text, self.error


class LogDeduplicator:
    """Suppresses and counts lines of a kind that was written in the last minute."""

    def __init__(self, elapsed: Callable[[], float] = time.monotonic) -> None:
        self._elapsed = elapsed
        # Per kind: the end of its minute and the last suppressed line; oldest first.
        self._kinds: OrderedDict[tuple[str, ...], tuple[float, LogEntry | None]] = OrderedDict()

    def take(self, line: LogEntry) -> list[LogEntry]:
        """Return the lines to write now: the given one unless it is suppressed, with its count.

        The list may also hold a suppressed line of the oldest kind, when that is evicted.
        """
        kind, now = line.kind, self._elapsed()
        until, suppressed = self._kinds.get(kind, (now, None))
        if now < until:
            count = suppressed.repeated if suppressed else 0
            self._kinds[kind] = until, replace(line, repeated=count + 1)
            return []
        self._kinds[kind] = now + _INTERVAL_SECONDS, None
        self._kinds.move_to_end(kind)
        evicted = self._pop_oldest() if len(self._kinds) > _KINDS_MAX else None
        counted = replace(line, repeated=suppressed.repeated) if suppressed else line
        return [counted, evicted] if evicted else [counted]

    def take_due(self) -> list[LogEntry]:
        """Return the suppressed line of each kind whose minute is over, and restart its minute."""
        due, now = [], self._elapsed()
        while self._kinds and next(iter(self._kinds.values()))[0] <= now:
            if line := self._pop_oldest():
                due.append(line)
                self._kinds[line.kind] = now + _INTERVAL_SECONDS, None
        return due

    def take_all(self) -> list[LogEntry]:
        """Return the suppressed line of every kind."""
        kinds, self._kinds = self._kinds, OrderedDict()
        return [suppressed for _, suppressed in kinds.values() if suppressed]

    def seconds_until_due(self) -> float | None:
        """Return the delay until `take_due` returns a line; `None` if none is suppressed."""
        until = next((until for until, suppressed in self._kinds.values() if suppressed), None)
        return None if until is None else max(0.0, until - self._elapsed())

    def _pop_oldest(self) -> LogEntry | None:
        return self._kinds.popitem(last=False)[1][1]

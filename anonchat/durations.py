"""Durations as people write them: `90s`, `10m`, `24h`, `7d`."""

import re
from datetime import timedelta

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LONGEST = timedelta(days=36_500)


def parse_duration(text: str) -> timedelta:
    """Read a duration such as `90s`, `10m`, `24h` or `7d`; raise `ValueError` for anything else.

    >>> parse_duration("90s")
    datetime.timedelta(seconds=90)
    """
    match = re.fullmatch(r"([1-9][0-9]{0,9})([smhd])", text.strip(), re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a duration; write for example 90s, 10m, 24h or 7d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{text!r} is too long a duration; a hundred years are {_LONGEST.days}d")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Write a duration in its largest whole unit.

    >>> format_duration(timedelta(hours=24))
    '1d'
    """
    seconds = int(duration.total_seconds())
    for letter, size in _UNITS.items():
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"

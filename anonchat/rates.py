"""Rates as people write them: `20/10s` is twenty at once, and twenty more in every ten seconds."""

import re
from dataclasses import dataclass
from datetime import timedelta

from .durations import format_duration, parse_duration

_MOST_PER_SECOND = 1_000


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times at once, and as many again in each span of time. None at all: no limit."""

    times: int
    span: timedelta

    def __str__(self) -> str:
        return f"{self.times}/{format_duration(self.span)}" if self.times else "off"


UNLIMITED = Rate(0, timedelta(seconds=1))


def parse_rate(text: str) -> Rate:
    """Read a rate such as `20/10s`, or `off`; raise `ValueError` for anything else.

    >>> str(parse_rate("20/10s"))
    '20/10s'
    """
    if text.strip() == "off":
        return UNLIMITED
    match = re.fullmatch(r"\s*([1-9][0-9]{0,6})\s*/\s*(\w+)\s*", text, re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is no rate; write for example 20/10s or 600/1h, or off")
    rate = Rate(int(match[1]), parse_duration(match[2]))
    if rate.times > rate.span.total_seconds() * _MOST_PER_SECOND:
        raise ValueError(f"{text!r} is more than {_MOST_PER_SECOND} a second; for no limit: off")
    return rate

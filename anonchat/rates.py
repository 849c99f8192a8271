"""Rates as people write them: `20/10s` is a burst of 20, refilled by 20 every 10 seconds."""

import re
from dataclasses import dataclass
from datetime import timedelta

from .durations import format_duration, parse_duration

_MAX_PER_SECOND = 1_000


@dataclass(frozen=True, slots=True)
class Rate:
    """A burst of `times`, refilled by `times` in each `span`; `times` 0 means no limit."""

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
        raise ValueError(f"{text!r} is not a rate; write for example 20/10s or 600/1h, or off")
    rate = Rate(int(match[1]), parse_duration(match[2]))
    if rate.times > rate.span.total_seconds() * _MAX_PER_SECOND:
        raise ValueError(f"{text!r} is more than {_MAX_PER_SECOND} a second; off means no limit")
    return rate

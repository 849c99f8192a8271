"""The weekdays of cron lines."""

import re

_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY = rf"[0-7]|{'|'.join(_NAMES)}"
_DAYS = re.compile(rf"(?:\*|({_DAY})(?:-({_DAY}))?)(?:/([1-7]))?", re.ASCII)


def name_weekdays(field: str) -> str:
    """Return the weekdays of a cron line by their names, separated by commas.

    Cron counts from Sunday (0, and 7 as well), APScheduler from Monday. Raises `ValueError`.

    >>> name_weekdays("1-3,sat,7")
    'sun,mon,tue,wed,sat'
    """
    days = {day for part in field.lower().split(",") for day in _list_days(part)}
    return ",".join(name for number, name in enumerate(_NAMES) if number in days)


def _list_days(part: str) -> set[int]:
    match = _DAYS.fullmatch(part)
    if match is None:
        raise ValueError(f"{part!r} is not a weekday; write for example mon, 1-5 or sat,sun")
    first, last, step = match.groups()
    if first and not last and not step:
        last = first
    begin, end = _number(first or "0"), _number(last or "6")
    end += 7 if end < begin else 0  # such as fri-mon
    return {day % 7 for day in range(begin, end + 1, int(step or "1"))}


def _number(day: str) -> int:
    return int(day) if day.isdigit() else _NAMES.index(day)

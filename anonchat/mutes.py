"""Mutes: whether somebody may write just now."""

from datetime import datetime, timedelta

from .durations import format_duration
from .entities import FOR_GOOD
from .errors import Muted

_MINUTE = 60  # seconds


def find_mute(muted_until: datetime | None, now: datetime) -> datetime | None:
    """Return until when somebody may not write, or `None` if they may."""
    return muted_until if muted_until and muted_until > now else None


def require_unmuted(muted_until: datetime | None, now: datetime) -> None:
    """Raise `Muted` if somebody may not write."""
    until = find_mute(muted_until, now)
    if until is None:
        return
    if until == FOR_GOOD:
        raise Muted(until)
    seconds = -(-(until - now) // timedelta(seconds=1))
    if seconds > _MINUTE:
        seconds = -(-seconds // _MINUTE) * _MINUTE
    raise Muted(until, left=format_duration(timedelta(seconds=seconds)))

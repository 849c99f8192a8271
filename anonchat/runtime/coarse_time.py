"""Rounding of timestamps to the minute, to store no more precision than needed."""

from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)


def floor_to_minute(moment: datetime) -> datetime:
    """Round down to the minute."""
    return moment.replace(second=0, microsecond=0)


def ceil_to_minute(moment: datetime) -> datetime:
    """Round up to the minute."""
    rounded_down = floor_to_minute(moment)
    return rounded_down if rounded_down == moment else rounded_down + _MINUTE

"""The time format of rows."""

from datetime import datetime


def milliseconds(moment: datetime) -> str:
    """Return a time as milliseconds since 1970, as JavaScript expects it."""
    return str(int(moment.timestamp() * 1000))

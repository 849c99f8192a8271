"""Moments as rows carry them."""

from datetime import datetime


def milliseconds(moment: datetime) -> str:
    """Return a moment in the milliseconds that a browser counts."""
    return str(int(moment.timestamp() * 1000))

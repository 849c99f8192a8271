"""Times that are stored to the minute, because nobody needs to know them exactly."""

from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)


def minute_before(moment: datetime) -> datetime:
    """Return the beginning of the minute."""
    return moment.replace(second=0, microsecond=0)


def minute_after(moment: datetime) -> datetime:
    """Return the beginning of the next minute, or the moment itself if a minute begins then."""
    begun = minute_before(moment)
    return begun if begun == moment else begun + _MINUTE

"""The row type of live lists."""

from dataclasses import dataclass
from datetime import datetime

PackedRow = list[str | float | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a list: `key` identifies it, `order` is its sort key (ascending).

    A row with `order=None` replaces a shown row with that key and keeps its place.
    """

    key: str
    order: float | str | None
    html: str

    def pack(self) -> PackedRow:
        """Return the row as sent to the browser."""
        return [self.key, self.order, self.html]


def unix_milliseconds(moment: datetime) -> str:
    """Return a time as milliseconds since 1970, as JavaScript expects it."""
    return str(int(moment.timestamp() * 1000))

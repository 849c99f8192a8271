"""What every row is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a feed: `key` names it, `order` places it among the others (ascending).

    Without an order the row is news of one that may be shown: it stays where that one is.
    """

    key: str
    order: float | str | None
    html: str

    def pack(self) -> list[str | float | None]:
        """Return the row as it travels."""
        return [self.key, self.order, self.html]

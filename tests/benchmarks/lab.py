"""Where a measure works: a folder of its own, and how large everything is."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Lab:
    """`scale` makes everything smaller for a quick look; a report is made at full scale only.

    `only` names a part of a measure that was asked for by itself; `is_alone` says that no other
    measure is waiting, so that this one may take longer.
    """

    folder: Path
    scale: float = 1.0
    only: str = ""
    is_alone: bool = False

    def sized(self, number: int, *, least: int = 1) -> int:
        """Return how many there are at this scale."""
        return max(least, round(number * self.scale))

    def lasting(self, seconds: float) -> float:
        """Return how long something lasts at this scale."""
        return max(1.0, seconds * min(1.0, self.scale * 2))

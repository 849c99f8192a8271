"""The environment of a measure: its folder and its scale."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Lab:
    """`scale` below 1 makes everything smaller; the pages are written at full scale only.

    `only` selects rows of the measure by words of their names. `is_alone` is true if measures were
    named on the command line, so that they may take longer.
    """

    folder: Path
    scale: float = 1.0
    only: str = ""
    is_alone: bool = False

    def scaled(self, number: int, *, minimum: int = 1) -> int:
        """Return a number at this scale."""
        return max(minimum, round(number * self.scale))

    def scaled_seconds(self, seconds: float) -> float:
        """Return a duration at this scale, at least one second."""
        return max(1.0, seconds * min(1.0, self.scale * 2))

"""What a measure found."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as much as anonchat somebody else needs for the same work."""

    what: str
    peer: str
    times: float


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of goals; `met` is `None` where too little could be measured.

    `why` says what stands in the way, for those who read that it is not met.
    """

    measure: str
    goal: str
    found: str
    met: bool | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Figures in full."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass(slots=True)
class Outcome:
    """All that one measure has to say; `costs` are figures that others reckon with."""

    ratios: list[Ratio] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    failure: str = ""

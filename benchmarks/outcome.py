"""Results of a measure."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as much as anonchat a peer needs for the same work."""

    what: str
    peer: str
    times: float


@dataclass(frozen=True, slots=True)
class Goal:
    """One line of the table of goals; `met` is `None` if it was not measured in full.

    `reason` is printed on the page if the goal is not met.
    """

    measure: str
    goal: str
    found: str
    met: bool | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of figures."""

    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass(slots=True)
class Outcome:
    """The results of one measure; `costs` are figures for the estimates of `cluster/paper.py`."""

    ratios: list[Ratio] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    costs: dict[str, float] = field(default_factory=dict)
    failure: str = ""

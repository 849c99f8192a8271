"""`python -m tests.benchmarks.cluster [NAME…]`: prints what was named; else writes the page."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.benchmarks.cluster import costs, deliveries, paper, screens, storing
from tests.benchmarks.cluster.programs import describe_programs
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.report import write_between
from tests.benchmarks.running import run
from tests.benchmarks.server import ROOT

_PAGE = ROOT / "docs" / "scaling.md"
_MEASURES = {
    "deliveries": deliveries.measure,
    "storing": storing.measure,
    "costs": costs.measure,
    "screens": screens.measure,
}


def _write(outcomes: Mapping[str, Outcome], load_before: float) -> Path:
    reckoned = {"reckoning": paper.reckon(outcomes)}
    return write_between(_PAGE, {**outcomes, **reckoned}, load_before, describe_programs())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        run(_MEASURES, write=_write, prog="python -m tests.benchmarks.cluster", about=__doc__)

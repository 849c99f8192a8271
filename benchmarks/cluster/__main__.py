"""`python -m benchmarks.cluster [NAME…]`: prints the named measures; else writes the page."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from benchmarks.cluster import costs, deliveries, paper, screens, storing
from benchmarks.cluster.programs import describe_programs
from benchmarks.outcome import Outcome
from benchmarks.report import write_between
from benchmarks.running import run
from tools.servers.process import ROOT

_PAGE = ROOT / "docs" / "scaling.md"
_MEASURES = {
    "deliveries": deliveries.measure,
    "storing": storing.measure,
    "costs": costs.measure,
    "screens": screens.measure,
}


def _write(outcomes: Mapping[str, Outcome], load_before: float) -> Path:
    estimates = {"estimates": paper.estimate(outcomes)}
    return write_between(_PAGE, {**outcomes, **estimates}, load_before, describe_programs())


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        run(_MEASURES, write=_write, prog="python -m benchmarks.cluster", description=__doc__)

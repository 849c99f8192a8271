"""What was found, as a page and for a terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.machine import describe_machine, describe_versions
from tests.benchmarks.outcome import Outcome, Ratio
from tests.benchmarks.server import ROOT

_PAGE = ROOT / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- measured -->", "<!-- end of what was measured -->"
_VERDICTS = {True: "met", False: "**not met**", None: "not measured in full"}
_HEAD = """\
# How fast it is, and beside what

This page is written by `make bench`, from one run on one machine: anonchat and its peers do the
same work one after the other, and the ratios say more than the figures, which belong to the
machine. A ratio of 3 means: anonchat needs a third of what the peer needs. Processor time is what
the server's process takes, in user and in kernel; latency is from the moment of posting to the
arrival on each screen, by one clock. The screens are fake browsers in one Node process: they load
the page, open its socket, answer as its scripts do, and parse everything that comes. How busy that
process was stands beside the figures; near 1.00 it would be what is measured.

```sh
make bench                     # everything, within ten minutes; writes this page
make bench ARGS="fanout"       # one measure, printed
make bench ARGS="flood"        # a row for each way in, some six minutes
make bench ARGS="flood --only 'polling,event: posts'"  # the ways whose names have these words
make bench ARGS="leaks"        # what floods leave in memory
make bench ARGS="--scale 0.1"  # a quick look at everything, printed
```

The measures are: {names}. The code is in `tests/benchmarks/`. What was found when the server was
killed two hundred times stands in [soak.md](soak.md).
"""


def write_page(outcomes: Mapping[str, Outcome], load_before: float) -> Path:
    """Write docs/benchmarks.md; `load_before` is how busy the machine was without us."""
    head = _HEAD.format(names=_name_all(outcomes))
    where = _tell_where(load_before, describe_versions())
    text = "\n\n".join([head, describe(outcomes), where])
    _PAGE.write_text(text.replace("\n\n\n", "\n\n"))
    return _PAGE


def write_between(
    page: Path, outcomes: Mapping[str, Outcome], load_before: float, versions: Iterable[str]
) -> Path:
    """Write what was found between the marks of a page; what stands around them stays."""
    before, begin, rest = page.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise RuntimeError(f"{page.name} has lost its marks {_BEGIN} and {_END}")
    found = "\n\n".join([describe(outcomes), _tell_where(load_before, versions)])
    page.write_text(f"{before}{begin}\n\n{found}\n{end}{after}")
    return page


def describe(outcomes: Mapping[str, Outcome]) -> str:
    """Return what was found: ratios, goals, figures."""
    parts = [*_draw_ratios(outcomes), *_draw_goals(outcomes), *_draw_failures(outcomes)]
    tables = [table for outcome in outcomes.values() for table in outcome.tables]
    if tables:
        parts.append("## Figures")
    for table in tables:
        parts += [f"### {table.title}", draw_table(table.head, table.rows)]
        if table.note:
            parts.append(table.note)
    return "\n\n".join(parts)


def draw_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _draw_ratios(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    ratios = [ratio for outcome in outcomes.values() for ratio in outcome.ratios]
    if ratios:
        yield "## Ratios"
        yield draw_table(
            ["beside anonchat", "what", "times as much"],
            [[ratio.peer, ratio.what, _round(ratio)] for ratio in ratios],
        )


def _draw_goals(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    goals = [goal for outcome in outcomes.values() for goal in outcome.goals]
    if goals:
        yield "## Goals"
        yield draw_table(
            ["measure", "goal", "found", ""],
            [[goal.measure, goal.goal, goal.found, _VERDICTS[goal.met]] for goal in goals],
        )
    if missed := [goal for goal in goals if goal.why and goal.met is not True]:
        yield "### What is missed, and why"
        yield "\n".join(f"- **{goal.measure}** ({goal.goal}): {goal.why}" for goal in missed)


def _draw_failures(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    for name, outcome in outcomes.items():
        if outcome.failure:
            yield f"**{name} failed:** {outcome.failure}"


def _tell_where(load_before: float, versions: Iterable[str]) -> str:
    machine = describe_machine(load_before=load_before)
    lines = [f"{datetime.now(UTC):%d %B %Y}", *machine, *versions]
    return "\n".join(["## The machine", "", *(f"- {line}" for line in lines), ""])


def _name_all(outcomes: Mapping[str, Outcome]) -> str:
    return ", ".join(f"`{name}`" for name in outcomes)


def _round(ratio: Ratio) -> str:
    return f"{ratio.times:.2f}" if ratio.times < 10 else f"{ratio.times:.0f}"

"""Formats results as Markdown, for a page and for the terminal."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe_machine, describe_versions
from benchmarks.outcome import Outcome, Ratio
from tools.servers.process import ROOT

_PAGE = ROOT / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- measured -->", "<!-- end of what was measured -->"
_VERDICTS = {True: "met", False: "**not met**", None: "not measured in full"}
_HEAD = """\
# Benchmarks

`make bench` writes this page from one run on one machine. anonchat and its peers do the same work
one after the other; the ratios are more meaningful than the figures, which depend on the machine. A
ratio of 3 means that anonchat needs a third of what the peer needs. Processor time is the user and
kernel time of the server process; latency is the time from posting to the arrival on each screen,
by one clock. The screens are simulated browsers in one Node process: they load the page, open its
socket, answer as its scripts do, and parse all packets. The load of that process is listed beside
the figures; near 1.00 it would limit the measurement.

```sh
make bench                     # everything, within ten minutes; writes this page
make bench ARGS="fanout"       # one measure, printed
make bench ARGS="flood"        # one row per attack, some six minutes
make bench ARGS="flood --only 'polling,event: posts'"  # the attacks whose names contain these words
make bench ARGS="leaks"        # what floods leave in memory
make bench ARGS="--scale 0.1"  # a quick look at everything, printed
```

The measures are: {names}. The code is in `benchmarks/`. The results of killing the server two
hundred times are in [soak.md](soak.md).
"""


def write_page(outcomes: Mapping[str, Outcome], load_before: float) -> Path:
    """Write docs/benchmarks.md; `load_before` is the load average before the run."""
    head = _HEAD.format(names=_list_names(outcomes))
    machine = _describe_run(load_before, describe_versions())
    text = "\n\n".join([head, describe(outcomes), machine])
    _PAGE.write_text(text.replace("\n\n\n", "\n\n"))
    return _PAGE


def write_between(
    page: Path, outcomes: Mapping[str, Outcome], load_before: float, versions: Iterable[str]
) -> Path:
    """Write the results between the markers of a page; raise `RuntimeError` if it has none."""
    before, begin, rest = page.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise RuntimeError(f"{page.name} lacks the markers {_BEGIN} and {_END}")
    results = "\n\n".join([describe(outcomes), _describe_run(load_before, versions)])
    page.write_text(f"{before}{begin}\n\n{results}\n{end}{after}")
    return page


def describe(outcomes: Mapping[str, Outcome]) -> str:
    """Return the results as Markdown: ratios, goals, figures."""
    parts = [*_format_ratios(outcomes), *_format_goals(outcomes), *_format_failures(outcomes)]
    tables = [table for outcome in outcomes.values() for table in outcome.tables]
    if tables:
        parts.append("## Figures")
    for table in tables:
        parts += [f"### {table.title}", format_table(table.head, table.rows)]
        if table.note:
            parts.append(table.note)
    return "\n\n".join(parts)


def format_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _format_ratios(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    ratios = [ratio for outcome in outcomes.values() for ratio in outcome.ratios]
    if ratios:
        yield "## Ratios"
        yield format_table(
            ["beside anonchat", "what", "times as much"],
            [[ratio.peer, ratio.what, _round(ratio)] for ratio in ratios],
        )


def _format_goals(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    goals = [goal for outcome in outcomes.values() for goal in outcome.goals]
    if goals:
        yield "## Goals"
        yield format_table(
            ["measure", "goal", "found", ""],
            [[goal.measure, goal.goal, goal.found, _VERDICTS[goal.met]] for goal in goals],
        )
    if missed := [goal for goal in goals if goal.reason and goal.met is not True]:
        yield "### What is missed, and why"
        yield "\n".join(f"- **{goal.measure}** ({goal.goal}): {goal.reason}" for goal in missed)


def _format_failures(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    for name, outcome in outcomes.items():
        if outcome.failure:
            yield f"**{name} failed:** {outcome.failure}"


def _describe_run(load_before: float, versions: Iterable[str]) -> str:
    machine = describe_machine(load_before=load_before)
    lines = [f"{datetime.now(UTC):%d %B %Y}", *machine, *versions]
    return "\n".join(["## The machine", "", *(f"- {line}" for line in lines), ""])


def _list_names(outcomes: Mapping[str, Outcome]) -> str:
    return ", ".join(f"`{name}`" for name in outcomes)


def _round(ratio: Ratio) -> str:
    return f"{ratio.times:.2f}" if ratio.times < 10 else f"{ratio.times:.0f}"

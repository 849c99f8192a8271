"""Runs all attacks by one client, one after the other: latency of the others' posts."""

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from benchmarks.attacks.attacker import Attacker
from benchmarks.attacks.catalogue import MIXES, WAYS, attack_family, check_coverage, find_ways
from benchmarks.attacks.conversation import BackgroundConversation
from benchmarks.attacks.site import PLUGIN, Site, fill_site
from benchmarks.attacks.slowdown import MAX_SLOWDOWN, Durations, Row, Slowdown
from benchmarks.attacks.way import Way
from benchmarks.lab import Lab
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.server import limited_anonchat
from tools.servers.process import ManagedProcess

_RATE = 20
_ROOMS = 3
_SCREENS_IN_ROOM = 3
_MIXED = Durations(burst=0.5, attack=1.5, after=0.5, total=45)
_EACH = Durations(burst=1.5, attack=1.5, after=0.5, total=900)
_SELECTED = Durations(burst=3.0, attack=5.0, after=3.0, total=900)
_HEAD = (
    "way in",
    "by",
    "calm p50 ms",
    "p50 at first",
    "p50 during",
    "× calm",
    "",
    "p50 after",
    "calm p99",
    "p99 during",
    "p99 after",
    "never came",
    "calm again after s",
    "done",
    "refused",
    "unanswered",
    "memory MB",
)
_NOTE = (
    f"{_ROOMS} rooms of {_SCREENS_IN_ROOM} screens and an API client exchange {_RATE} messages a "
    "second in all, from 127.0.0.1; times are from posting to each screen. Meanwhile one process "
    "at another address repeats one action as fast as 24 connections are answered, signed in as 8 "
    "visitors where needed; or one visitor with 6 pages or connections repeats it as often as the "
    "limits allow. All limits have their defaults. The attacker process only gets processor time "
    "that is otherwise idle. Calm is the median of the intervals between the floods."
)


async def measure_attacks(lab: Lab) -> Outcome:
    """Run the attacks; in a run of all measures, those of a family at once."""
    ways, durations = _select(lab)
    data = lab.folder / "site" / "data"
    site = await fill_site(data, rooms=_ROOMS, screens=_SCREENS_IN_ROOM)
    async with limited_anonchat(data, plugins=str(PLUGIN)) as server:
        await check_coverage(site.for_server(server.url), site.non_member)
        rows, skipped, failures = await _measure(server, site, ways, durations)
    families = groupby(rows, lambda row: attack_family(row.way))
    return Outcome(
        goals=[
            *(_evaluate(family, [*group]) for family, group in families),
            *(_make_skipped_goal(way) for way in skipped),
        ],
        tables=[
            Table("A flood of every way in", [*_HEAD], [_make_row(row) for row in rows], _NOTE)
        ],
        failure="; ".join(failures),
    )


def _select(lab: Lab) -> tuple[Sequence[Way], Durations]:
    if lab.only:
        return find_ways(lab.only), _SELECTED
    if lab.is_alone:
        return [*WAYS.values()], _EACH
    return [*MIXES.values()], _MIXED


async def _measure(
    server: ManagedProcess, site: Site, ways: Sequence[Way], durations: Durations
) -> tuple[list[Row], list[Way], list[str]]:
    """Return the results, the attacks skipped for lack of time, and the failures."""
    rows: list[Row] = []
    skipped: dict[str, Way] = {}
    failures: list[str] = []
    deadline = time.monotonic() + durations.total
    async with (
        BackgroundConversation(server.url, site.people, rate=_RATE) as conversation,
        Attacker() as attacker,
    ):
        slowdown = Slowdown(server, conversation, site.for_server(server.url), durations)
        for way, within_limits in _plan(ways):
            if time.monotonic() > deadline:
                skipped[way.name] = way
                continue
            try:
                row = await slowdown.measure(attacker, way, within_limits=within_limits)
            except RuntimeError as error:
                failures.append(f"{way.name}: {error}")
                await attacker.restart()
            else:
                rows.append(row)
                print(" | ".join(_make_row(row)), file=sys.stderr, flush=True)
    return rows, [*skipped.values()], failures


def _plan(ways: Sequence[Way]) -> Iterator[tuple[Way, bool]]:
    """Yield each attack by one address, and by one visitor within the limits if it has any."""
    for way in ways:
        yield way, False
        if way.allowed:
            yield way, True


def _evaluate(family: str, rows: Sequence[Row]) -> Goal:
    worst = max(rows, key=lambda row: row.times)
    return Goal(
        f"flood of one client, {family} ({len(rows)} ways): others' posts at the median",
        f"≤ {MAX_SLOWDOWN} × calm",
        f"{worst.times:.2f} × ({worst.way.name}, {_by(worst)})",
        all(row.is_met for row in rows),
    )


def _make_skipped_goal(way: Way) -> Goal:
    return Goal(
        f"flood of one client, {way.name}", f"≤ {MAX_SLOWDOWN} × calm", "no time was left", None
    )


def _make_row(row: Row) -> list[str]:
    return [
        row.way.name,
        _by(row),
        f"{row.calm:.1f}",
        f"{row.burst.p50:.1f}",
        f"{row.during.p50:.1f}",
        f"{row.times:.2f}",
        "met" if row.is_met else "**not met**",
        f"{row.after.p50:.1f}",
        f"{row.calm_p99:.0f}",
        f"{row.during.p99:.0f}",
        f"{row.after.p99:.0f}",
        f"{row.during.missing}",
        f"{row.recovery:.1f}",
        f"{row.counts.done}",
        f"{row.counts.refused}",
        f"{row.counts.unanswered}",
        f"{row.memory / 1e6:+.1f}",
    ]


def _by(row: Row) -> str:
    return "one visitor" if row.within_limits else "one address"

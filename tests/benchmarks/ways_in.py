"""One client who floods every way in, one after the other: what the others notice."""

import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby

from tests.benchmarks.attacks.attacker import Attacker
from tests.benchmarks.attacks.catalogue import (
    MIXES,
    WAYS,
    check_coverage,
    family_of,
    find_ways,
)
from tests.benchmarks.attacks.conversation import Conversation
from tests.benchmarks.attacks.site import Site, fill_site
from tests.benchmarks.attacks.slowdown import MOST, Lengths, Row, Slowdown
from tests.benchmarks.attacks.way import Way
from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.server import Server, limited_anonchat

_RATE = 20
_ROOMS = 3
_SCREENS_IN_ROOM = 3
_MIXED = Lengths(burst=0.5, attack=1.5, after=0.5, most=45)
_EACH = Lengths(burst=1.5, attack=1.5, after=0.5, most=900)
_CHOSEN = Lengths(burst=3.0, attack=5.0, after=3.0, most=900)
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
    f"{_ROOMS} rooms of {_SCREENS_IN_ROOM} screens and a program talk, {_RATE} messages a second "
    "in all, from 127.0.0.1; times are from posting to each screen. Beside them one process at "
    "another address does one thing as fast as 24 connections are answered, with 8 visitors where "
    "one has to be known; or one visitor with 6 pages or connections does it as often as the "
    "limits allow. All limits are as a site has them. The attacker only gets processor time that "
    "nobody else wants. Calm is the median of the stretches between the floods."
)


async def flood_ways(lab: Lab) -> Outcome:
    """Flood every way in; among other measures, those of a family at once."""
    ways, lengths = _choose(lab)
    site = await fill_site(lab.folder / "site" / "data", rooms=_ROOMS, screens=_SCREENS_IN_ROOM)
    async with limited_anonchat(lab.folder / "site" / "data") as server:
        await check_coverage(site.for_server(server.url), site.stranger)
        rows, left, failures = await _measure(server, site, ways, lengths)
    families = groupby(rows, lambda row: family_of(row.way))
    return Outcome(
        goals=[
            *(_judge(family, [*found]) for family, found in families),
            *(_tell_left(way) for way in left),
        ],
        tables=[Table("A flood of every way in", [*_HEAD], [_draw(row) for row in rows], _NOTE)],
        failure="; ".join(failures),
    )


def _choose(lab: Lab) -> tuple[Sequence[Way], Lengths]:
    if lab.only:
        return find_ways(lab.only), _CHOSEN
    if lab.is_alone:
        return [*WAYS.values()], _EACH
    return [*MIXES.values()], _MIXED


async def _measure(
    server: Server, site: Site, ways: Sequence[Way], lengths: Lengths
) -> tuple[list[Row], list[Way], list[str]]:
    """Return what was found, the ways for which there was no time, and what failed."""
    rows: list[Row] = []
    left: dict[str, Way] = {}
    failures: list[str] = []
    until = time.monotonic() + lengths.most
    async with (
        Conversation(server.url, site.people, rate=_RATE) as conversation,
        Attacker() as attacker,
    ):
        slowdown = Slowdown(server, conversation, site.for_server(server.url), lengths)
        for way, within_limits in _plan(ways):
            if time.monotonic() > until:
                left[way.name] = way
                continue
            try:
                row = await slowdown.measure(attacker, way, within_limits=within_limits)
            except RuntimeError as error:
                failures.append(f"{way.name}: {error}")
                await attacker.restart()
            else:
                rows.append(row)
                print(" | ".join(_draw(row)), file=sys.stderr, flush=True)
    return rows, [*left.values()], failures


def _plan(ways: Sequence[Way]) -> Iterator[tuple[Way, bool]]:
    """Yield each way by one address, and by one visitor within the limits."""
    for way in ways:
        yield way, False
        if way.allowed:
            yield way, True


def _judge(family: str, rows: Sequence[Row]) -> Goal:
    worst = max(rows, key=lambda row: row.times)
    return Goal(
        f"flood of one client, {family} ({len(rows)} ways): others' posts at the median",
        f"≤ {MOST} × calm",
        f"{worst.times:.2f} × ({worst.way.name}, {_by(worst)})",
        all(row.is_met for row in rows),
    )


def _tell_left(way: Way) -> Goal:
    return Goal(f"flood of one client, {way.name}", f"≤ {MOST} × calm", "no time was left", None)


def _draw(row: Row) -> list[str]:
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
        f"{row.tally.done}",
        f"{row.tally.refused}",
        f"{row.tally.unanswered}",
        f"{row.memory / 1e6:+.1f}",
    ]


def _by(row: Row) -> str:
    return "one visitor" if row.within_limits else "one address"

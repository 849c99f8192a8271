"""One client who floods every way in: what the others notice, and what is left in memory."""

import asyncio
from collections.abc import Sequence
from itertools import groupby

from anonchat import Settings
from tests.benchmarks.attacks.attacker import Attacker
from tests.benchmarks.attacks.catalogue import WAYS, check_coverage, find_ways
from tests.benchmarks.attacks.conversation import Conversation
from tests.benchmarks.attacks.site import fill_site
from tests.benchmarks.attacks.slowdown import MOST, Lengths, Row, Slowdown
from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.server import anonchat, limited_anonchat
from tests.benchmarks.town import founding

_SCREENS = 100
_RATE = 20
_FLOOD_RATE = 200
_SPEAKERS = 20
_SETTLE_SECONDS = 4.0
_BURST_SECONDS = 3.0
_SECONDS = 8.0
_AS_USUAL = {"posts_per_visitor": str(Settings.model_fields["posts_per_visitor"].default)}

_ROOMS = 3
_SCREENS_IN_ROOM = 3
_BRIEF = Lengths(burst=0.0, attack=1.0, after=0.4)
_ALONE = Lengths(burst=1.0, attack=1.5, after=0.6)
_CHOSEN = Lengths(burst=3.0, attack=5.0, after=3.0)
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


async def measure(lab: Lab) -> Outcome:
    """Flood a room of a hundred with posts, then every way in, one after the other."""
    outcome = await _flood_ways(lab)
    if not lab.only:
        posts = await _flood_posts(lab)
        outcome.goals[:0] = posts.goals
        outcome.tables[:0] = posts.tables
    return outcome


async def _flood_posts(lab: Lab) -> Outcome:
    """Talk in peace, then beside the flood."""
    screens = lab.sized(_SCREENS, least=3)
    async with founding(lab.folder / "posts" / "data") as town:
        guests = await town.come_in(screens)
        (room,) = await town.open_rooms(1)
        await town.join([(room, guest) for guest in guests])
    seats = [{"room": town.name(room.id), "token": guest.token} for guest in guests]
    seconds, by = lab.lasting(_SECONDS), min(_SPEAKERS, screens - 1)
    async with anonchat(lab.folder / "posts" / "data", **_AS_USUAL) as server, Load() as load:
        await load.open("anonchat", server.url, seats)
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        await load.talk(rate=_RATE, seconds=2, by=by, start=1)
        calm = await load.talk(rate=_RATE, seconds=seconds, by=by, start=1)
        await load.flood(rate=_FLOOD_RATE)
        await asyncio.sleep(lab.lasting(_BURST_SECONDS))
        flooded = await load.talk(rate=_RATE, seconds=seconds, by=by, start=1)
        await load.calm()
    times = flooded.p99 / calm.p99
    return Outcome(
        goals=[
            Goal(
                f"one flooding visitor among {screens}: the others' p99",
                f"≤ 1.2 × calm ({calm.p99:.1f} ms)",
                f"{flooded.p99:.1f} ms, {times:.2f} ×",
                times <= 1.2,
                "What is let through of the flood goes to every screen as well.",
            )
        ],
        tables=[
            Table(
                "A flood",
                ["", "p50 ms", "p99 ms", "worst ms"],
                [
                    [name, f"{stretch.p50:.1f}", f"{stretch.p99:.1f}", f"{stretch.max:.0f}"]
                    for name, stretch in (
                        (f"{_RATE} messages/s among {screens} screens", calm),
                        (f"the same, while one posts {_FLOOD_RATE} a second on top", flooded),
                    )
                ],
                "With the limit that every site has: what is free at once, some 300 posts, went "
                "through in the seconds before, and then most of the flood is refused. Elsewhere "
                "on this page nobody is held back.",
            )
        ],
    )


async def _flood_ways(lab: Lab) -> Outcome:
    ways = find_ways(lab.only) if lab.only else list(WAYS.values())
    lengths = _CHOSEN if lab.only else _ALONE if lab.is_alone else _BRIEF
    site = await fill_site(lab.folder / "site" / "data", rooms=_ROOMS, screens=_SCREENS_IN_ROOM)
    rows: list[Row] = []
    failures: list[str] = []
    async with limited_anonchat(lab.folder / "site" / "data") as server:
        scene = site.for_server(server.url)
        await check_coverage(scene, site.stranger)
        async with Conversation(server.url, site.people, rate=_RATE) as conversation:
            slowdown = Slowdown(server, conversation, scene, lengths)
            for way in ways:
                for within_limits in (False, True) if way.allowed else (False,):
                    try:
                        async with Attacker() as attacker:
                            row = await slowdown.measure(attacker, way, within_limits=within_limits)
                    except RuntimeError as error:
                        failures.append(f"{way.name}: {error}")
                        continue
                    rows.append(row)
                    if lab.is_alone:
                        print(f"\n{' | '.join(_draw(row))}", end="", flush=True)
    print()
    return Outcome(
        goals=[_judge(family, [*found]) for family, found in groupby(rows, _family)],
        tables=[
            Table(
                "A flood of every way in",
                [*_HEAD],
                [_draw(row) for row in rows],
                _NOTE,
            )
        ],
        failure="; ".join(failures),
    )


def _judge(family: str, rows: Sequence[Row]) -> Goal:
    worst = max(rows, key=lambda row: row.times)
    return Goal(
        f"flood of one client, {family} ({len(rows)} ways): others' posts at the median",
        f"≤ {MOST} × calm",
        f"{worst.times:.2f} × ({worst.way.name}, {_by(worst)})",
        all(row.is_met for row in rows),
    )


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


def _family(row: Row) -> str:
    return row.way.name.partition(":")[0]

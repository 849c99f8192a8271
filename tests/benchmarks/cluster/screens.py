"""Thousands of open screens on one machine: what they hold, and how late messages come."""

import asyncio
import time

from tests.benchmarks.cluster.deliveries import furnish
from tests.benchmarks.cluster.site import Seats, Site, building
from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load
from tests.benchmarks.outcome import Goal, Outcome, Table

_NODES = 3
_ROOMS = 500
_SCREENS_EACH = 10
_EVERY_SECONDS = 10
_OPENING_SECONDS = 170
_BATCH = 250
_AT_ONCE = 8
_SETTLE_SECONDS = 8.0
_IDLE_SECONDS = 12.0
_SECONDS = 30.0


async def measure(lab: Lab) -> Outcome:
    """Open them all, keep silent, then talk."""
    rooms = lab.sized(_ROOMS, least=2)
    async with building(_NODES) as site, Load() as load:
        seats = await furnish(site, rooms=rooms, screens=rooms * _SCREENS_EACH)
        await site.start_nodes()
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        before, empty = site.spent(), _memory(site)
        opened, took = await _open(load, site, seats)
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        opening = site.spent().since(before)
        held = _memory(site)
        before = site.spent()
        await asyncio.sleep(lab.lasting(_IDLE_SECONDS))
        idle = site.spent().since(before).nodes / lab.lasting(_IDLE_SECONDS)
        rate = rooms / _EVERY_SECONDS
        await load.talk(rate=rate, seconds=lab.lasting(_EVERY_SECONDS), by=rooms)
        before = site.spent()
        stretch = await load.talk(rate=rate, seconds=lab.lasting(_SECONDS), by=rooms)
        spent = site.spent().since(before)
    wanted = len(seats)
    each = (sum(held) - sum(empty)) / opened
    short = "" if opened == wanted else f" ({opened:,} screens: more did not open in time)"
    return Outcome(
        goals=[
            Goal(
                f"{wanted:,} screens, one message per room every {_EVERY_SECONDS} s: p99",
                "≤ 200 ms",
                f"{stretch.p99:.0f} ms{short}",
                stretch.p99 <= 200 and opened == wanted,
                "Nodes, stores, proxy and the load share two processors here: what is late waits "
                "for its turn on them.",
            )
        ],
        tables=[
            Table(
                "Many screens on one machine",
                ["", "found"],
                [
                    ["screens × nodes", f"{opened:,} in {rooms} rooms × {_NODES}"],
                    ["opened in", f"{took:.0f} s"],
                    [
                        "ms per opening: nodes, nginx, PostgreSQL, Redis",
                        ", ".join(
                            f"{seconds / opened * 1000:.1f}"
                            for seconds in (
                                opening.nodes,
                                opening.nginx,
                                opening.postgres,
                                opening.redis,
                            )
                        ),
                    ],
                    ["memory of a node, MB: empty", _list_megabytes(empty)],
                    ["memory of a node, MB: with its screens", _list_megabytes(held)],
                    ["kB per screen", f"{each / 1000:.0f}"],
                    ["idle: ms/s of the nodes per 1,000 screens", f"{idle / opened * 1e6:.0f}"],
                    ["messages/s, deliveries/s", f"{rate:g}, {rate * opened / rooms:g}"],
                    ["processors taken by the nodes", f"{spent.nodes / stretch.seconds:.2f}"],
                    [
                        "by nginx, PostgreSQL, Redis",
                        ", ".join(
                            f"{seconds / stretch.seconds:.2f}"
                            for seconds in (spent.nginx, spent.postgres, spent.redis)
                        ),
                    ],
                    ["by the load", f"{stretch.share:.2f}"],
                    [
                        "p50, p99, worst ms",
                        f"{stretch.p50:.1f}, {stretch.p99:.0f}, {stretch.max:.0f}",
                    ],
                ],
                "The load is one process beside the others, on the same processors: what it takes "
                "the nodes do not get. Pages come uncompressed, so nginx has less to do at an "
                "opening than for browsers.",
            )
        ],
        costs={
            "opening": opening.nodes / opened,
            "opening in PostgreSQL": opening.postgres / opened,
            "idle screen": idle / opened,
            "bytes per screen": each,
            "bytes of a node": min(empty),
        },
    )


async def _open(load: Load, site: Site, seats: Seats) -> tuple[int, float]:
    """Open them in their order, for so long; return how many there are, and the seconds taken."""
    started, opened = time.monotonic(), 0
    while opened < len(seats) and time.monotonic() - started < _OPENING_SECONDS:
        batch = seats[opened : opened + _BATCH]
        await load.open("anonchat", site.url, batch, at_once=_AT_ONCE)
        opened += len(batch)
    return opened, time.monotonic() - started


def _memory(site: Site) -> list[int]:
    return [node.memory() for node in site.nodes]


def _list_megabytes(sizes: list[int]) -> str:
    return ", ".join(f"{size / 1e6:.0f}" for size in sizes)

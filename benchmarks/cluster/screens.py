"""Thousands of open screens on one machine: their memory, and the latency of messages."""

import asyncio
import time

from benchmarks.cluster.deliveries import seed_rooms
from benchmarks.cluster.site import ScreenSpecs, Site, running_stores
from benchmarks.lab import Lab
from benchmarks.load import Load
from benchmarks.outcome import Goal, Outcome, Table

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
    """Open all screens, measure them idle, then talk."""
    rooms = lab.scaled(_ROOMS, minimum=2)
    async with running_stores(_NODES) as site, Load() as load:
        specs = await seed_rooms(site, rooms=rooms, screens=rooms * _SCREENS_EACH)
        await site.start_nodes()
        await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
        before, empty = site.processor_time(), _memory(site)
        opened, took = await _open(load, site, specs)
        await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
        opening = site.processor_time().since(before)
        held = _memory(site)
        before = site.processor_time()
        await asyncio.sleep(lab.scaled_seconds(_IDLE_SECONDS))
        idle = site.processor_time().since(before).nodes / lab.scaled_seconds(_IDLE_SECONDS)
        rate = rooms / _EVERY_SECONDS
        await load.talk(rate=rate, seconds=lab.scaled_seconds(_EVERY_SECONDS), speakers=rooms)
        before = site.processor_time()
        result = await load.talk(rate=rate, seconds=lab.scaled_seconds(_SECONDS), speakers=rooms)
        spent = site.processor_time().since(before)
    wanted = len(specs)
    each = (sum(held) - sum(empty)) / opened
    short = "" if opened == wanted else f" ({opened:,} screens: more did not open in time)"
    return Outcome(
        goals=[
            Goal(
                f"{wanted:,} screens, one message per room every {_EVERY_SECONDS} s: p99",
                "≤ 200 ms",
                f"{result.p99:.0f} ms{short}",
                result.p99 <= 200 and opened == wanted,
                "Nodes, stores, proxy and load generator share two processors here; late messages "
                "waited for a processor.",
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
                    ["processors taken by the nodes", f"{spent.nodes / result.seconds:.2f}"],
                    [
                        "by nginx, PostgreSQL, Redis",
                        ", ".join(
                            f"{seconds / result.seconds:.2f}"
                            for seconds in (spent.nginx, spent.postgres, spent.redis)
                        ),
                    ],
                    ["by the load", f"{result.share:.2f}"],
                    [
                        "p50, p99, worst ms",
                        f"{result.p50:.1f}, {result.p99:.0f}, {result.max:.0f}",
                    ],
                ],
                "The load generator is one process on the same processors and competes with the "
                "nodes. Pages are uncompressed, so nginx has less to do at an opening than for "
                "browsers.",
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


async def _open(load: Load, site: Site, specs: ScreenSpecs) -> tuple[int, float]:
    """Open the screens within the time limit; return how many are open, and the seconds."""
    started, opened = time.monotonic(), 0
    while opened < len(specs) and time.monotonic() - started < _OPENING_SECONDS:
        batch = specs[opened : opened + _BATCH]
        await load.open("anonchat", site.url, batch, at_once=_AT_ONCE)
        opened += len(batch)
    return opened, time.monotonic() - started


def _memory(site: Site) -> list[int]:
    return [node.resident_bytes() for node in site.nodes]


def _list_megabytes(sizes: list[int]) -> str:
    return ", ".join(f"{size / 1e6:.0f}" for size in sizes)

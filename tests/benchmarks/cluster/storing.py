"""Storing posts in PostgreSQL, by one node and by three, beside SQLite."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.benchmarks.cluster.site import NOTHING, Site, building
from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Outcome, Table
from tests.benchmarks.server import ROOT
from tests.benchmarks.town import Town, founding

_POSTERS = 64
_ROOMS = 64
_NODES = 3
_SECONDS = 4.0

Places = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Posts per second, microseconds of processors for each, milliseconds at half that rate.

    The slowest of the nodes is who counts for the times.
    """

    way: str
    rate: float
    node: float
    postgres: float
    redis: float
    p50: float
    p99: float


async def measure(lab: Lab) -> Outcome:
    """Post in every way, one after the other."""
    posters = lab.sized(_POSTERS, least=6)
    async with founding(lab.folder / "data") as town:
        in_one, in_many = await _settle_in(town, posters)
    sqlite = [
        await _post(lab, f"SQLite, {rooms}", [(lab.folder / "data", {}, places)])
        for rooms, places in (("one room", in_one), (f"{_ROOMS} rooms", in_many))
    ]
    async with building(_NODES) as site:
        async with site.founding() as town:
            in_one, in_many = await _settle_in(town, posters)
        postgres = [
            await _post(
                lab,
                f"PostgreSQL, {'one node' if nodes == 1 else f'{nodes} nodes'}, {rooms}",
                [
                    (node.data, {**node.settings, "node_id": node.name}, places[number::nodes])
                    for number, node in enumerate(site.nodes[:nodes])
                ],
                site,
            )
            for nodes in (1, _NODES)
            for rooms, places in (("one room", in_one), (f"{_ROOMS} rooms", in_many))
        ]
    spread = postgres[-1]
    return Outcome(
        tables=[_draw(posters, [*sqlite, *postgres])],
        costs={
            "post in PostgreSQL": spread.postgres / 1e6,
            "posts per second": max(each.rate for each in postgres),
        },
    )


async def _settle_in(town: Town, posters: int) -> tuple[Places, Places]:
    """Make the posters members of one room, and of many; return where each speaks."""
    guests = await town.come_in(posters)
    rooms = await town.open_rooms(1 + _ROOMS)
    one = [(rooms[0], guest) for guest in guests]
    many = [(rooms[1 + number % _ROOMS], guest) for number, guest in enumerate(guests)]
    await town.join([*one, *many])
    return [(room.id, guest.id) for room, guest in one], [
        (room.id, guest.id) for room, guest in many
    ]


async def _post(
    lab: Lab,
    way: str,
    shares: Sequence[tuple[Path, Mapping[str, str], Places]],
    site: Site | None = None,
) -> Pace:
    """Let each node post its share, all at the same time."""
    nodes = [Poster(*share, seconds=lab.lasting(_SECONDS)) for share in shares]
    try:
        for node in nodes:
            await node.start()
        before = site.spent() if site else NOTHING
        found = await asyncio.gather(*(node.post() for node in nodes))
        spent = (site.spent() if site else NOTHING).since(before)
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))
    rate = sum(each["rate"] for each in found)
    stored = sum(each["stored"] for each in found)
    return Pace(
        way,
        rate,
        node=sum(each["processor"] * each["rate"] for each in found) / rate * 1e6,
        postgres=spent.postgres / stored * 1e6,
        redis=spent.redis / stored * 1e6,
        p50=max(each["p50"] for each in found),
        p99=max(each["p99"] for each in found),
    )


class Poster:
    """A process of `poster.py`."""

    def __init__(
        self, data: Path, settings: Mapping[str, str], places: Places, *, seconds: float
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._wishes = {
            "data": str(data),
            "settings": dict(settings),
            "places": places,
            "seconds": seconds,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Self:
        """Start it, and wait until it could post."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.poster"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        if await self._ask(json.dumps(self._wishes)) != "ready":
            raise RuntimeError("a node did not start")
        return self

    async def post(self) -> dict[str, float]:
        """Let it post, and return what it tells."""
        found: dict[str, float] = json.loads(await self._ask("post"))
        return found

    async def stop(self) -> None:
        """Let it finish."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()

    async def _ask(self, line: str) -> str:
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(line.encode() + b"\n")
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError("a node that posts has ended")
        return answer.decode().strip()


def _draw(posters: int, paces: Sequence[Pace]) -> Table:
    head = ["way", "posts/s", "µs of the nodes each", "µs of PostgreSQL", "µs of Redis"]
    return Table(
        f"Storing posts: {posters} concurrent posters",
        [*head, "p50 ms at half", "p99 ms at half"],
        [
            [
                pace.way,
                f"{pace.rate:,.0f}",
                f"{pace.node:.0f}",
                f"{pace.postgres:.0f}" if pace.postgres else "–",
                f"{pace.redis:.0f}" if pace.redis else "–",
                f"{pace.p50:.1f}",
                f"{pace.p99:.1f}",
            ]
            for pace in paces
        ],
        "Through the service, without screens: each node has its share of the posters in its own "
        "process, and hears of what the others post. PostgreSQL syncs each commit to the same "
        "disk as SQLite. Everything shares the processors of this machine, so with three nodes "
        "it is the machine that is full, not each of them.",
    )

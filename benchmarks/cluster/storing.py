"""Storing posts in PostgreSQL, by one node and by three, compared with SQLite."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.cluster.site import ZERO_TIME, Site, running_stores
from benchmarks.database_seeder import DatabaseSeeder, seeding
from benchmarks.lab import Lab
from benchmarks.outcome import Outcome, Table
from tools.servers.process import ROOT

_POSTERS = 64
_ROOMS = 64
_NODES = 3
_SECONDS = 4.0

Members = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class StoringResult:
    """Posts per second, microseconds of processor time per post, latency in ms at half that rate.

    The latencies are those of the slowest node.
    """

    way: str
    rate: float
    node: float
    postgres: float
    redis: float
    p50: float
    p99: float


async def measure(lab: Lab) -> Outcome:
    """Measure all variants, one after the other."""
    posters = lab.scaled(_POSTERS, minimum=6)
    async with seeding(lab.folder / "data") as seeder:
        in_one, in_many = await _add_posters(seeder, posters)
    sqlite = [
        await _post(lab, f"SQLite, {rooms}", [(lab.folder / "data", {}, members)])
        for rooms, members in (("one room", in_one), (f"{_ROOMS} rooms", in_many))
    ]
    async with running_stores(_NODES) as site:
        async with site.seeding() as seeder:
            in_one, in_many = await _add_posters(seeder, posters)
        postgres = [
            await _post(
                lab,
                f"PostgreSQL, {'one node' if nodes == 1 else f'{nodes} nodes'}, {rooms}",
                [
                    (node.data, node.settings, members[number::nodes])
                    for number, node in enumerate(site.nodes[:nodes])
                ],
                site,
            )
            for nodes in (1, _NODES)
            for rooms, members in (("one room", in_one), (f"{_ROOMS} rooms", in_many))
        ]
    spread = postgres[-1]
    return Outcome(
        tables=[_make_table(posters, [*sqlite, *postgres])],
        costs={
            "post in PostgreSQL": spread.postgres / 1e6,
            "posts per second": max(each.rate for each in postgres),
        },
    )


async def _add_posters(seeder: DatabaseSeeder, posters: int) -> tuple[Members, Members]:
    """Add the posters as members of one room and of many; return both lists of pairs."""
    guests = await seeder.add_visitors(posters)
    rooms = await seeder.add_rooms(1 + _ROOMS)
    one = [(rooms[0], guest) for guest in guests]
    many = [(rooms[1 + number % _ROOMS], guest) for number, guest in enumerate(guests)]
    await seeder.add_members([*one, *many])
    return [(room.id, guest.id) for room, guest in one], [
        (room.id, guest.id) for room, guest in many
    ]


async def _post(
    lab: Lab,
    way: str,
    shares: Sequence[tuple[Path, Mapping[str, str], Members]],
    site: Site | None = None,
) -> StoringResult:
    """Post by all nodes at the same time, each with its share of the posters."""
    nodes = [Poster(*share, seconds=lab.scaled_seconds(_SECONDS)) for share in shares]
    try:
        for node in nodes:
            await node.start()
        before = site.processor_time() if site else ZERO_TIME
        results = await asyncio.gather(*(node.post() for node in nodes))
        spent = (site.processor_time() if site else ZERO_TIME).since(before)
    finally:
        await asyncio.gather(*(node.stop() for node in nodes))
    rate = sum(each["rate"] for each in results)
    stored = sum(each["stored"] for each in results)
    return StoringResult(
        way,
        rate,
        node=sum(each["processor"] * each["rate"] for each in results) / rate * 1e6,
        postgres=spent.postgres / stored * 1e6,
        redis=spent.redis / stored * 1e6,
        p50=max(each["p50"] for each in results),
        p99=max(each["p99"] for each in results),
    )


class Poster:
    """A process that runs `poster.py`."""

    def __init__(
        self, data: Path, settings: Mapping[str, str], members: Members, *, seconds: float
    ) -> None:
        data.mkdir(parents=True, exist_ok=True)
        self._parameters = {
            "data": str(data),
            "settings": dict(settings),
            "members": members,
            "seconds": seconds,
        }
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Self:
        """Start the process, and wait until it is ready."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"{__package__}.poster"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        if await self._send_line(json.dumps(self._parameters)) != "ready":
            raise RuntimeError("a node did not start")
        return self

    async def post(self) -> dict[str, float]:
        """Start posting, and return the result."""
        result: dict[str, float] = json.loads(await self._send_line("post"))
        return result

    async def stop(self) -> None:
        """Stop the process."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            await self._process.wait()

    async def _send_line(self, line: str) -> str:
        assert self._process and self._process.stdin and self._process.stdout
        self._process.stdin.write(line.encode() + b"\n")
        answer = await self._process.stdout.readline()
        if not answer:
            raise RuntimeError("a posting node has exited")
        return answer.decode().strip()


def _make_table(posters: int, results: Sequence[StoringResult]) -> Table:
    head = ["way", "posts/s", "µs of the nodes each", "µs of PostgreSQL", "µs of Redis"]
    return Table(
        f"Storing posts: {posters} concurrent posters",
        [*head, "p50 ms at half", "p99 ms at half"],
        [
            [
                result.way,
                f"{result.rate:,.0f}",
                f"{result.node:.0f}",
                f"{result.postgres:.0f}" if result.postgres else "–",
                f"{result.redis:.0f}" if result.redis else "–",
                f"{result.p50:.1f}",
                f"{result.p99:.1f}",
            ]
            for result in results
        ],
        "Through the service, without screens: each node has its share of the posters in its own "
        "process, and receives the posts of the others. PostgreSQL syncs each commit to the same "
        "disk as SQLite. Everything shares the processors of this machine, so with three nodes "
        "the machine is saturated, not each node.",
    )

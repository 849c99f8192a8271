"""Growth of the server's memory after floods by clients that are not signed in."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.attacks.attacker import AttackCounts, Attacker
from benchmarks.attacks.catalogue import WAYS, find_ways
from benchmarks.attacks.site import Site, fill_site
from benchmarks.attacks.way import Way
from benchmarks.lab import Lab
from benchmarks.outcome import Goal, Outcome, Table
from benchmarks.server import anonchat
from tools.servers.process import ManagedProcess

_ROUNDS = 3
_CONNECTIONS = 100
_SETTLE_SECONDS = 8.0  # sockets without a handshake are closed after 5
_STARTING_AT_ONCE = 2
_MAX_BYTES = 1_000  # per request: the usual variation of Python's memory
_SMALL = {
    "unconnected_pages_max": "50"
}  # low enough for a round to reach it; otherwise pages are kept for a minute


@dataclass(frozen=True, slots=True)
class Leak:
    """The memory of a server before the first round and after each, in bytes."""

    way: Way
    memory: Sequence[int]
    counts: Sequence[AttackCounts]

    @property
    def requests(self) -> int:
        """The number of requests in all rounds but the first."""
        return sum(each.done + each.unanswered + each.refused for each in self.counts[1:])

    @property
    def each(self) -> float:
        """The bytes that each of these requests left."""
        return (self.memory[-1] - self.memory[1]) / max(1, self.requests)

    @property
    def is_met(self) -> bool:
        """Whether memory did not grow."""
        return self.each <= _MAX_BYTES


async def measure(lab: Lab) -> Outcome:
    """Run each attack against its own server, in rounds, and read the memory after each."""
    ways = find_ways(lab.only) if lab.only else [way for way in WAYS.values() if way.round]
    starting, attacking = asyncio.Semaphore(_STARTING_AT_ONCE), asyncio.Lock()
    site = await fill_site(lab.folder / "data", rooms=1, screens=1)

    async def measure_way(number: int, way: Way) -> Leak:
        data = lab.folder / f"{number}" / "data"
        async with starting:
            shutil.copytree(lab.folder / "data", data)
            server = anonchat(data, **_SMALL)
            await server.start()
        try:
            return await _attack_in_rounds(lab, server, site, way, attacking)
        finally:
            server.kill()

    leaks = await asyncio.gather(*(measure_way(number, way) for number, way in enumerate(ways)))
    worst = max(leaks, key=lambda leak: leak.each)
    return Outcome(
        goals=[
            Goal(
                f"memory left by requests of clients that nobody knows ({len(leaks)} ways)",
                f"≤ {_MAX_BYTES / 1_000:.0f} kB each",
                f"{worst.each / 1_000:.1f} kB ({worst.way.name})",
                all(leak.is_met for leak in leaks),
            )
        ],
        tables=[
            Table(
                "What floods leave in memory",
                ["way in", "at first MB", "after each round MB", "requests", "kB each", ""],
                [_make_row(leak) for leak in leaks],
                f"Each attack has its own server without rate limits and runs in {_ROUNDS} "
                f"rounds; memory is read {_SETTLE_SECONDS:.0f} s after each. The memory left per "
                "request is the growth from the first round to the last, divided by the requests "
                "in between.",
            )
        ],
    )


async def _attack_in_rounds(
    lab: Lab, server: ManagedProcess, site: Site, way: Way, attacking: asyncio.Lock
) -> Leak:
    scene = site.for_server(server.url, browser=_CONNECTIONS)
    memory, counts = [server.resident_bytes()], []
    for _ in range(_ROUNDS):
        async with attacking, Attacker() as attacker:
            await attacker.prepare(way.name, scene)
            await attacker.begin(acts=lab.scaled(way.round, minimum=10))
            await attacker.finish()
            counts.append(await attacker.end())
        await asyncio.sleep(_SETTLE_SECONDS)
        memory.append(server.resident_bytes())
    return Leak(way, memory, counts)


def _make_row(leak: Leak) -> list[str]:
    return [
        leak.way.name,
        f"{leak.memory[0] / 1e6:.0f}",
        ", ".join(f"{memory / 1e6:.1f}" for memory in leak.memory[1:]),
        f"{leak.requests}",
        f"{leak.each / 1_000:.2f}",
        "met" if leak.is_met else "**not met**",
    ]

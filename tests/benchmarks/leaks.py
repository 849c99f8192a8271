"""What floods by clients that nobody knows leave in the memory of the server."""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.attacks.attacker import Attacker, Tally
from tests.benchmarks.attacks.catalogue import WAYS, find_ways
from tests.benchmarks.attacks.site import Site, fill_site
from tests.benchmarks.attacks.way import Way
from tests.benchmarks.lab import Lab
from tests.benchmarks.outcome import Goal, Outcome, Table
from tests.benchmarks.server import Server, anonchat

_ROUNDS = 3
_CONNECTIONS = 100
_SETTLE_SECONDS = 8.0  # sockets that do not shake hands are closed after 5
_STARTING_AT_ONCE = 2
_MOST = 1_000  # bytes per request: what Python's own memory wavers by
_SMALL = {"pages_waiting_max": "50"}  # so that a round reaches it; else pages are kept for a minute


@dataclass(frozen=True, slots=True)
class Leak:
    """The memory of a server before the first round and after each, in bytes."""

    way: Way
    memory: Sequence[int]
    tallies: Sequence[Tally]

    @property
    def requests(self) -> int:
        """How often it was done in all rounds but the first."""
        return sum(tally.done + tally.unanswered + tally.refused for tally in self.tallies[1:])

    @property
    def each(self) -> float:
        """The bytes that are left of each of them."""
        return (self.memory[-1] - self.memory[1]) / max(1, self.requests)

    @property
    def is_met(self) -> bool:
        """Whether memory was level."""
        return self.each <= _MOST


async def measure(lab: Lab) -> Outcome:
    """Flood a server of its own in each way, in rounds, and read its memory after each."""
    ways = find_ways(lab.only) if lab.only else [way for way in WAYS.values() if way.round]
    starting, attacking = asyncio.Semaphore(_STARTING_AT_ONCE), asyncio.Lock()
    site = await fill_site(lab.folder / "data", rooms=1, screens=1)

    async def measure_way(number: int, way: Way) -> Leak:
        data = lab.folder / f"{number}" / "data"
        async with starting:
            shutil.copytree(lab.folder / "data", data)
            server = anonchat(data, **_SMALL)
            await server.__aenter__()
        try:
            return await _attack_in_rounds(lab, server, site, way, attacking)
        finally:
            await server.__aexit__()

    leaks = await asyncio.gather(*(measure_way(number, way) for number, way in enumerate(ways)))
    worst = max(leaks, key=lambda leak: leak.each)
    return Outcome(
        goals=[
            Goal(
                f"memory left by requests of clients that nobody knows ({len(leaks)} ways)",
                f"≤ {_MOST / 1_000:.0f} kB each",
                f"{worst.each / 1_000:.1f} kB ({worst.way.name})",
                all(leak.is_met for leak in leaks),
            )
        ],
        tables=[
            Table(
                "What floods leave in memory",
                ["way in", "at first MB", "after each round MB", "requests", "kB each", ""],
                [_draw(leak) for leak in leaks],
                f"Each way on a server of its own, {_ROUNDS} rounds, nobody held back; memory is "
                f"read {_SETTLE_SECONDS:.0f} s after each. What is left of each request is the "
                "memory after the last round beyond that after the first, shared among the "
                "requests in between.",
            )
        ],
    )


async def _attack_in_rounds(
    lab: Lab, server: Server, site: Site, way: Way, attacking: asyncio.Lock
) -> Leak:
    scene = site.for_server(server.url, browser=_CONNECTIONS)
    memory, tallies = [server.memory()], []
    for _ in range(_ROUNDS):
        async with attacking, Attacker() as attacker:
            await attacker.prepare(way.name, scene)
            await attacker.begin(acts=lab.sized(way.round, least=10))
            await attacker.finish()
            tallies.append(await attacker.end())
        await asyncio.sleep(_SETTLE_SECONDS)
        memory.append(server.memory())
    return Leak(way, memory, tallies)


def _draw(leak: Leak) -> list[str]:
    return [
        leak.way.name,
        f"{leak.memory[0] / 1e6:.0f}",
        ", ".join(f"{memory / 1e6:.1f}" for memory in leak.memory[1:]),
        f"{leak.requests}",
        f"{leak.each / 1_000:.2f}",
        "met" if leak.is_met else "**not met**",
    ]

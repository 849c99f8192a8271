"""The same conversation on one, two and three nodes: processor time per delivery."""

import asyncio
from dataclasses import dataclass
from itertools import cycle, islice

from benchmarks.cluster.site import ProcessorTime, ScreenSpecs, Site, running_stores, spread
from benchmarks.lab import Lab
from benchmarks.load import Load, TalkResult
from benchmarks.outcome import Goal, Outcome, Table

_NODES = (1, 2, 3)
_SCREENS = 600
_ROOMS = 6
_RATE = 100
_AT_ONCE = 8
_SETTLE_SECONDS = 6.0
_WARM_SECONDS = 3.0
_SECONDS = 12.0
_TOLERANCE = 0.15


@dataclass(frozen=True, slots=True)
class Run:
    """The result for a number of nodes."""

    nodes: int
    by_url: bool
    processor_time: ProcessorTime
    result: TalkResult

    @property
    def cost(self) -> float:
        """Microseconds of all nodes together per delivery."""
        return self.processor_time.nodes / self.result.deliveries * 1e6


async def measure(lab: Lab) -> Outcome:
    """Run the same conversation on each number of nodes."""
    distributed = [await _run(lab, nodes) for nodes in _NODES]
    by_url = await _run(lab, _NODES[-1], by_url=True)
    return Outcome(
        goals=[
            _evaluate(
                "deliveries per second of the nodes' processor time, at 1, 2 and 3 nodes",
                distributed,
            ),
            _evaluate(
                "the same at 1 and 3, a room's screens on one node", [distributed[0], by_url]
            ),
        ],
        tables=[_make_table(lab, [*distributed, by_url])],
    )


async def seed_rooms(site: Site, *, rooms: int, screens: int) -> ScreenSpecs:
    """Add rooms and members; return a screen spec for each member, rooms in turn."""
    async with site.seeding() as seeder:
        guests = await seeder.add_visitors(screens)
        rows = await seeder.add_rooms(rooms)
        pairs = list(zip(islice(cycle(rows), screens), guests, strict=True))
        await seeder.add_members(pairs)
    return spread(
        [{"room": seeder.room_name(room.id), "token": guest.token} for room, guest in pairs]
    )


async def _run(lab: Lab, nodes: int, *, by_url: bool = False) -> Run:
    rooms = lab.scaled(_ROOMS, minimum=2)
    screens = rooms * _SCREENS // _ROOMS
    rate = _RATE * rooms / _ROOMS
    async with running_stores(nodes) as site, Load() as load:
        specs = await seed_rooms(site, rooms=rooms, screens=screens)
        if by_url:
            site.hash_by_url()
        await site.start_nodes()
        await load.open("anonchat", site.url, specs, at_once=_AT_ONCE)
        await asyncio.sleep(lab.scaled_seconds(_SETTLE_SECONDS))
        await load.talk(rate=rate, seconds=lab.scaled_seconds(_WARM_SECONDS), speakers=screens)
        before = site.processor_time()
        result = await load.talk(rate=rate, seconds=lab.scaled_seconds(_SECONDS), speakers=screens)
        return Run(nodes, by_url, site.processor_time().since(before), result)


def _evaluate(what: str, runs: list[Run]) -> Goal:
    costs = [run.cost for run in runs]
    apart = max(costs) / min(costs) - 1
    return Goal(
        what,
        f"within {_TOLERANCE:.0%} of each other",
        f"{', '.join(f'{1e6 / cost:,.0f}' for cost in costs)}: {apart:.0%} apart",
        apart <= _TOLERANCE,
        "A message is received, rendered and framed on every node that has its room open, and so "
        "is the room's summary: for a third of the screens each, on three nodes. Three processes "
        "also have more overhead, and share fewer commits.",
    )


def _make_table(lab: Lab, runs: list[Run]) -> Table:
    head = ["nodes", "deliveries per s of the nodes", "µs of the nodes per delivery"]
    head += ["µs of Redis", "µs of nginx", "µs of PostgreSQL per post"]
    head += ["p50 ms", "p99 ms", "worst ms", "processors taken by the load"]
    rows = [
        [
            f"{run.nodes}{', node chosen by room' if run.by_url else ''}",
            f"{1e6 / run.cost:,.0f}",
            f"{run.cost:.1f}",
            f"{run.processor_time.redis / run.result.deliveries * 1e6:.1f}",
            f"{run.processor_time.nginx / run.result.deliveries * 1e6:.1f}",
            f"{run.processor_time.postgres / run.result.posted * 1e6:.0f}",
            f"{run.result.p50:.1f}",
            f"{run.result.p99:.1f}",
            f"{run.result.max:.0f}",
            f"{run.result.share:.2f}",
        ]
        for run in runs
    ]
    rooms = lab.scaled(_ROOMS, minimum=2)
    each = _SCREENS // _ROOMS
    return Table(
        f"{rooms} rooms of {each} screens, {_RATE * rooms / _ROOMS:g} messages/s",
        head,
        rows,
        "nginx distributes the screens to the nodes in turn, regardless of their room; in the last "
        "line it chooses the node by the URL of the room. The nodes' time is that of all their "
        "processes, for everything that they do meanwhile: storing posts, exchanging events, "
        "delivering, and storing read marks.",
    )

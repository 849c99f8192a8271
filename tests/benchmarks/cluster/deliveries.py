"""The same conversation on one node, on two and on three: what each delivery costs."""

import asyncio
from dataclasses import dataclass
from itertools import cycle, islice

from tests.benchmarks.cluster.site import Seats, Site, Spent, building, spread
from tests.benchmarks.lab import Lab
from tests.benchmarks.load import Load, Stretch
from tests.benchmarks.outcome import Goal, Outcome, Table

_NODES = (1, 2, 3)
_SCREENS = 600
_ROOMS = 6
_RATE = 100
_AT_ONCE = 8
_SETTLE_SECONDS = 6.0
_WARM_SECONDS = 3.0
_SECONDS = 12.0
_WITHIN = 0.15


@dataclass(frozen=True, slots=True)
class Run:
    """What a number of nodes needed for it."""

    nodes: int
    gathered: bool
    spent: Spent
    stretch: Stretch

    @property
    def cost(self) -> float:
        """Microseconds of all nodes together for each delivery."""
        return self.spent.nodes / self.stretch.deliveries * 1e6


async def measure(lab: Lab) -> Outcome:
    """Let the same people say the same on each number of nodes."""
    dealt = [await _run(lab, nodes) for nodes in _NODES]
    gathered = await _run(lab, _NODES[-1], gathered=True)
    return Outcome(
        goals=[
            _judge(
                "deliveries per second of the nodes' processor time, at 1, 2 and 3 nodes", dealt
            ),
            _judge("the same at 1 and 3, a room's screens on one node", [dealt[0], gathered]),
        ],
        tables=[_draw(lab, [*dealt, gathered])],
    )


async def furnish(site: Site, *, rooms: int, screens: int) -> Seats:
    """Make rooms and people, and return where each sits: those who come one by one meet."""
    async with site.founding() as town:
        guests = await town.come_in(screens)
        rows = await town.open_rooms(rooms)
        pairs = list(zip(islice(cycle(rows), screens), guests, strict=True))
        await town.join(pairs)
    return spread([{"room": town.name(room.id), "token": guest.token} for room, guest in pairs])


async def _run(lab: Lab, nodes: int, *, gathered: bool = False) -> Run:
    rooms = lab.sized(_ROOMS, least=2)
    screens = rooms * _SCREENS // _ROOMS
    rate = _RATE * rooms / _ROOMS
    async with building(nodes) as site, Load() as load:
        seats = await furnish(site, rooms=rooms, screens=screens)
        if gathered:
            site.gather_rooms()
        await site.start_nodes()
        await load.open("anonchat", site.url, seats, at_once=_AT_ONCE)
        await asyncio.sleep(lab.lasting(_SETTLE_SECONDS))
        await load.talk(rate=rate, seconds=lab.lasting(_WARM_SECONDS), by=screens)
        before = site.spent()
        stretch = await load.talk(rate=rate, seconds=lab.lasting(_SECONDS), by=screens)
        return Run(nodes, gathered, site.spent().since(before), stretch)


def _judge(what: str, runs: list[Run]) -> Goal:
    costs = [run.cost for run in runs]
    apart = max(costs) / min(costs) - 1
    return Goal(
        what,
        f"within {_WITHIN:.0%} of each other",
        f"{', '.join(f'{1e6 / cost:,.0f}' for cost in costs)}: {apart:.0%} apart",
        apart <= _WITHIN,
        "A message wakes every node on which somebody looks at its room, is drawn and framed "
        "there, and so is what the room shows from outside: for a third of the screens each, on "
        "three nodes. Three processes also have to be kept awake, and share fewer commits.",
    )


def _draw(lab: Lab, runs: list[Run]) -> Table:
    head = ["nodes", "deliveries per s of the nodes", "µs of the nodes per delivery"]
    head += ["µs of Redis", "µs of nginx", "µs of PostgreSQL per post"]
    head += ["p50 ms", "p99 ms", "worst ms", "processors taken by the load"]
    rows = [
        [
            f"{run.nodes}{', rooms brought together' if run.gathered else ''}",
            f"{1e6 / run.cost:,.0f}",
            f"{run.cost:.1f}",
            f"{run.spent.redis / run.stretch.deliveries * 1e6:.1f}",
            f"{run.spent.nginx / run.stretch.deliveries * 1e6:.1f}",
            f"{run.spent.postgres / run.stretch.posted * 1e6:.0f}",
            f"{run.stretch.p50:.1f}",
            f"{run.stretch.p99:.1f}",
            f"{run.stretch.max:.0f}",
            f"{run.stretch.share:.2f}",
        ]
        for run in runs
    ]
    rooms = lab.sized(_ROOMS, least=2)
    each = _SCREENS // _ROOMS
    return Table(
        f"{rooms} rooms of {each} screens, {_RATE * rooms / _ROOMS:g} messages/s",
        head,
        rows,
        "nginx deals the screens out to the nodes as they come, whatever their room; in the last "
        "line it chooses the node by the address of the room. The nodes' "
        "time is that of all their processes, for everything that they do meanwhile: storing the "
        "posts, telling each other, delivering, and noting what was read.",
    )

"""From what was measured to a million open screens, on paper."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from tests.benchmarks.outcome import Outcome, Table

_EACH = 10  # screens in a room
_EVERY = 10.0  # seconds from message to message in a room
_STAY = 600.0  # seconds that a screen is open
_FULL = 0.6  # of a processor: a node that has more to do is late too often
_NODES_MOST = 2_000
_MEMORY = 4e9  # bytes that a node may hold
_ONE_ROOM_RATE = 1.0  # messages a second in a huge room
_TELLS = 0.5  # seconds after which a node tells what it has gathered
_TOLD = 200  # how much of it it tells at once
_RELOADED = 5_000
_SIZES = (5_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Site:
    """A site of so many screens, by what each thing was measured to cost."""

    screens: int
    costs: Mapping[str, float]

    @property
    def messages(self) -> float:
        """Messages a second, in all rooms."""
        return self.screens / _EACH / _EVERY

    @property
    def presences(self) -> float:
        """Comings and goings a second."""
        return 2 * self.screens / _STAY

    @property
    def marks(self) -> float:
        """How many a second tell up to where they have read: each after every message."""
        return self.screens / _EVERY

    @property
    def own(self) -> float:
        """Processors for what is done once, wherever it is done."""
        each = self.costs["idle screen"] + self.costs["opening"] / _STAY
        each += self.costs["delivery"] / _EVERY
        return self.screens * each + self.messages * self.costs["post"]

    @property
    def heard(self) -> float:
        """Processors that every node needs for what all of them hear of."""
        return (
            self.messages * self.costs["stirred room"]
            + self.presences * self.costs["presence"]
            + self.marks * self.costs["read mark"]
        )

    def attended(self, nodes: int) -> float:
        """Processors for messages on nodes they were not posted on, but are looked at."""
        return self.messages * (_looking(nodes) - 1) * self.costs["attended message"]

    def load(self, nodes: int) -> float:
        """Processors that each of so many nodes needs."""
        return (self.own + self.attended(nodes)) / nodes + self.heard

    @property
    def nodes(self) -> int | None:
        """How many nodes carry it; `None` if no number does."""
        return next((n for n in range(1, _NODES_MOST) if self.load(n) <= _FULL), None)

    def redis(self, nodes: int) -> float:
        """Processors that Redis needs."""
        gathered = sum(max(nodes / _TELLS, each / _TOLD) for each in (self.marks, self.messages))
        heard = (self.presences + gathered) * nodes + self.messages * _looking(nodes)
        return heard * self.costs["hearing in Redis"]

    @property
    def postgres(self) -> float:
        """Processors that PostgreSQL needs for posts and openings."""
        openings = self.screens / _STAY * self.costs["opening in PostgreSQL"]
        return self.messages * self.costs["post in PostgreSQL"] + openings

    @property
    def memory(self) -> float:
        """Bytes on each node, if each visitor is the first of a room as well."""
        return self.costs["bytes of a node"] + (
            self.screens * self.costs["bytes per room and visitor"]
            + self.screens / (self.nodes or _NODES_MOST) * self.costs["bytes per screen"]
        )


def _looking(nodes: int) -> float:
    """Return on how many nodes a room is looked at."""
    return nodes * (1 - (1 - 1 / nodes) ** _EACH)


def reckon(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Reckon with all costs that were found."""
    costs = {name: cost for each in outcomes.values() for name, cost in each.costs.items()}
    try:
        return Outcome(tables=[_draw_sizes(costs), _draw_ends(costs)])
    except KeyError as missing:
        return Outcome(failure=f"{missing} was not measured")


def _draw_sizes(costs: Mapping[str, float]) -> Table:
    rows = []
    for screens in _SIZES:
        site = Site(screens, costs)
        nodes = site.nodes
        rows.append(
            [
                f"{screens:,}",
                f"{site.messages:,.0f}",
                f"{site.own:,.1f}",
                f"{site.heard:.2f}",
                f"{nodes:,}" if nodes else "no number",
                f"{site.redis(nodes):.2f}" if nodes else "–",
                f"{site.postgres:.2f}",
                f"{site.memory / 1e9:.2f}" if nodes else "–",
            ]
        )
    head = ["screens", "messages/s", "processors for what is done once"]
    head += ["of each node for what all hear", f"nodes at {_FULL:g} of a processor"]
    head += ["of Redis", "of PostgreSQL", "GB of memory of a node"]
    return Table(
        "To a million",
        head,
        rows,
        f"Reckoned with the costs above: rooms of {_EACH} screens, in each a message every "
        f"{_EVERY:g} s, which each of them tells to have read; a screen stays for "
        f"{_STAY / 60:g} minutes; the screens of a room sit on any nodes. One node is one process "
        "on a processor of this kind.",
    )


def _draw_ends(costs: Mapping[str, float]) -> Table:
    def until(holds: Callable[[Site], bool]) -> str:
        """Return up to how many screens that holds, to two figures."""
        sizes = (figure * 10**power for power in range(2, 9) for figure in range(10, 100))
        carried = list(takewhile(lambda size: holds(Site(size, costs)), sizes))
        return f"{carried[-1]:,} screens" if carried else "nothing"

    def bears_redis(site: Site) -> bool:
        return site.redis(max(1, round(site.own / _FULL))) <= 1

    huge = _FULL / (_ONE_ROOM_RATE * costs["delivery"])
    rows = [
        [
            "read marks, on every node",
            until(lambda site: site.marks * costs["read mark"] <= _FULL),
        ],
        [
            "comings and goings, on every node",
            until(lambda site: site.presences * costs["presence"] <= _FULL),
        ],
        [
            "rooms in which something was said, on every node",
            until(lambda site: site.messages * costs["stirred room"] <= _FULL),
        ],
        ["these three together", until(lambda site: site.heard <= _FULL)],
        ["Redis, one thread, all events to all nodes that are needed", until(bears_redis)],
        [
            "posts: as many as one PostgreSQL stored a second here",
            until(lambda site: site.messages <= costs["posts per second"]),
        ],
        [
            f"rooms and visitors in {_MEMORY / 1e9:g} GB of each node",
            until(lambda site: site.screens * costs["bytes per room and visitor"] <= _MEMORY),
        ],
        [
            f"one room on one node, {_ONE_ROOM_RATE:g} message/s",
            f"{huge:,.0f} screens",
        ],
        [
            f"{_RELOADED:,} pages loaded anew, when their node is gone",
            f"{_RELOADED * costs['opening']:.0f} s of the other nodes' processors",
        ],
    ]
    return Table(
        "Where each thing ends",
        ["what", "carries"],
        rows,
        f"Each by itself, at {_FULL:g} of a processor of a node, or all of one of Redis.",
    )

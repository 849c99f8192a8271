"""Estimates the load of up to a million open screens from the measured costs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import takewhile

from benchmarks.outcome import Outcome, Table

_SCREENS_PER_ROOM = 10
_MESSAGE_SECONDS = 10.0  # between two messages in a room
_OPEN_SECONDS = 600.0  # for which a screen is open
_MAX_LOAD = 0.6  # of a processor; above it a node delays messages too often
_MAX_NODES = 2_000
_MAX_MEMORY = 4e9  # bytes per node
_ONE_ROOM_RATE = 1.0  # messages per second in a huge room
_BATCH_SECONDS = 0.5  # interval at which a node publishes its batches
_BATCH_SIZE = 200  # entries per batch
_RELOADED_PAGES = 5_000
_SIZES = (5_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Site:
    """A site: its number of open screens, and the measured costs of each operation."""

    screens: int
    costs: Mapping[str, float]

    @property
    def messages(self) -> float:
        """Messages per second in all rooms."""
        return self.screens / _SCREENS_PER_ROOM / _MESSAGE_SECONDS

    @property
    def presences(self) -> float:
        """Joins and leaves per second."""
        return 2 * self.screens / _OPEN_SECONDS

    @property
    def marks(self) -> float:
        """Read marks per second: one per screen after every message."""
        return self.screens / _MESSAGE_SECONDS

    @property
    def divisible(self) -> float:
        """Processors for work that is done once, on any node."""
        each = self.costs["idle screen"] + self.costs["opening"] / _OPEN_SECONDS
        each += self.costs["delivery"] / _MESSAGE_SECONDS
        return self.screens * each + self.messages * self.costs["post"]

    @property
    def every_node(self) -> float:
        """Processors of each node for events that every node receives."""
        return (
            self.messages * self.costs["room activity"]
            + self.presences * self.costs["presence"]
            + self.marks * self.costs["read mark"]
        )

    def open_rooms(self, nodes: int) -> float:
        """Processors for messages on the other nodes that have their room open."""
        return self.messages * (_nodes_per_room(nodes) - 1) * self.costs["message in an open room"]

    def load(self, nodes: int) -> float:
        """Processors per node."""
        return (self.divisible + self.open_rooms(nodes)) / nodes + self.every_node

    @property
    def nodes(self) -> int | None:
        """The smallest sufficient number of nodes; `None` if no number is sufficient."""
        return next((n for n in range(1, _MAX_NODES) if self.load(n) <= _MAX_LOAD), None)

    def redis(self, nodes: int) -> float:
        """Processors of Redis."""
        batches = sum(
            max(nodes / _BATCH_SECONDS, each / _BATCH_SIZE) for each in (self.marks, self.messages)
        )
        deliveries = (self.presences + batches) * nodes + self.messages * _nodes_per_room(nodes)
        return deliveries * self.costs["delivery by Redis"]

    @property
    def postgres(self) -> float:
        """Processors of PostgreSQL for posts and openings."""
        openings = self.screens / _OPEN_SECONDS * self.costs["opening in PostgreSQL"]
        return self.messages * self.costs["post in PostgreSQL"] + openings

    @property
    def resident_bytes(self) -> float:
        """Bytes per node, with one room for each visitor."""
        return self.costs["bytes of a node"] + (
            self.screens * self.costs["bytes per room and visitor"]
            + self.screens / (self.nodes or _MAX_NODES) * self.costs["bytes per screen"]
        )


def _nodes_per_room(nodes: int) -> float:
    """Return the expected number of nodes that have a room open."""
    return nodes * (1 - (1 - 1 / nodes) ** _SCREENS_PER_ROOM)


def estimate(outcomes: Mapping[str, Outcome]) -> Outcome:
    """Return the tables of estimates from the measured costs."""
    costs = {name: cost for each in outcomes.values() for name, cost in each.costs.items()}
    try:
        return Outcome(tables=[_make_table_of_sizes(costs), _make_table_of_limits(costs)])
    except KeyError as missing:
        return Outcome(failure=f"{missing} was not measured")


def _make_table_of_sizes(costs: Mapping[str, float]) -> Table:
    rows = []
    for screens in _SIZES:
        site = Site(screens, costs)
        nodes = site.nodes
        rows.append(
            [
                f"{screens:,}",
                f"{site.messages:,.0f}",
                f"{site.divisible:,.1f}",
                f"{site.every_node:.2f}",
                f"{nodes:,}" if nodes else "no number",
                f"{site.redis(nodes):.2f}" if nodes else "–",
                f"{site.postgres:.2f}",
                f"{site.resident_bytes / 1e9:.2f}" if nodes else "–",
            ]
        )
    head = ["screens", "messages/s", "processors for work that is done once"]
    head += ["of each node for events that all receive", f"nodes at {_MAX_LOAD:g} of a processor"]
    head += ["of Redis", "of PostgreSQL", "GB of memory of a node"]
    return Table(
        "Estimates up to a million screens",
        head,
        rows,
        f"Estimated from the costs above: rooms of {_SCREENS_PER_ROOM} screens, with a message "
        f"every {_MESSAGE_SECONDS:g} s, for which each screen sends a read mark; a screen stays "
        f"open for {_OPEN_SECONDS / 60:g} minutes; the screens of a room are on any nodes. One "
        "node is one process on a processor of this kind.",
    )


def _make_table_of_limits(costs: Mapping[str, float]) -> Table:
    def largest(holds: Callable[[Site], bool]) -> str:
        """Return the largest number of screens for which that holds, to two digits."""
        sizes = (figure * 10**power for power in range(2, 9) for figure in range(10, 100))
        carried = list(takewhile(lambda size: holds(Site(size, costs)), sizes))
        return f"{carried[-1]:,} screens" if carried else "nothing"

    def is_redis_sufficient(site: Site) -> bool:
        return site.redis(max(1, round(site.divisible / _MAX_LOAD))) <= 1

    huge = _MAX_LOAD / (_ONE_ROOM_RATE * costs["delivery"])
    rows = [
        [
            "read marks, on every node",
            largest(lambda site: site.marks * costs["read mark"] <= _MAX_LOAD),
        ],
        [
            "joins and leaves, on every node",
            largest(lambda site: site.presences * costs["presence"] <= _MAX_LOAD),
        ],
        [
            "rooms with activity, on every node",
            largest(lambda site: site.messages * costs["room activity"] <= _MAX_LOAD),
        ],
        ["these three together", largest(lambda site: site.every_node <= _MAX_LOAD)],
        [
            "Redis, one thread, all events to all nodes that are needed",
            largest(is_redis_sufficient),
        ],
        [
            "posts: the rate that one PostgreSQL stored here",
            largest(lambda site: site.messages <= costs["posts per second"]),
        ],
        [
            f"rooms and visitors in {_MAX_MEMORY / 1e9:g} GB of each node",
            largest(lambda site: site.screens * costs["bytes per room and visitor"] <= _MAX_MEMORY),
        ],
        [
            f"one room on one node, {_ONE_ROOM_RATE:g} message/s",
            f"{huge:,.0f} screens",
        ],
        [
            f"reloading {_RELOADED_PAGES:,} pages after the loss of their node",
            f"{_RELOADED_PAGES * costs['opening']:.0f} s of the other nodes' processors",
        ],
    ]
    return Table(
        "Limit of each part",
        ["what", "carries"],
        rows,
        f"Each alone, at {_MAX_LOAD:g} of a processor of a node, or a whole one of Redis.",
    )

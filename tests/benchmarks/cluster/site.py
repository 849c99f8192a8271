"""A whole site of many nodes, as operators run it, which is full before it opens."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from tests.benchmarks.town import Town, founding
from tests.fakes import UNLIMITED
from tools.cluster import Cluster, Part

_ADDRESSES = 16
_GENEROUS = {  # a whole town on one machine
    "sockets_per_address_max": "100000",
    "connections_per_address_max": "100000",
    "connections_max": "100000",
    "unread_per_address_max": "1000000000",
    "unread_max": "1000000000",
    "pages_waiting_max": "100000",
    "rooms_max": "1000000",
    "visitors_max": "1000000",
    **UNLIMITED,
}

Seats = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of processor time, of all nodes together and of what stands around them."""

    nodes: float
    redis: float
    postgres: float
    nginx: float

    def since(self, before: "Spent") -> "Spent":
        """Return what was spent between two readings."""
        return Spent(
            self.nodes - before.nodes,
            self.redis - before.redis,
            self.postgres - before.postgres,
            self.nginx - before.nginx,
        )


NOTHING = Spent(0.0, 0.0, 0.0, 0.0)


class Site(Cluster):
    """A cluster that is built in two steps: first its stores and its town, then its nodes."""

    def __init__(self, *, nodes: int) -> None:
        super().__init__(nodes=nodes, settings=_GENEROUS)

    @property
    def shared(self) -> Mapping[str, str]:
        """The settings that all nodes have in common."""
        return self.nodes[0].settings

    def founding(self) -> AbstractAsyncContextManager[Town]:
        """Give the town to fill while no node runs; the first node will have its keys."""
        return founding(self.nodes[0].data, node_id="town", **self.shared)

    async def start_nodes(self) -> None:
        """Start the node that has the keys before the others, which it gives them to."""
        await self.nodes[0].start()
        await super().start_nodes()

    def gather_rooms(self) -> None:
        """Let nginx choose the node by the address of the page: a room's screens come together."""
        nodes = self.nginx.folder / "nodes.conf"
        first = "upstream anonchat {\n"
        nodes.write_text(nodes.read_text().replace(first, f"{first}    hash $uri consistent;\n"))

    def spent(self) -> Spent:
        """Return the processor time that was spent so far."""
        nodes = sum(node.processor() for node in self.nodes)
        others = (_processor(part) for part in (self.redis, self.postgres, self.nginx))
        return Spent(nodes, *others)


@asynccontextmanager
async def building(nodes: int) -> AsyncIterator[Site]:
    """Give a site of which the stores run; at the end of the block it is gone."""
    site = Site(nodes=nodes)
    await site.start_stores()
    try:
        yield site
    finally:
        await site.stop()


def spread(seats: Seats) -> Seats:
    """Let the screens come from several addresses of this machine, as nginx wants it."""
    return [
        {**seat, "address": f"127.0.1.{1 + number % _ADDRESSES}"}
        for number, seat in enumerate(seats)
    ]


def _processor(part: Part) -> float:
    return part.processor() if part.process else 0.0

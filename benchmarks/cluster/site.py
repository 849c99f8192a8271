"""A cluster with stores and nginx, whose database is seeded before its nodes start."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from benchmarks.database_seeder import DatabaseSeeder, seeding
from tests.fakes import UNLIMITED
from tools.cluster import Cluster

_ADDRESSES = 16
_HIGH_LIMITS = {  # for all clients on one machine
    "sockets_per_ip_max": "100000",
    "connections_per_ip_max": "100000",
    "connections_max": "100000",
    "unread_per_ip_max": "1000000000",
    "unread_max": "1000000000",
    "unconnected_pages_max": "100000",
    "rooms_max": "1000000",
    "visitors_max": "1000000",
    **UNLIMITED,
}

ScreenSpecs = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class ProcessorTime:
    """Seconds of processor time of all nodes together, and of Redis, PostgreSQL and nginx."""

    nodes: float
    redis: float
    postgres: float
    nginx: float

    def since(self, before: "ProcessorTime") -> "ProcessorTime":
        """Return the difference to an earlier reading."""
        return ProcessorTime(
            self.nodes - before.nodes,
            self.redis - before.redis,
            self.postgres - before.postgres,
            self.nginx - before.nginx,
        )


ZERO_TIME = ProcessorTime(0.0, 0.0, 0.0, 0.0)


class Site(Cluster):
    """A cluster that starts in two steps: first its stores, then its nodes."""

    def __init__(self, *, nodes: int) -> None:
        super().__init__(nodes=nodes, settings=_HIGH_LIMITS)

    @property
    def shared(self) -> Mapping[str, str]:
        """The settings of the first node; the others have the same database and bus."""
        return self.nodes[0].settings

    def seeding(self) -> AbstractAsyncContextManager[DatabaseSeeder]:
        """Seed the database while no node runs; the first node then has the keys."""
        return seeding(self.nodes[0].data, **self.shared)

    async def start_nodes(self) -> None:
        """Start the node that has the keys first; the others get them from it."""
        await self.nodes[0].start()
        await super().start_nodes()

    def hash_by_url(self) -> None:
        """Let nginx choose the node by the URL of the page; a room's screens share a node."""
        nodes = self.nginx.folder / "nodes.conf"
        first = "upstream anonchat {\n"
        nodes.write_text(nodes.read_text().replace(first, f"{first}    hash $uri consistent;\n"))

    def processor_time(self) -> ProcessorTime:
        """Return the processor time used so far."""
        nodes = sum(node.processor_seconds() for node in self.nodes)
        others = (self.redis, self.postgres, self.nginx)
        return ProcessorTime(nodes, *(process.processor_seconds() for process in others))


@asynccontextmanager
async def running_stores(nodes: int) -> AsyncIterator[Site]:
    """Yield a site whose stores run; remove it after the block."""
    site = Site(nodes=nodes)
    await site.start_stores()
    try:
        yield site
    finally:
        await site.stop()


def spread(specs: ScreenSpecs) -> ScreenSpecs:
    """Distribute the screens over several loopback addresses for nginx."""
    return [
        {**spec, "address": f"127.0.1.{1 + number % _ADDRESSES}"}
        for number, spec in enumerate(specs)
    ]

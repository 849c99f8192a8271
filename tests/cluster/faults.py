"""Faults of a cluster for a load run: each breaks something and repairs it again."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from tests.browser.tcp_proxy import TcpProxy
from tests.fakes import UNLIMITED
from tests.history.storm import SETTINGS
from tests.servers.forked_cluster import ForkedCluster
from tools.cluster import Cluster

LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
"""libfaketime, which fakes the clock of a process; empty if it is not installed."""

_SLOW_SECONDS = 0.03


class Faults:
    """A cluster and its faults. Pauses, disconnections and delays last for `seconds`.

    The clock of the second node is two minutes ahead of the others, if libfaketime is installed.
    The last node connects to PostgreSQL and Redis via TCP proxies.
    """

    def __init__(self, cluster: Cluster, *, seconds: float) -> None:
        self.cluster = cluster
        """How many seconds each node took to stop."""
        self._seconds = seconds
        self._to_postgres = TcpProxy(cluster.postgres.port)
        self.to_redis = TcpProxy(cluster.redis.port)
        """The TCP proxy between the last node and Redis."""

    async def open(self) -> None:
        """Start the proxies, and set the clock of the second node."""
        _, ahead, last = self.cluster.nodes
        if LIBRARIES:
            ahead.extra_environment |= fake_clock(120)
        for setting, proxy, process in (
            ("database_url", self._to_postgres, self.cluster.postgres),
            ("bus_url", self.to_redis, self.cluster.redis),
        ):
            await proxy.open()
            last.settings[setting] = process.url.replace(str(process.port), str(proxy.port))

    async def close(self) -> None:
        """Stop the proxies."""
        await self._to_postgres.close()
        await self.to_redis.close()

    @property
    def urls(self) -> Sequence[str]:
        """The URLs of all nodes."""
        return [f"http://{node.address}" for node in self.cluster.nodes]

    async def crashes_of_postgresql(self, _random: Random) -> None:
        """Stop it as `pg_ctl stop -m immediate` does, and restart it."""
        await self.cluster.postgres.stop(signal.SIGQUIT)
        await self.cluster.postgres.start()

    async def absences_of_postgresql(self, _random: Random) -> None:
        """Stop it for a while."""
        await self.cluster.postgres.stop(signal.SIGQUIT)
        await asyncio.sleep(self._seconds)
        await self.cluster.postgres.start()

    async def slow_lines_to_postgresql(self, _random: Random) -> None:
        """Delay all responses to one node."""
        self._to_postgres.set_delay(_SLOW_SECONDS)
        await asyncio.sleep(self._seconds)
        self._to_postgres.set_delay(0)

    async def broken_lines_to_postgresql(self, _random: Random) -> None:
        """Hold back the traffic of one node, with its transactions open."""
        self._to_postgres.hold()
        await asyncio.sleep(self._seconds)
        self._to_postgres.release()

    async def crashes_of_redis(self, _random: Random) -> None:
        """Kill it, and restart it without data."""
        self.cluster.redis.kill()
        await self.cluster.redis.start()

    async def absences_of_redis(self, _random: Random) -> None:
        """Kill it, and restart it without data after a while."""
        self.cluster.redis.kill()
        await asyncio.sleep(self._seconds)
        await self.cluster.redis.start()

    async def pauses_of_redis(self, _random: Random) -> None:
        """Suspend the process for a while."""
        self.cluster.redis.pause()
        await asyncio.sleep(self._seconds)
        self.cluster.redis.resume()

    async def broken_lines_to_redis(self, _random: Random) -> None:
        """Hold back the events between one node and the others."""
        self.to_redis.hold()
        await asyncio.sleep(self._seconds)
        self.to_redis.release()

    async def crashes_of_nodes(self, random: Random) -> None:
        """Kill a random node, and restart it within a second."""
        node = random.choice(self.cluster.nodes)
        node.kill()
        await asyncio.sleep(random.uniform(0, 1))
        await node.start()

    async def absences_of_nodes(self, random: Random) -> None:
        """Kill a random node, and restart it after a while."""
        node = random.choice(self.cluster.nodes)
        node.kill()
        await asyncio.sleep(self._seconds)
        await node.start()

    async def pauses_of_nodes(self, random: Random) -> None:
        """Suspend the process of a random node for a while."""
        node = random.choice(self.cluster.nodes)
        node.pause()
        await asyncio.sleep(self._seconds)
        node.resume()

    async def rolling_restarts(self, _random: Random) -> None:
        """Stop and restart all nodes, one after the other."""
        for node in self.cluster.nodes:
            await node.stop()
            await node.start()


@asynccontextmanager
async def open_faults(*, seconds: float) -> AsyncIterator[Faults]:
    """Start a cluster with its faults."""
    faults = Faults(ForkedCluster(settings=UNLIMITED | SETTINGS), seconds=seconds)
    await faults.open()
    try:
        async with faults.cluster:
            yield faults
    finally:
        await faults.close()


def fake_clock(seconds: int) -> dict[str, str]:
    """Return the environment variables that set a process's clock `seconds` ahead."""
    return {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME": f"{seconds:+}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

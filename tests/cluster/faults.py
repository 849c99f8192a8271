"""What breaks in a cluster, and is mended again: blows for a storm."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

from tests.browser.wire import Wire
from tests.fakes import UNLIMITED
from tests.history.storm import SETTINGS
from tools.cluster import Cluster

LIARS = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
"""What tells a process another time than its machine has."""

_SLOW_SECONDS = 0.03


class Faults:
    """A cluster to be broken. What is paused, cut off or slow is so for `seconds`.

    The clock of its second node is two minutes ahead of the others, if libfaketime is installed.
    The last node reaches PostgreSQL and Redis over cables that can be pulled out.
    """

    def __init__(self, cluster: Cluster, *, seconds: float) -> None:
        self.cluster = cluster
        self.left: list[float] = []
        """How many seconds each node has taken to leave."""
        self._seconds = seconds
        self._to_postgres = Wire(cluster.postgres.port)
        self.to_redis = Wire(cluster.redis.port)
        """The cable between the last node and Redis."""

    async def open(self) -> None:
        """Lay the cables, and set the clock."""
        _, early, far = self.cluster.nodes
        if LIARS:
            early.around |= lie(120)
        for setting, wire, part in (
            ("database_url", self._to_postgres, self.cluster.postgres),
            ("bus_url", self.to_redis, self.cluster.redis),
        ):
            await wire.open()
            far.settings[setting] = part.url.replace(str(part.port), str(wire.port))

    async def close(self) -> None:
        """Take the cables away."""
        await self._to_postgres.close()
        await self.to_redis.close()

    @property
    def doors(self) -> Sequence[str]:
        """The address of every node."""
        return [f"http://{node.address}" for node in self.cluster.nodes]

    async def crashes_of_postgresql(self, _chance: Random) -> None:
        """End it as `pg_ctl stop -m immediate` does."""
        await self.cluster.postgres.stop(signal.SIGQUIT)
        await self.cluster.postgres.start()

    async def absences_of_postgresql(self, _chance: Random) -> None:
        """Let it be away for a while."""
        await self.cluster.postgres.stop(signal.SIGQUIT)
        await asyncio.sleep(self._seconds)
        await self.cluster.postgres.start()

    async def slow_lines_to_postgresql(self, _chance: Random) -> None:
        """Let one node wait for every answer."""
        self._to_postgres.slow_down(_SLOW_SECONDS)
        await asyncio.sleep(self._seconds)
        self._to_postgres.slow_down(0)

    async def broken_lines_to_postgresql(self, _chance: Random) -> None:
        """Let one node wait for answers that do not come, and leave its transactions open."""
        self._to_postgres.hold()
        await asyncio.sleep(self._seconds)
        self._to_postgres.release()

    async def crashes_of_redis(self, _chance: Random) -> None:
        """End it; it comes back and knows nothing."""
        self.cluster.redis.kill()
        await self.cluster.redis.start()

    async def absences_of_redis(self, _chance: Random) -> None:
        """Let it be away for a while; it comes back and knows nothing."""
        self.cluster.redis.kill()
        await asyncio.sleep(self._seconds)
        await self.cluster.redis.start()

    async def pauses_of_redis(self, _chance: Random) -> None:
        """Let it say nothing."""
        self.cluster.redis.pause()
        await asyncio.sleep(self._seconds)
        self.cluster.redis.resume()

    async def broken_lines_to_redis(self, _chance: Random) -> None:
        """Let one node hear nothing of the others, nor they of it."""
        self.to_redis.hold()
        await asyncio.sleep(self._seconds)
        self.to_redis.release()

    async def crashes_of_nodes(self, chance: Random) -> None:
        """End one as a power cut does."""
        node = chance.choice(self.cluster.nodes)
        node.kill()
        await asyncio.sleep(chance.uniform(0, 1))
        await node.start()

    async def absences_of_nodes(self, chance: Random) -> None:
        """Let one be away for a while."""
        node = chance.choice(self.cluster.nodes)
        node.kill()
        await asyncio.sleep(self._seconds)
        await node.start()

    async def pauses_of_nodes(self, chance: Random) -> None:
        """Let one do nothing at all, in the middle of whatever it does."""
        node = chance.choice(self.cluster.nodes)
        node.pause()
        await asyncio.sleep(self._seconds)
        node.resume()

    async def rolling_restarts(self, _chance: Random) -> None:
        """Let every node leave and come back, one after the other."""
        for node in self.cluster.nodes:
            began = time.monotonic()
            await node.stop()
            self.left.append(time.monotonic() - began)
            await node.start()


@asynccontextmanager
async def open_faults(*, seconds: float) -> AsyncIterator[Faults]:
    """Start a cluster to be broken."""
    faults = Faults(Cluster(settings=UNLIMITED | SETTINGS), seconds=seconds)
    await faults.open()
    try:
        async with faults.cluster:
            yield faults
    finally:
        await faults.close()


def lie(seconds: int) -> dict[str, str]:
    """Return what a process finds around it whose clock is so far ahead."""
    return {
        "LD_PRELOAD": str(LIARS[0]),
        "FAKETIME": f"{seconds:+}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }

"""A local cluster: PostgreSQL, Redis, several nodes, and nginx as their reverse proxy.

`make cluster` runs it for demonstration; tests and benchmarks use it, too. Every process listens
on 127.0.0.1, stores its data in a temporary folder, and is killed when this process dies.
"""

import asyncio
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tools.servers.nginx import Nginx
from tools.servers.node import Node
from tools.servers.postgres import Postgres
from tools.servers.process import ManagedProcess
from tools.servers.redis import Redis


class Cluster:
    """A whole cluster; once started, each process can be stopped and restarted separately."""

    node_type: type[Node] = Node

    def __init__(self, *, nodes: int = 3, port: int = 0, settings: Mapping[str, str] | None = None):
        self.folder = Path(tempfile.mkdtemp(prefix="anonchat-cluster-"))
        self.postgres = Postgres()
        self.redis = Redis(self.folder / "redis")
        shared = {
            "database_url": self.postgres.url,
            "bus_url": self.redis.url,
            "secret_key": secrets.token_urlsafe(32),
            "trusted_proxies": "127.0.0.1",
            **(settings or {}),
        }
        names = [f"n{number}" for number in range(1, nodes + 1)]
        self.nodes = [
            self.node_type(name, self.folder / name, {**shared, "node_id": name}) for name in names
        ]
        self.nginx = Nginx(self.folder / "nginx", self.nodes, port=port)

    @property
    def url(self) -> str:
        """The URL for browsers."""
        return self.nginx.url

    @property
    def port(self) -> int:
        """The port for browsers."""
        return self.nginx.port

    @property
    def processes(self) -> Sequence[ManagedProcess]:
        """All processes, in starting order."""
        return [self.postgres, self.redis, *self.nodes, self.nginx]

    async def start(self) -> None:
        """Start everything and wait until it is ready; stop everything on any error."""
        await self.start_stores()
        await self.start_nodes()

    async def start_stores(self) -> None:
        """Start PostgreSQL and Redis."""
        try:
            self.nginx.write_configuration()
            await self.postgres.start()
            await self.redis.start()
        except BaseException:
            await self.stop()
            raise

    async def start_nodes(self) -> None:
        """Start the nodes and nginx."""
        try:
            for node in self.nodes:
                if not node.is_alive:
                    node.launch()
            for node in self.nodes:
                await node.wait_until_ready()
            await self.nginx.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, nginx first, and remove all data."""
        try:
            await self.nginx.stop()
            await asyncio.gather(*(node.stop() for node in self.nodes))
            await self.redis.stop()
            await self.postgres.stop()
        finally:
            for process in self.processes:
                process.kill()
            self.remove()

    def remove(self) -> None:
        """Remove all data."""
        self.postgres.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> "Cluster":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


async def _main() -> None:
    cluster = Cluster(
        nodes=int(os.environ.get("NODES", "3")), port=int(os.environ.get("PORT", "8080"))
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with cluster:
        _print(f"listening at {cluster.url}: {len(cluster.nodes)} nodes, with their logs in")
        _print(f"{cluster.folder}; Ctrl-C stops it and removes all data")
        await _watch(cluster, stopped)


async def _watch(cluster: Cluster, stopped: asyncio.Event) -> None:
    reported: set[str] = set()
    while not stopped.is_set():
        for process in cluster.processes:
            if not process.is_alive and process.name not in reported:
                reported.add(process.name)
                _print(f"{process.name} exited:\n{process.log[-2_000:]}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stopped.wait(), 1)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        asyncio.run(_main())
    except RuntimeError as error:
        sys.exit(str(error))

"""Versions of the programs of the cluster."""

from benchmarks.machine import describe_packages, read_version
from tools.cluster import Cluster

_PACKAGES = ("nicegui", "uvicorn", "uvloop", "websockets", "sqlalchemy", "asyncpg", "redis")


def describe_programs() -> list[str]:
    """Return lines with the versions of Python, the stores, nginx and Node."""
    cluster = Cluster(nodes=1)
    stores = [read_version(part.command()[0]) for part in (cluster.postgres, cluster.redis)]
    nginx = read_version(cluster.nginx.command()[0], "-v")
    cluster.remove()
    return [describe_packages(*_PACKAGES), *stores, f"{nginx}; Node {read_version('node')}"]

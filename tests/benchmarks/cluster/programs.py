"""What was measured with."""

from tests.benchmarks.machine import ask_version, describe_packages
from tools.cluster import Cluster

_PACKAGES = ("nicegui", "uvicorn", "uvloop", "websockets", "sqlalchemy", "asyncpg", "redis")


def describe_programs() -> list[str]:
    """Return one line for each kind of program."""
    cluster = Cluster(nodes=1)
    stores = [ask_version(part.command()[0]) for part in (cluster.postgres, cluster.redis)]
    nginx = ask_version(cluster.nginx.command()[0], "-v")
    cluster.remove()
    return [describe_packages(*_PACKAGES), *stores, f"{nginx}; Node {ask_version('node')}"]

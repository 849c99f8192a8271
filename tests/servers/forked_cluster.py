"""A cluster whose nodes start in a quarter of the time."""

from tests.servers.forked_node import ForkedNode
from tools.cluster import Cluster


class ForkedCluster(Cluster):
    """A cluster of forked nodes."""

    node_type = ForkedNode

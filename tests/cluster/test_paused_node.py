"""nginx sends requests to another node while one is paused with open connections."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.servers.forked_cluster import ForkedCluster
from tests.timeouts import DEADLINE
from tools.cluster import Cluster


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with ForkedCluster(nodes=2) as cluster:
        yield cluster


async def test_requests_to_a_paused_node_are_answered_by_another(
    cluster: Cluster,
) -> None:
    cluster.nodes[0].pause()
    try:
        async with httpx.AsyncClient(base_url=cluster.url, timeout=DEADLINE) as http:
            for _ in range(4):
                assert (await http.get("/login")).status_code == 200
            query = {"EIO": "4", "transport": "polling", "node": "n1"}
            answer = await http.get("/_nicegui_ws/socket.io/", params=query)
            assert answer.status_code == 200
            assert "sid" in answer.text
    finally:
        cluster.nodes[0].resume()

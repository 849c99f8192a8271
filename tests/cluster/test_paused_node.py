"""A node that stands still, with all its lines open: whoever comes is answered by another."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tools.cluster import Cluster

_PATIENCE = 240


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster(nodes=2) as cluster:
        yield cluster


async def test_pages_and_sockets_of_a_node_that_stands_still_are_answered_by_another(
    cluster: Cluster,
) -> None:
    cluster.nodes[0].pause()
    try:
        async with httpx.AsyncClient(base_url=cluster.url, timeout=_PATIENCE) as http:
            for _ in range(4):
                assert (await http.get("/login")).status_code == 200
            socket = {"EIO": "4", "transport": "polling", "node": "n1"}
            answer = await http.get("/_nicegui_ws/socket.io/", params=socket)
            assert answer.status_code == 200
            assert "sid" in answer.text
    finally:
        cluster.nodes[0].resume()

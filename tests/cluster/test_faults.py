"""Three nodes under load with faults: no message is lost or duplicated.

The clock of one node is two minutes ahead.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import pytest_asyncio

from tests.api.api_client import ApiClient
from tests.cluster.faults import Faults, open_faults
from tests.history.storm import Disruption, Storm
from tests.timeouts import DEADLINE

SECONDS = 5

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faults() -> AsyncIterator[Faults]:
    async with open_faults(seconds=SECONDS) as faults:
        yield faults


@pytest_asyncio.fixture(loop_scope="module")
async def clients(faults: Faults) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Open an HTTP client for each node, without nginx."""
    addresses = [node.address for node in faults.cluster.nodes]
    clients = [
        httpx.AsyncClient(base_url=f"http://{address}/api/v1", timeout=DEADLINE)
        for address in addresses
    ]
    yield clients
    for client in clients:
        await client.aclose()


async def _run_with(faults: Faults, *disruptions: Disruption) -> None:
    seed = os.environ.get("SEED") or os.urandom(3).hex()  # make test SEED=… repeats a run
    # Events may take any time during the run; only the final state is checked.
    storm = Storm(
        faults.cluster,
        None,
        seed=seed,
        disruptions=disruptions,
        propagation_seconds=math.inf,
        urls=faults.urls,
    )
    report = await storm.run()
    assert not report.faults, f"{report}\n{_logs(faults)}"
    assert report.counts["acknowledged"]


def _logs(faults: Faults) -> str:
    return "\n".join(f"{node.name}\n{node.log[-6_000:]}" for node in faults.cluster.nodes)


async def test_cluster_survives_postgresql_crashes_and_slow_or_broken_connections(
    faults: Faults,
) -> None:
    await _run_with(
        faults,
        faults.crashes_of_postgresql,
        faults.slow_lines_to_postgresql,
        faults.broken_lines_to_postgresql,
    )


async def test_cluster_survives_redis_crashes_pauses_and_broken_connections(faults: Faults) -> None:
    await _run_with(
        faults, faults.crashes_of_redis, faults.pauses_of_redis, faults.broken_lines_to_redis
    )


async def test_cluster_survives_node_crashes_and_pauses(faults: Faults) -> None:
    await _run_with(faults, faults.crashes_of_nodes, faults.pauses_of_nodes)


async def test_cluster_survives_rolling_restarts(faults: Faults) -> None:
    await _run_with(faults, faults.rolling_restarts)


async def test_message_stored_but_not_published_before_a_crash_is_delivered(
    faults: Faults, clients: list[httpx.AsyncClient]
) -> None:
    last = faults.cluster.nodes[-1]
    ann = await _sign_in(clients[0], "Ann")
    slug = (await ann.open("night train"))["slug"]
    ann_on_last = ApiClient(clients[-1], ann.token)
    await ann_on_last.say(slug, "one")
    async with ann.listen(slug, after=0) as stream:
        assert [event.data["text"] for event in await stream.until("message")] == ["one"]
        await stream.ready()
        faults.to_redis.hold()
        try:
            await ann_on_last.say(slug, "two")
            last.kill()
        finally:
            faults.to_redis.disconnect()
            faults.to_redis.restore()
        await last.start()
        async with asyncio.timeout(DEADLINE):
            assert (await stream.until("message"))[-1].data["text"] == "two"


async def test_message_with_keys_of_a_disconnected_node_is_kept_until_it_returns(
    faults: Faults, clients: list[httpx.AsyncClient]
) -> None:
    ann = await _sign_in(clients[0], "Mira")
    slug = (await ann.open("day train", message_ttl="2h"))["slug"]
    ann_on_last = ApiClient(clients[-1], ann.token)
    assert (await ann_on_last.read(slug))["items"] == []
    faults.to_redis.hold()
    try:
        await _wait_until(lambda: _is_ready(clients[-1]), False)
        await ann_on_last.say(slug, "kept")
        (deleted,) = await ann.say(slug, "a slip")
        ben = await _sign_in(clients[-1], "Ben")
        assert (
            await ApiClient(clients[0], ben.token).call("GET", "/rooms/mine")
        ).status_code == 503
        assert (await ann.read(slug, after=0))["items"] == [], (
            "a message without its key was returned"
        )
        await ann.ask("DELETE", f"/rooms/{slug}/messages/{deleted['id']}")
    finally:
        faults.to_redis.release()
    await _wait_until(lambda: _is_ready(clients[-1]), True)
    for program in (ann, ann_on_last):
        await _wait_until(lambda program=program: _read(program, slug), ["kept"])
    assert (await ApiClient(clients[0], ben.token).call("GET", "/rooms/mine")).status_code == 200


async def _sign_in(client: httpx.AsyncClient, nickname: str) -> ApiClient:
    answer = await client.post("/visitors", json={"nickname": nickname})
    return ApiClient(client, answer.raise_for_status().json()["token"])


async def _is_ready(client: httpx.AsyncClient) -> bool:
    answer = await client.get(f"http://{client.base_url.netloc.decode()}/readyz")
    return answer.status_code == 200


async def _read(program: ApiClient, slug: str) -> list[str]:
    return [item["text"] for item in (await program.read(slug))["items"]]


async def _wait_until(read: Callable[[], Awaitable[object]], wanted: object) -> None:
    async with asyncio.timeout(DEADLINE):
        while await read() != wanted:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.1)

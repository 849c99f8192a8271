"""A site of three nodes loses nothing and doubles nothing, whatever of it breaks under load.

The clock of one node is two minutes ahead all the while.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import pytest_asyncio

from tests.api.program import Program
from tests.browser.house import PATIENCE
from tests.cluster.faults import Faults, open_faults
from tests.history.storm import Blow, Storm

SECONDS = 5
LEAVING_SECONDS = 10

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faults() -> AsyncIterator[Faults]:
    async with open_faults(seconds=SECONDS) as faults:
        yield faults


@pytest_asyncio.fixture(loop_scope="module")
async def lines(faults: Faults) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Give a line to each node that passes nginx by."""
    addresses = [node.address for node in faults.cluster.nodes]
    lines = [
        httpx.AsyncClient(base_url=f"http://{it}/api/v1", timeout=PATIENCE) for it in addresses
    ]
    yield lines
    for line in lines:
        await line.aclose()


async def _rage(faults: Faults, *blows: Blow) -> None:
    seed = os.environ.get("SEED") or os.urandom(3).hex()  # make test SEED=… plans the same again
    # While it rages, word may take as long as it likes; what counts is how it ends.
    storm = Storm(
        faults.cluster, None, seed=seed, blows=blows, distance=math.inf, doors=faults.doors
    )
    report = await storm.rage()
    assert not report.faults, f"{report}\n{_logs(faults)}"
    assert report.counts["acknowledged"]


def _logs(faults: Faults) -> str:
    return "\n".join(f"{node.name}\n{node.log[-6_000:]}" for node in faults.cluster.nodes)


async def test_postgresql_may_crash_and_the_line_to_it_may_be_slow_or_broken(
    faults: Faults,
) -> None:
    await _rage(
        faults,
        faults.crashes_of_postgresql,
        faults.slow_lines_to_postgresql,
        faults.broken_lines_to_postgresql,
    )


async def test_redis_may_crash_hold_its_breath_or_be_out_of_reach(faults: Faults) -> None:
    await _rage(
        faults, faults.crashes_of_redis, faults.pauses_of_redis, faults.broken_lines_to_redis
    )


async def test_a_node_may_crash_or_hold_its_breath(faults: Faults) -> None:
    await _rage(faults, faults.crashes_of_nodes, faults.pauses_of_nodes)


async def test_all_nodes_may_be_restarted_one_after_the_other_and_none_takes_long_to_leave(
    faults: Faults,
) -> None:
    await _rage(faults, faults.rolling_restarts)
    assert max(faults.left) <= LEAVING_SECONDS


async def test_what_a_node_stored_and_could_not_tell_before_it_died_is_heard_on_the_others(
    faults: Faults, lines: list[httpx.AsyncClient]
) -> None:
    far = faults.cluster.nodes[-1]
    ann = await _come_in(lines[0], "Ann")
    slug = (await ann.open("night train"))["slug"]
    there = Program(lines[-1], ann.token)
    await there.say(slug, "one")
    async with ann.listen(slug, after=0) as stream:
        assert [event.data["text"] for event in await stream.until("message")] == ["one"]
        await stream.ready()
        faults.to_redis.hold()
        try:
            await there.say(slug, "two")
            far.kill()
        finally:
            faults.to_redis.cut()
            faults.to_redis.mend()
        await far.start()
        async with asyncio.timeout(PATIENCE):
            assert (await stream.until("message"))[-1].data["text"] == "two"


async def test_what_only_a_node_that_is_cut_off_can_open_is_kept_until_it_is_back(
    faults: Faults, lines: list[httpx.AsyncClient]
) -> None:
    ann = await _come_in(lines[0], "Mira")
    slug = (await ann.open("day train", message_ttl="2h"))["slug"]
    there = Program(lines[-1], ann.token)
    assert (await there.read(slug))["items"] == []
    faults.to_redis.hold()
    try:
        await _until(lambda: _is_ready(lines[-1]), False)
        await there.say(slug, "kept")
        (slip,) = await ann.say(slug, "a slip")
        ben = await _come_in(lines[-1], "Ben")
        assert (await Program(lines[0], ben.token).call("GET", "/rooms/mine")).status_code == 503
        assert (await ann.read(slug, after=0))["items"] == [], "who reads on has to wait"
        await ann.ask("DELETE", f"/rooms/{slug}/messages/{slip['id']}")
    finally:
        faults.to_redis.release()
    await _until(lambda: _is_ready(lines[-1]), True)
    for program in (ann, there):
        await _until(lambda program=program: _read(program, slug), ["kept"])
    assert (await Program(lines[0], ben.token).call("GET", "/rooms/mine")).status_code == 200


async def _come_in(line: httpx.AsyncClient, nickname: str) -> Program:
    answer = await line.post("/visitors", json={"nickname": nickname})
    return Program(line, answer.raise_for_status().json()["token"])


async def _is_ready(line: httpx.AsyncClient) -> bool:
    answer = await line.get(f"http://{line.base_url.netloc.decode()}/readyz")
    return answer.status_code == 200


async def _read(program: Program, slug: str) -> list[str]:
    return [item["text"] for item in (await program.read(slug))["items"]]


async def _until(look: Callable[[], Awaitable[object]], wanted: object) -> None:
    async with asyncio.timeout(PATIENCE):
        while await look() != wanted:  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.1)

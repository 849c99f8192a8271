"""A site of three nodes loses nothing and doubles nothing, whatever of it breaks under load.

The clock of one node is two minutes ahead all the while.
"""

import os
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.cluster.faults import Faults, open_faults
from tests.history.storm import Blow, Storm

SECONDS = 5
DISTANCE = SECONDS + 15.0
LEAVING_SECONDS = 10

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faults() -> AsyncIterator[Faults]:
    async with open_faults(seconds=SECONDS) as faults:
        yield faults


async def _rage(faults: Faults, *blows: Blow) -> None:
    seed = os.environ.get("SEED") or os.urandom(3).hex()  # make test SEED=… plans the same again
    storm = Storm(faults.cluster, None, seed=seed, blows=blows, distance=DISTANCE)
    report = await storm.rage()
    assert not report.faults, f"{report}\n{_logs(faults)}"
    assert report.counts["acknowledged"]
    print(report)


def _logs(faults: Faults) -> str:
    return "\n".join(f"{node.name}\n{node.log[-3_000:]}" for node in faults.cluster.nodes)


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
    print(faults.left)
    assert max(faults.left) <= LEAVING_SECONDS

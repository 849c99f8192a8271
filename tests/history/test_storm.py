"""A short load run on a real server that is killed, over connections that are disrupted."""

import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.world import open_context_pool
from tests.history.storm import SETTINGS, Storm, kill_repeatedly
from tests.servers.server_process import ServerProcess

KILLS = 5


@pytest.fixture
async def server_process(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server_process = ServerProcess(tmp_path, **SETTINGS)
    await server_process.start()
    yield server_process
    await server_process.stop()


async def test_load_with_kills_loses_nothing_and_duplicates_nothing(
    server_process: ServerProcess,
) -> None:
    seed = os.environ.get("SEED") or os.urandom(3).hex()  # make test SEED=… repeats a run
    async with open_context_pool() as context_pool:
        disruptions = kill_repeatedly(server_process, KILLS)
        report = await Storm(server_process, context_pool, seed=seed, disruptions=disruptions).run()
    assert not report.faults, str(report)
    assert report.counts["kills"] == KILLS
    assert report.counts["acknowledged"]
    server_process.kill()
    with sqlite3.connect(server_process.data / "anonchat.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()

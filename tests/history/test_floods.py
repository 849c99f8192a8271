"""The floods of the soak test reach the server, and their faults are reported."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from benchmarks.attacks.catalogue import WAYS as ALL_WAYS
from tests.history.floods import LIMITED, WAYS, Floods, PurgeWatch, find_flood_faults
from tests.history.storm import Report
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

ROOM = "harbour"


async def test_floods_are_counted_and_those_that_cannot_start_are_listed(tmp_path: Path) -> None:
    server_process = ServerProcess(tmp_path, **LIMITED)
    await server_process.start()
    try:
        async with Floods(server_process.url, message_count=4) as floods:
            await floods.programs[0].open(ROOM)
            ways = ("API: joins and leaves", "event: no such thing")
            for disruption in floods.in_turn(ways, room=ROOM, seconds=1):
                await disruption(Random(1))
    finally:
        server_process.kill()
    assert floods.tally.keys() == {"done", "refused", "unanswered"}
    (skipped,) = floods.skipped
    assert skipped.startswith("event: no such thing")


def test_flood_kinds_exist_in_the_attack_catalogue() -> None:
    assert set(WAYS) <= ALL_WAYS.keys()


async def test_row_that_outlives_its_message_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "anonchat.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE message (expires_at TEXT)")
        end = datetime.now(UTC) - timedelta(seconds=100)
        database.execute("INSERT INTO message VALUES (?)", [f"{end:%Y-%m-%d %H:%M:%S.%f}"])
        database.commit()
    async with PurgeWatch(path) as watch, asyncio.timeout(DEADLINE):
        while not watch.lateness:  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.01)
    assert watch.lateness >= 100
    (fault,) = find_flood_faults(Report("1"), [], watch.lateness, alarms=[])
    assert fault.startswith("late: ")


def test_refused_posts_of_others_are_reported_as_faults() -> None:
    report = Report("1")
    report.refusals.update({"/api/v1/problems/not-a-member": 3, "/api/v1/problems/too-often": 2})
    faults = find_flood_faults(report, ["page: /login: 429"], 0.0, alarms=["ERROR here"])
    assert [fault.partition(":")[0] for fault in faults] == ["turned away", "no flood", "alarm"]
    assert "2 posts" in faults[0]

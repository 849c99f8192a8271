"""A short storm over a real server: it is killed, lines break, and nobody sees anything wrong."""

import os
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.house import House
from tests.browser.world import open_wardrobe
from tests.history.storm import SETTINGS, Storm, kill_again_and_again

KILLS = 5


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path, **SETTINGS)
    await house.start()
    yield house
    await house.stop()


async def test_a_storm_loses_nothing_doubles_nothing_and_leaves_all_with_the_same(
    house: House,
) -> None:
    seed = os.environ.get("SEED") or os.urandom(3).hex()  # make test SEED=… plans the same again
    async with open_wardrobe() as wardrobe:
        blows = kill_again_and_again(house, KILLS)
        report = await Storm(house, wardrobe, seed=seed, blows=blows).rage()
    assert not report.faults, str(report)
    assert report.counts["kills"] == KILLS
    assert report.counts["acknowledged"]
    await house.kill()
    with sqlite3.connect(house.data / "anonchat.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    database.close()

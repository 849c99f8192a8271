"""A site of an earlier release is read by this one, and moves to PostgreSQL, with nothing lost."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from anonchat import Chat, NicknameTaken, StartError
from tests.fakes import FakeClock, execute, make_settings, running_chat
from tests.servers.postgres import Postgres
from tests.upgrades.site import SECRET, describe, settle

ROOT = Path(__file__).parents[2]
RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("*/anonchat.sql"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def left(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> dict[str, Any]:
    """Return what is known of a site that was left in `tmp_path / "data"`."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(request.param / "keys", data)
    with sqlite3.connect(data / "anonchat.db") as database:
        database.executescript((request.param / "anonchat.sql").read_text())
    database.close()
    keepsake: dict[str, Any] = json.loads((request.param / "site.json").read_text())
    clock.now = datetime.fromisoformat(keepsake["now"])
    return keepsake


async def test_a_site_of_an_earlier_release_is_all_there(
    left: dict[str, Any], tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        assert await describe(chat, left) == left["site"]


async def test_what_an_earlier_release_has_left_counts_as_used(
    left: dict[str, Any], tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        for table, column in (
            ("visitor", "has_posted"),
            ("member", "has_posted"),
            ("room", "was_entered"),
        ):
            assert await execute(chat, f"SELECT DISTINCT {column} FROM {table}") == [(1,)]


async def test_a_secret_phrase_of_an_earlier_release_still_brings_its_holder_back(
    left: dict[str, Any], tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        before = await chat.identity.recognise(left["tokens"][0])
        assert before
        with pytest.raises(NicknameTaken):
            await chat.identity.come_in("Ann", phrase="incorrect horse battery")
        for _ in range(2):
            back, _ = await chat.identity.come_in("ann", phrase="correct horse battery")
            assert (back.id, back.nickname) == (before.id, before.nickname)
            assert back.badge not in ("", before.badge), "it belongs to the nickname now"


async def test_and_all_of_it_moves_to_postgresql(
    left: dict[str, Any], tmp_path: Path, clock: FakeClock, postgres: Postgres
) -> None:
    url = postgres.take()
    done = _move(tmp_path / "data", url)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert (counts["room"], counts["visitor"], counts["message"]) == (2, 2, 12)
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET, database_url=url) as chat:
        assert await describe(chat, left) == left["site"]
    postgres.give_all_back()


async def test_a_site_of_today_moves_and_goes_on(
    tmp_path: Path, clock: FakeClock, postgres: Postgres
) -> None:
    data, url = tmp_path / "data", postgres.take()
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        keepsake = await settle(chat, clock)
        before = await describe(chat, keepsake)
        refused = _move(data, url)
        assert refused.returncode == 1
        assert "in use" in refused.stderr, "nobody may write while it moves"
    assert _move(data, url).returncode == 0
    async with running_chat(data, clock, secret_key=SECRET, database_url=url) as chat:
        assert await describe(chat, keepsake) == before
        ann = await chat.identity.recognise(keepsake["tokens"][0])
        assert ann
        said = await chat.messages.post(keepsake["train"], visitor_id=ann.id, text="on we go")
        assert said.seq == 13
        assert await execute(chat, "SELECT count(*) FROM tombstone") == [(1,)]
    postgres.give_all_back()


async def test_who_starts_with_the_old_database_is_told_so_and_no_key_is_harmed(
    tmp_path: Path, clock: FakeClock, postgres: Postgres
) -> None:
    data, url = tmp_path / "data", postgres.take()
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        await settle(chat, clock)
    assert _move(data, url).returncode == 0
    keys = (data / "keys").read_bytes()
    chat = Chat(make_settings(data, secret_key=SECRET), clock=clock)
    with pytest.raises(StartError, match="moved out of this database"):
        await chat.start()
    await chat.stop()
    assert (data / "keys").read_bytes() == keys
    again = _move(data, postgres.take())
    assert again.returncode == 1
    assert "moved out of this database" in again.stderr
    postgres.give_all_back()


async def test_a_database_that_holds_something_is_left_alone(
    tmp_path: Path, clock: FakeClock, postgres: Postgres
) -> None:
    url = postgres.take()
    async with running_chat(tmp_path / "other", clock, database_url=url) as other:
        async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
            keepsake = await settle(chat, clock)
            before = await describe(chat, keepsake)
        refused = _move(tmp_path / "data", url)
        assert refused.returncode == 1
        assert "holds something" in refused.stderr
        assert await execute(other, "SELECT count(*) FROM room") == [(0,)]
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        assert await describe(chat, keepsake) == before
    postgres.give_all_back()


def _move(data: Path, url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "main.py"), "migrate-data", "--json"]
    command += ["--from", f"sqlite+aiosqlite:///{data}/anonchat.db", "--to", url]
    settings = {"ANONCHAT_DATA_DIR": str(data), "ANONCHAT_SECRET_KEY": SECRET}
    return subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60
    )

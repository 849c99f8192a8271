"""Upgrade from earlier releases and migration to PostgreSQL, without loss of data."""

import json
import shutil
import sqlite3
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from anonchat import Chat, NicknameTaken, Post, StartupError
from tests.fakes import FakeClock, execute, make_settings, running_chat
from tests.servers.postgres import PostgresPool
from tests.servers.program import run_program
from tests.upgrades.site import SECRET, describe, populate

ROOT = Path(__file__).parents[2]
RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("*/anonchat.sql"))


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def saved(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> dict[str, Any]:
    """Restore a saved site in `tmp_path / "data"`; return its description."""
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(request.param / "keys", data)
    with sqlite3.connect(data / "anonchat.db") as database:
        database.executescript((request.param / "anonchat.sql").read_text())
    database.close()
    description: dict[str, Any] = json.loads((request.param / "site.json").read_text())
    clock.now = datetime.fromisoformat(description["now"])
    return description


async def test_site_of_an_earlier_release_is_read_completely(
    saved: dict[str, Any], tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        assert await describe(chat, saved) == saved["site"]


async def test_rows_of_an_earlier_release_count_as_used(
    saved: dict[str, Any], tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        for table, column in (
            ("visitor", "has_posted"),
            ("member", "has_posted"),
            ("room", "was_entered"),
        ):
            assert await execute(chat, f"SELECT DISTINCT {column} FROM {table}") == [(1,)]


async def test_secret_phrase_of_an_earlier_release_still_signs_in(
    saved: dict[str, Any], tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        before = await chat.identity.authenticate(saved["tokens"][0])
        assert before
        with pytest.raises(NicknameTaken):
            await chat.identity.sign_in("Ann", phrase="incorrect horse battery")
        for _ in range(2):
            back, _ = await chat.identity.sign_in("ann", phrase="correct horse battery")
            assert (back.id, back.nickname) == (before.id, before.nickname)
            assert back.badge not in ("", before.badge), "badges depend on the nickname"


async def test_site_of_an_earlier_release_migrates_to_postgresql(
    saved: dict[str, Any], tmp_path: Path, clock: FakeClock, postgres: PostgresPool
) -> None:
    url = postgres.take()
    done = _migrate(tmp_path / "data", url)
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    assert (counts["room"], counts["visitor"], counts["message"]) == (2, 2, 12)
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET, database_url=url) as chat:
        assert await describe(chat, saved) == saved["site"]
    postgres.release_all()


async def test_migrated_site_continues(
    tmp_path: Path, clock: FakeClock, postgres: PostgresPool
) -> None:
    data, url = tmp_path / "data", postgres.take()
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        description = await populate(chat, clock)
        ann = await chat.identity.authenticate(description["tokens"][0])
        assert ann
        roll = await chat.messages.post(
            description["train"], visitor_id=ann.id, post=Post(kind="dice", data=[4, 2])
        )
        roll = await chat.messages.react(
            description["train"], visitor_id=ann.id, message_id=roll.id, emoji="👍", on=True
        )
        before = await describe(chat, description)
        failed = _migrate(data, url)
        assert failed.returncode == 1
        assert "in use" in failed.stderr, "a running site was migrated"
    assert _migrate(data, url).returncode == 0
    async with running_chat(data, clock, secret_key=SECRET, database_url=url) as chat:
        assert await describe(chat, description) == before
        ann = await chat.identity.authenticate(description["tokens"][0])
        assert ann
        message = await chat.messages.post(description["train"], visitor_id=ann.id, text="on we go")
        assert message.seq == 14
        history = await chat.messages.history(description["train"], visitor_id=ann.id, limit=2)
        assert history == [roll, message]
        assert await execute(chat, "SELECT count(*) FROM tombstone") == [(1,)]
    postgres.release_all()


async def test_startup_with_a_migrated_database_fails_and_keeps_the_keys(
    tmp_path: Path, clock: FakeClock, postgres: PostgresPool
) -> None:
    data, url = tmp_path / "data", postgres.take()
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        await populate(chat, clock)
    assert _migrate(data, url).returncode == 0
    keys = (data / "keys").read_bytes()
    chat = Chat(make_settings(data, secret_key=SECRET), clock=clock)
    with pytest.raises(StartupError, match="moved out of this database"):
        await chat.start()
    await chat.stop()
    assert (data / "keys").read_bytes() == keys
    again = _migrate(data, postgres.take())
    assert again.returncode == 1
    assert "moved out of this database" in again.stderr
    postgres.release_all()


async def test_migration_into_a_database_with_data_is_refused(
    tmp_path: Path, clock: FakeClock, postgres: PostgresPool
) -> None:
    url = postgres.take()
    async with running_chat(tmp_path / "other", clock, database_url=url) as other:
        async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
            description = await populate(chat, clock)
            before = await describe(chat, description)
        failed = _migrate(tmp_path / "data", url)
        assert failed.returncode == 1
        assert "not empty" in failed.stderr
        assert await execute(other, "SELECT count(*) FROM room") == [(0,)]
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        assert await describe(chat, description) == before
    postgres.release_all()


def _migrate(data: Path, url: str) -> subprocess.CompletedProcess[str]:
    words = ["migrate-data", "--json", "--from", f"sqlite+aiosqlite:///{data}/anonchat.db"]
    settings = {"ANONCHAT_DATA_DIR": str(data), "ANONCHAT_SECRET_KEY": SECRET}
    return run_program(data.parent, *words, "--to", url, environment=settings)

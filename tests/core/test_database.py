"""What a transaction makes of an error, and who may read the file."""

import os
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import OperationalError

from anonchat import Chat, Unavailable
from tests.fakes import FakeClock, gather_in, read, running_chat, say


async def test_a_full_disk_is_a_refusal_and_one_line_that_tells_nothing(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await _execute(chat, "PRAGMA max_page_count=1")  # the file may not grow any more
    caplog.clear()
    with pytest.raises(Unavailable):
        for number in range(1_000):
            await say(chat, room, ann, f"a secret {number} " * 100)
    (record,) = caplog.records
    assert record.getMessage() == "the database refuses: OperationalError, SQLITE_FULL"
    assert record.exc_info is None
    await _execute(chat, "PRAGMA max_page_count=1000000")
    await say(chat, room, ann, "later")
    assert (await read(chat, room, ann))[-1] == "later"


async def test_a_locked_database_is_a_refusal(chat: Chat, tmp_path: Path) -> None:
    await _execute(chat, "PRAGMA busy_timeout=10")
    other = sqlite3.connect(tmp_path / "data" / "anonchat.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await chat.identity.come_in("Ann")
    other.rollback()
    other.close()
    await chat.identity.come_in("Ann")


async def test_a_mistake_in_the_code_is_no_refusal(chat: Chat) -> None:
    with pytest.raises(OperationalError, match="no such column"):
        await _execute(chat, "SELECT nonsense FROM room")


async def test_all_files_are_readable_by_their_owner_alone(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        async with running_chat(tmp_path / "data", clock) as chat:
            await gather_in(chat, "night train", "Ann")
            files = list((tmp_path / "data").iterdir())
            modes = {path.name: oct(path.stat().st_mode & 0o777) for path in files}
    finally:
        os.umask(before)
    assert modes.keys() >= {"anonchat.db", "anonchat.db-wal", "keys", "secret.key"}
    assert set(modes.values()) == {"0o600"}


async def _execute(chat: Chat, statement: str) -> None:
    async with chat._database.transaction() as session:
        await (await session.connection()).execute(sql(statement))

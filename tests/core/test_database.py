"""Error mapping of transactions, and permissions of the database files."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text as sql
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from anonchat import Chat, Unavailable
from tests.fakes import FakeClock, create_room_with_members, post_messages, read, running_chat


async def test_full_disk_raises_unavailable_and_logs_one_line_without_content(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await _execute(chat, "PRAGMA max_page_count=1")  # the file cannot grow
    caplog.clear()
    with pytest.raises(Unavailable):
        for number in range(1_000):
            await post_messages(chat, room, ann, f"a secret {number} " * 100)
    (record,) = caplog.records
    assert record.getMessage() == "database unavailable: OperationalError, SQLITE_FULL"
    assert record.exc_info is None
    await _execute(chat, "PRAGMA max_page_count=1000000")
    await post_messages(chat, room, ann, "later")
    assert (await read(chat, room, ann))[-1] == "later"


async def test_locked_database_raises_unavailable(chat: Chat, tmp_path: Path) -> None:
    await _execute(chat, "PRAGMA busy_timeout=10")
    other = sqlite3.connect(tmp_path / "data" / "anonchat.db")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable):
        await chat.identity.sign_in("Ann")
    other.rollback()
    other.close()
    await chat.identity.sign_in("Ann")


async def test_post_waits_for_a_lock_of_three_seconds(chat: Chat, tmp_path: Path) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    with _locked(tmp_path / "data" / "anonchat.db"):
        posting = asyncio.create_task(post_messages(chat, room, ann, "in spite of it"))
        await asyncio.sleep(3)  # the database stays locked meanwhile
        assert not posting.done()
        assert await read(chat, room, ann) == []
    await posting
    assert await read(chat, room, ann) == ["in spite of it"]


async def test_lock_of_ten_seconds_raises_unavailable_and_retry_posts_once(
    chat: Chat, tmp_path: Path
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")

    async def post() -> None:
        await chat.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id="d")

    started = asyncio.get_running_loop().time()
    failures = 0
    with _locked(tmp_path / "data" / "anonchat.db"):
        while asyncio.get_running_loop().time() < started + 10:
            with pytest.raises(Unavailable, match="try again"):
                await post()
            failures += 1
    assert failures <= 3, "the wait for the lock was too short"
    await post()
    await post()
    await chat.messages.flush()
    assert await read(chat, room, ann) == ["hello"]


async def test_programming_error_is_not_mapped_to_unavailable(chat: Chat) -> None:
    with pytest.raises(OperationalError, match="no such column"):
        await _execute(chat, "SELECT nonsense FROM room")


async def test_data_files_are_readable_by_their_owner_only(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    before = os.umask(0)
    try:
        async with running_chat(tmp_path / "data", clock) as chat:
            await create_room_with_members(chat, "night train", "Ann")
            files = list((tmp_path / "data").iterdir())
            modes = {path.name: oct(path.stat().st_mode & 0o777) for path in files}
    finally:
        os.umask(before)
    assert modes.keys() >= {"anonchat.db", "anonchat.db-wal", "keys", "secret.key"}
    assert set(modes.values()) == {"0o600"}


async def _execute(chat: Chat, statement: str) -> None:
    async with chat._database.transaction() as session:
        await (await session.connection()).execute(sql(statement))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the write lock of the database in another process."""
    program = "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None); "
    program += "database.execute('BEGIN IMMEDIATE'); print('locked', flush=True); input()"
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == b"locked\n"
        try:
            yield
        finally:
            other.kill()


async def test_closing_waits_for_work_in_progress(chat: Chat) -> None:
    database = chat._database
    is_begun, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        async with database.read_session() as session:
            is_begun.set()
            await may_end.wait()
            return (await session.exec(select(42))).one()

    working = asyncio.create_task(work())
    await is_begun.wait()
    closing = asyncio.create_task(database.close())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not closing.done()
    may_end.set()
    assert await working == 42
    await closing
    with pytest.raises(Unavailable):
        async with database.read_session():
            pass

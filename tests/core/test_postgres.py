"""PostgreSQL as the database: migrations, outages, recovery and time."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event
from sqlmodel import col, delete

from anonchat import (
    Chat,
    Member,
    MessagePosted,
    MessagesDeleted,
    Post,
    Room,
    Settings,
    StartupError,
    Unavailable,
    Visitor,
)
from anonchat.limits.limit import Limit
from anonchat.runtime.clock import DatabaseTime
from anonchat.security.key_names import SPAN
from anonchat.storage.database import Database
from models import RoomRow, SQLModel
from tests.fakes import (
    EventRecorder,
    FakeClock,
    create_room_with_members,
    execute,
    make_settings,
    post_messages,
    read,
    running_chat,
)
from tests.servers.postgres import PostgresPool
from tests.servers.program import run_program
from tests.timeouts import DEADLINE

ROOT = Path(__file__).parents[2]
_UNREACHABLE = "postgresql://ann:hush%20hush@127.0.0.1:1/chat?password=hush"

CONNECTION_FAILURE, DISK_FULL = "08006", "53100"


@pytest.fixture
async def chat(postgres: PostgresPool, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    async with running_chat(
        tmp_path / "data",
        clock,
        database_url=postgres.take(),
        new_rooms_per_visitor="100/10m",
        deletions_per_visitor="60/1m",
    ) as chat:
        yield chat
    postgres.release_all()


def test_postgres_url_is_accepted_with_and_without_a_driver() -> None:
    for scheme in ("postgresql", "postgresql+asyncpg"):
        settings = Settings(database_url=f"{scheme}://ann@db.example/chat")
        assert settings.resolved_database_url == "postgresql+asyncpg://ann@db.example/chat"


async def test_unreachable_server_fails_startup_with_one_line_without_the_password(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path, database_url=_UNREACHABLE), clock=clock)
    with pytest.raises(StartupError, match=r"^ANONCHAT_DATABASE_URL: .+$") as caught:
        await chat.start()
    await chat.stop()
    assert "127.0.0.1:1/chat" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_server_that_does_not_answer_fails_startup_with_one_line(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.storage.postgres._CONNECT_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/chat"
        chat = Chat(make_settings(tmp_path, database_url=url), clock=clock)
        with pytest.raises(StartupError, match=r"^ANONCHAT_DATABASE_URL: .+$"):
            await chat.start()
        await chat.stop()


def test_program_exits_with_the_startup_error_and_a_nonzero_status(tmp_path: Path) -> None:
    settings = {"ANONCHAT_DATA_DIR": str(tmp_path), "ANONCHAT_PORT": "0"}
    settings["ANONCHAT_DATABASE_URL"] = _UNREACHABLE
    result = run_program(tmp_path, environment=settings)
    assert result.returncode != 0
    assert result.stdout + result.stderr == result.stderr
    assert result.stderr.startswith("ANONCHAT_DATABASE_URL: ")
    assert result.stderr.count("\n") == 1
    assert "hush" not in result.stderr


async def test_migrations_create_what_the_models_describe(chat: Chat) -> None:
    def compare(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, SQLModel.metadata)

    async with chat._database.core_transaction() as connection:
        assert await connection.run_sync(compare) == []


async def test_concurrent_first_starts_create_the_tables_once(postgres: PostgresPool) -> None:
    url = Settings(database_url=postgres.take(fresh=True)).resolved_database_url
    databases = [Database(url) for _ in range(4)]
    await asyncio.gather(*(database.open() for database in databases))
    for database in databases:
        assert await database.is_available()
        await database.close()
    postgres.release_all()


async def test_server_crash_loses_and_duplicates_no_message(
    chat: Chat, postgres: PostgresPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.storage.message_writer._POST_TIMEOUT_SECONDS", DEADLINE)
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    crashing = asyncio.create_task(_crash_and_restart(postgres))
    posted = []
    try:
        for number in range(10_000):
            posted.append(f"{number}")
            await chat.messages.post(room.id, visitor_id=ann.id, text=posted[-1])
            if crashing.done():
                break
        assert crashing.done(), "the crash must happen during the posts"
    finally:
        await crashing  # the next test needs a running server
    await post_messages(chat, room, ann, "after")
    history = []
    while page := await chat.messages.history(
        room.id, visitor_id=bob.id, after=len(history), limit=200
    ):
        history += page
    assert [message.text for message in history] == [*posted, "after"]
    assert [message.seq for message in history] == list(range(1, len(posted) + 2))


@pytest.mark.parametrize(
    ("is_abandoned", "codes"),
    [
        (False, [CONNECTION_FAILURE]),
        (True, [CONNECTION_FAILURE]),
        (True, [CONNECTION_FAILURE, DISK_FULL]),  # a full disk must not delay new posts
    ],
)
async def test_commit_whose_reply_was_lost_is_detected_and_its_event_published(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, is_abandoned: bool, codes: list[str]
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    dialect = chat._database._engine.sync_engine.dialect
    commit, commits = dialect.do_commit, []

    def commit_and_lose_the_reply(connection: Any) -> None:
        commit(connection)
        commits.append(connection)
        if len(commits) <= len(codes):
            if is_abandoned:
                next(iter(chat.messages._writer._queue)).time_out()
            lost = dialect.dbapi.OperationalError("the line was cut")
            lost.sqlstate = codes[len(commits) - 1]
            raise lost

    recorder = EventRecorder(chat)
    monkeypatch.setattr(dialect, "do_commit", commit_and_lose_the_reply)
    post = chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    posting = asyncio.create_task(post)
    await asyncio.wait([posting])
    assert isinstance(posting.exception(), Unavailable) is is_abandoned
    await chat.messages.flush()
    assert len(commits) > len(codes), "the commit must have been retried"
    assert [each.message.text for each in recorder.of_type(MessagePosted)] == ["hello"]
    assert await read(chat, room, ann) == ["hello"]


async def test_lost_reply_of_a_member_who_left_does_not_block_other_posts(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    monkeypatch.setattr("anonchat.storage.message_writer._RETRY_DELAYS", (0.5,))
    dialect = chat._database._engine.sync_engine.dialect
    commit, is_reply_lost = dialect.do_commit, asyncio.Event()

    def commit_and_lose_the_reply(connection: Any) -> None:
        commit(connection)
        if not is_reply_lost.is_set():
            is_reply_lost.set()
            lost = dialect.dbapi.OperationalError("the line was cut")
            lost.sqlstate = CONNECTION_FAILURE
            raise lost

    recorder = EventRecorder(chat)
    monkeypatch.setattr(dialect, "do_commit", commit_and_lose_the_reply)
    posting = asyncio.create_task(post_messages(chat, room, ann, "farewell"))
    await is_reply_lost.wait()
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    await post_messages(chat, room, ben, "hello")
    await posting
    assert [each.message.text for each in recorder.of_type(MessagePosted)] == ["farewell", "hello"]


async def test_retry_after_a_write_conflict_is_charged_once(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_hits(limit: Limit) -> float:
        drop = limit._rate.span / limit._rate.times
        return sum((full - clock()) / drop for full in limit._full_at.values())

    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    dialect = chat._database._engine.sync_engine.dialect
    commit, conflicts = dialect.do_commit, []

    def conflict_once_per_commit(connection: Any) -> None:
        if conflicts:
            commit(connection)
            conflicts.pop()
        else:
            conflicts.append(connection)
            conflict = dialect.dbapi.OperationalError("another was quicker")
            conflict.sqlstate = "40001"
            raise conflict

    rooms, deletions = chat.limits.rooms, chat.limits.deletions
    before = count_hits(rooms), count_hits(deletions)
    monkeypatch.setattr(dialect, "do_commit", conflict_once_per_commit)
    await chat.rooms.create("hall", visitor_id=ann.id)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    assert count_hits(rooms) == pytest.approx(before[0] + 1)
    assert count_hits(deletions) == pytest.approx(before[1] + 1)


async def _crash_and_restart(postgres: PostgresPool) -> None:
    await postgres.stop(signal.SIGQUIT)
    await postgres.start()


async def test_requests_are_refused_during_an_outage_and_succeed_after_it(
    chat: Chat, postgres: PostgresPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "before")
    await postgres.stop(signal.SIGQUIT)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("anonchat.storage.message_writer._POST_TIMEOUT_SECONDS", 0.2)
            with pytest.raises(Unavailable):
                await chat.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id="d")
        with pytest.raises(Unavailable):
            await chat.messages.history(room.id, visitor_id=ann.id, limit=9, after=0)
        with pytest.raises(Unavailable):
            await chat.identity.sign_in("Bob")
        assert await chat.health.list_unavailable() == ["database"]
        await chat.janitor.run_purge()
    finally:
        await postgres.start()
    assert await chat.health.list_unavailable() == []
    await chat.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id="d")
    await chat.messages.flush()
    assert await read(chat, room, ann) == ["before", "hello"]


async def test_reader_is_forgotten_without_deadlock_while_the_room_is_deleted(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    await chat.messages.post(room.id, visitor_id=ann.id, post=Post("once", once=True))
    async with chat._database.transaction() as session:
        await session.get(RoomRow, room.id, with_for_update=True)
        forgetting = asyncio.create_task(chat.identity.forget(bob.id))
        while await execute(chat, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(0,)]:
            pass
        await session.exec(delete(RoomRow).where(col(RoomRow.id) == room.id))
    await forgetting
    assert not chat._database.errors


async def test_all_waiting_posts_are_refused_at_the_same_time(
    chat: Chat, postgres: PostgresPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, attempts = 9, []
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    event.listen(chat._database._engine.sync_engine, "do_connect", lambda *_: attempts.append(1))
    await postgres.stop(signal.SIGQUIT)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("anonchat.storage.message_writer._POST_TIMEOUT_SECONDS", 0.2)
            posts = [
                chat.messages.post(room.id, visitor_id=ann.id, text=f"{number}")
                for number in range(200 * batches)
            ]
            outcomes = await asyncio.gather(*posts, return_exceptions=True)
    finally:
        await postgres.start()
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert len(attempts) < batches, "a batch must not wait for the failure of the batches before it"
    await post_messages(chat, room, ann, "after")
    assert await read(chat, room, ann) == ["after"]


async def test_shutdown_does_not_wait_for_an_unreachable_server(
    chat: Chat, postgres: PostgresPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    monkeypatch.setattr("anonchat.storage.message_writer._POST_TIMEOUT_SECONDS", 10_000)
    monkeypatch.setattr("anonchat.storage.message_writer._SHUTDOWN_SECONDS", 0.2)
    await postgres.stop(signal.SIGQUIT)
    try:
        post = chat.messages.post(room.id, visitor_id=ann.id, text="hello")
        posting = asyncio.create_task(post)
        await asyncio.sleep(0)
        async with asyncio.timeout(DEADLINE):
            await chat.messages.flush()
            with pytest.raises(Unavailable):
                await posting
    finally:
        await postgres.start()


async def test_start_and_end_of_an_outage_are_logged(
    chat: Chat,
    postgres: PostgresPool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("anonchat.storage.outage_log._RECOVERY_SECONDS", 0)
    await postgres.stop(signal.SIGQUIT)
    try:
        for _ in range(5):
            await chat.janitor.run_purge()
    finally:
        await postgres.start()
    refused = [each for each in caplog.messages if each.startswith("database unavailable: ")]
    assert len(refused) == len(set(refused))
    assert "purge failed, the next run retries" not in caplog.messages
    caplog.clear()
    await chat.janitor.run_purge()
    (line,) = caplog.messages
    assert line.startswith("database available again after ")


async def test_forget_during_an_outage_is_completed_after_it(
    chat: Chat, postgres: PostgresPool
) -> None:
    room, (ann, ben) = await create_room_with_members(chat, "night train", "Ann", "Ben")
    await post_messages(chat, room, ann, "remember me")
    recorder = EventRecorder(chat)
    await postgres.stop(signal.SIGQUIT)
    try:
        with pytest.raises(Unavailable):
            await chat.identity.forget(ann.id)
    finally:
        await postgres.start()
    assert await read(chat, room, ben) == []
    await chat.janitor.run_purge()
    assert [event.seqs for event in recorder.of_type(MessagesDeleted)] == [(1,)]
    assert [member.nickname for member in await _members(chat, room, ben)] == ["Ben"]
    assert await chat.identity.is_nickname_available("Ann")


async def _members(chat: Chat, room: Room, reader: Visitor) -> list[Member]:
    return list(await chat.memberships.list_members(room.id, visitor_id=reader.id))


async def test_message_keys_expire_on_time_during_an_outage(
    chat: Chat, postgres: PostgresPool, clock: FakeClock
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    await post_messages(chat, room, ann, "hello")
    assert list(chat._keys.spans())
    await postgres.stop(signal.SIGQUIT)
    try:
        clock.advance(room.message_ttl + SPAN)
        await chat.janitor.run_purge()
        assert not list(chat._keys.spans())
    finally:
        await postgres.start()
    await chat.janitor.run_purge()
    assert chat.purge_stats.stats
    assert chat.purge_stats.stats.messages == 1


async def test_idle_connections_closed_by_the_server_are_replaced(
    chat: Chat, postgres: PostgresPool
) -> None:
    room, _ = await create_room_with_members(chat, "night train", "Ann")
    await asyncio.gather(*(chat.rooms.find(room.slug) for _ in range(8)))
    url = chat.settings.database_url
    postgres.execute(
        url,
        f"SELECT pg_terminate_backend(pid, {DEADLINE * 1_000}) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    await asyncio.sleep(0.1)  # until the event loop has read the ends of the connections
    await asyncio.gather(*(chat.rooms.find(room.slug) for _ in range(8)))
    await chat.identity.sign_in("Bob")


@pytest.mark.parametrize("wrong", [0.0, 4_000_000_000.0])
async def test_time_comes_from_the_server_if_the_local_clock_is_wrong(
    postgres: PostgresPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    right = time.time()
    monkeypatch.setitem(DatabaseTime.__init__.__kwdefaults__, "wall", lambda: wrong)
    chat = Chat(make_settings(tmp_path, database_url=postgres.take()))
    await chat.start()
    assert abs(chat.clock().timestamp() - right) < 60
    await chat.janitor.run_purge()
    assert abs(chat.clock().timestamp() - right) < 120
    await chat.stop()
    postgres.release_all()

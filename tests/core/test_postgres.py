"""PostgreSQL as a place to keep everything: when it is away, when it comes back, and its time."""

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, event

from anonchat import (
    Chat,
    Member,
    MessagePosted,
    MessagesGone,
    Room,
    Settings,
    StartError,
    Unavailable,
    Visitor,
)
from anonchat.clock import CommonTime
from anonchat.database import Database
from anonchat.keystore import SPAN
from anonchat.limits import Limit
from models import SQLModel
from tests.fakes import Ear, FakeClock, gather_in, make_settings, read, running_chat, say
from tests.servers.postgres import Postgres

ROOT = Path(__file__).parents[2]
_NOBODY = "postgresql://ann:hush%20hush@127.0.0.1:1/chat?password=hush"

LINE_CUT, DISK_FULL = "08006", "53100"


@pytest.fixture
async def chat(postgres: Postgres, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Chat]:
    async with running_chat(
        tmp_path / "data",
        clock,
        database_url=postgres.take(),
        new_rooms_per_visitor="100/10m",
        deletions_per_visitor="60/1m",
    ) as chat:
        yield chat
    postgres.give_all_back()


def test_an_address_is_taken_as_it_is_written_everywhere() -> None:
    for scheme in ("postgresql", "postgresql+asyncpg"):
        settings = Settings(database_url=f"{scheme}://ann@db.example/chat")
        assert settings.database_location == "postgresql+asyncpg://ann@db.example/chat"


async def test_a_server_that_is_not_there_stops_the_start_with_one_line_without_the_password(
    tmp_path: Path, clock: FakeClock
) -> None:
    chat = Chat(make_settings(tmp_path, database_url=_NOBODY), clock=clock)
    with pytest.raises(StartError, match=r"^ANONCHAT_DATABASE_URL: .+$") as caught:
        await chat.start()
    await chat.stop()
    assert "127.0.0.1:1/chat" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_server_that_says_nothing_stops_the_start_with_one_line(
    tmp_path: Path, clock: FakeClock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://127.0.0.1:{silent.getsockname()[1]}/chat"
        chat = Chat(make_settings(tmp_path, database_url=url), clock=clock)
        with pytest.raises(StartError, match=r"^ANONCHAT_DATABASE_URL: .+$"):
            await chat.start()
        await chat.stop()


def test_the_program_ends_with_that_line_and_a_status(tmp_path: Path) -> None:
    settings = {"ANONCHAT_DATA_DIR": str(tmp_path), "ANONCHAT_PORT": "0"}
    settings["ANONCHAT_DATABASE_URL"] = _NOBODY
    command = [sys.executable, str(ROOT / "main.py")]
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert done.stdout + done.stderr == done.stderr
    assert done.stderr.startswith("ANONCHAT_DATABASE_URL: ")
    assert done.stderr.count("\n") == 1
    assert "hush" not in done.stderr


async def test_the_migrations_make_what_the_models_describe(chat: Chat) -> None:
    def compare(connection: Connection) -> object:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, SQLModel.metadata)

    async with chat._database.bare_transaction() as connection:
        assert await connection.run_sync(compare) == []


async def test_nodes_that_start_first_at_once_make_the_tables_once(postgres: Postgres) -> None:
    url = Settings(database_url=postgres.take(fresh=True)).database_location
    databases = [Database(url) for _ in range(4)]
    await asyncio.gather(*(database.open() for database in databases))
    for database in databases:
        assert await database.is_answering()
        await database.close()
    postgres.give_all_back()


async def test_a_crash_of_the_server_loses_nothing_and_doubles_nothing(
    chat: Chat, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anonchat.posting._PATIENCE_SECONDS", 240)
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    crashing = asyncio.create_task(asyncio.to_thread(postgres.restart, "immediate"))
    said = []
    try:
        for number in range(10_000):
            said.append(f"{number}")
            await chat.messages.post(room.id, visitor_id=ann.id, text=said[-1])
            if crashing.done():
                break
        assert crashing.done(), "it has to crash while somebody speaks"
    finally:
        await crashing  # whoever uses the server next must not meet its restart
    await say(chat, room, ann, "after")
    history = []
    while page := await chat.messages.history(
        room.id, visitor_id=bob.id, after=len(history), limit=200
    ):
        history += page
    assert [message.text for message in history] == [*said, "after"]
    assert [message.seq for message in history] == list(range(1, len(said) + 2))


@pytest.mark.parametrize(
    ("is_given_up", "codes"),
    [
        (False, [LINE_CUT]),
        (True, [LINE_CUT]),
        (True, [LINE_CUT, DISK_FULL]),  # which is no reason to wait with what is new
    ],
)
async def test_an_answer_that_was_lost_is_found_again_and_everybody_hears_of_it(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, is_given_up: bool, codes: list[str]
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    dialect = chat._database._engine.sync_engine.dialect
    commit, commits = dialect.do_commit, []

    def commit_and_lose_the_answer(connection: Any) -> None:
        commit(connection)
        commits.append(connection)
        if len(commits) <= len(codes):
            if is_given_up:
                next(iter(chat.messages._desk._waiting)).give_up()
            lost = dialect.dbapi.OperationalError("the line was cut")
            lost.sqlstate = codes[len(commits) - 1]
            raise lost

    ear = Ear(chat)
    monkeypatch.setattr(dialect, "do_commit", commit_and_lose_the_answer)
    post = chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    posting = asyncio.create_task(post)
    await asyncio.wait([posting])
    assert isinstance(posting.exception(), Unavailable) is is_given_up
    await chat.messages.finish()
    assert len(commits) > len(codes), "it has to be tried again for this to mean anything"
    assert [each.message.text for each in ear.all(MessagePosted)] == ["hello"]
    assert await read(chat, room, ann) == ["hello"]


async def test_who_left_before_their_lost_answer_was_found_holds_nobody_up(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    monkeypatch.setattr("anonchat.posting._PAUSES", (0.5,))
    dialect = chat._database._engine.sync_engine.dialect
    commit, is_lost = dialect.do_commit, asyncio.Event()

    def commit_and_lose_the_answer(connection: Any) -> None:
        commit(connection)
        if not is_lost.is_set():
            is_lost.set()
            lost = dialect.dbapi.OperationalError("the line was cut")
            lost.sqlstate = LINE_CUT
            raise lost

    ear = Ear(chat)
    monkeypatch.setattr(dialect, "do_commit", commit_and_lose_the_answer)
    posting = asyncio.create_task(say(chat, room, ann, "farewell"))
    await is_lost.wait()
    await chat.memberships.leave(room.id, visitor_id=ann.id)
    await say(chat, room, ben, "hello")
    await posting
    assert [each.message.text for each in ear.all(MessagePosted)] == ["farewell", "hello"]


async def test_who_was_too_slow_by_a_moment_and_begins_anew_has_spent_once(
    chat: Chat, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count_spent(limit: Limit) -> float:
        drop = limit._rate.span / limit._rate.times
        return sum((full - clock()) / drop for full in limit._full.values())

    room, (ann,) = await gather_in(chat, "night train", "Ann")
    message = await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    dialect = chat._database._engine.sync_engine.dialect
    commit, clashes = dialect.do_commit, []

    def be_too_slow(connection: Any) -> None:
        if clashes:
            commit(connection)
            clashes.pop()
        else:
            clashes.append(connection)
            slow = dialect.dbapi.OperationalError("another was quicker")
            slow.sqlstate = "40001"
            raise slow

    rooms, deletions = chat.limits.rooms, chat.limits.deletions
    before = count_spent(rooms), count_spent(deletions)
    monkeypatch.setattr(dialect, "do_commit", be_too_slow)
    await chat.rooms.create("hall", visitor_id=ann.id)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    assert count_spent(rooms) == pytest.approx(before[0] + 1)
    assert count_spent(deletions) == pytest.approx(before[1] + 1)


async def test_while_the_server_is_away_everything_is_refused_and_then_goes_on(
    chat: Chat, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "before")
    postgres.stop("immediate")
    try:
        with monkeypatch.context() as impatient:
            impatient.setattr("anonchat.posting._PATIENCE_SECONDS", 0.2)
            with pytest.raises(Unavailable):
                await chat.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id="d")
        with pytest.raises(Unavailable):
            await chat.messages.history(room.id, visitor_id=ann.id, limit=9, after=0)
        with pytest.raises(Unavailable):
            await chat.identity.come_in("Bob")
        assert await chat.list_silent() == ["database"]
        await chat.janitor.clean()
    finally:
        postgres.go_on()
    assert await chat.list_silent() == []
    await chat.messages.post(room.id, visitor_id=ann.id, text="hello", dedup_id="d")
    await chat.messages.finish()
    assert await read(chat, room, ann) == ["before", "hello"]


async def test_everybody_is_refused_at_the_same_time_however_many_wait(
    chat: Chat, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches, tried = 9, []
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    event.listen(chat._database._engine.sync_engine, "do_connect", lambda *_: tried.append(1))
    postgres.stop("immediate")
    try:
        with monkeypatch.context() as impatient:
            impatient.setattr("anonchat.posting._PATIENCE_SECONDS", 0.2)
            posts = [
                chat.messages.post(room.id, visitor_id=ann.id, text=f"{number}")
                for number in range(200 * batches)
            ]
            outcomes = await asyncio.gather(*posts, return_exceptions=True)
    finally:
        postgres.go_on()
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert len(tried) < batches, "a batch must not wait for the end of those before it"
    await say(chat, room, ann, "after")
    assert await read(chat, room, ann) == ["after"]


async def test_a_node_that_leaves_waits_for_no_server_that_is_away(
    chat: Chat, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    monkeypatch.setattr("anonchat.posting._PATIENCE_SECONDS", 10_000)
    monkeypatch.setattr("anonchat.posting._FAREWELL_SECONDS", 0.2)
    postgres.stop("immediate")
    try:
        post = chat.messages.post(room.id, visitor_id=ann.id, text="hello")
        posting = asyncio.create_task(post)
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await chat.messages.finish()
            with pytest.raises(Unavailable):
                await posting
    finally:
        postgres.go_on()


async def test_the_log_tells_that_the_server_is_away_as_it_begins_and_as_it_ends(
    chat: Chat,
    postgres: Postgres,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("anonchat.database._QUIET_SECONDS", 0)
    postgres.stop("immediate")
    try:
        for _ in range(5):
            await chat.janitor.clean()
    finally:
        postgres.go_on()
    refused = [each for each in caplog.messages if each.startswith("the database refuses: ")]
    assert len(refused) == len(set(refused))
    assert "a purge failed" not in caplog.messages
    caplog.clear()
    await chat.janitor.clean()
    (line,) = caplog.messages
    assert line.startswith("the database refuses no more: ")


async def test_who_is_forgotten_while_the_server_is_away_is_gone_from_everywhere_once_it_is_back(
    chat: Chat, postgres: Postgres
) -> None:
    room, (ann, ben) = await gather_in(chat, "night train", "Ann", "Ben")
    await say(chat, room, ann, "remember me")
    ear = Ear(chat)
    postgres.stop("immediate")
    try:
        with pytest.raises(Unavailable):
            await chat.identity.forget(ann.id)
    finally:
        postgres.go_on()
    assert await read(chat, room, ben) == []
    await chat.janitor.clean()
    assert [event.seqs for event in ear.all(MessagesGone)] == [(1,)]
    assert [member.nickname for member in await _members(chat, room, ben)] == ["Ben"]
    assert await chat.identity.is_free("Ann")


async def _members(chat: Chat, room: Room, reader: Visitor) -> list[Member]:
    return list(await chat.memberships.list_members(room.id, visitor_id=reader.id))


async def test_messages_are_forgotten_on_time_while_the_server_is_away(
    chat: Chat, postgres: Postgres, clock: FakeClock
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    await say(chat, room, ann, "hello")
    assert list(chat._keys.spans())
    postgres.stop("immediate")
    try:
        clock.move(room.message_ttl + SPAN)
        await chat.janitor.clean()
        assert not list(chat._keys.spans())
    finally:
        postgres.go_on()
    await chat.janitor.clean()
    assert chat.ledger.tally
    assert chat.ledger.tally.messages == 1


async def test_connections_that_were_ended_while_nobody_used_them_disturb_nobody(
    chat: Chat, postgres: Postgres
) -> None:
    room, _ = await gather_in(chat, "night train", "Ann")
    await asyncio.gather(*(chat.rooms.find(room.slug) for _ in range(8)))
    url = chat.settings.database_url
    postgres.execute(
        url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    await asyncio.sleep(0.1)  # the system has to bring us the word
    await asyncio.gather(*(chat.rooms.find(room.slug) for _ in range(8)))
    await chat.identity.come_in("Bob")


@pytest.mark.parametrize("wrong", [0.0, 4_000_000_000.0])
async def test_time_is_that_of_the_server_however_wrong_the_clock_of_the_machine_is(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: float
) -> None:
    right = time.time()
    monkeypatch.setitem(CommonTime.__init__.__kwdefaults__, "wall", lambda: wrong)
    chat = Chat(make_settings(tmp_path, database_url=postgres.take()))
    await chat.start()
    assert abs(chat.clock().timestamp() - right) < 60
    await chat.janitor.clean()
    assert abs(chat.clock().timestamp() - right) < 120
    await chat.stop()
    postgres.give_all_back()

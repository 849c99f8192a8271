"""The cost of frequent SQL statements does not grow with the number of messages."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from anonchat import Chat
from anonchat.security.key_names import SPAN
from tests.fakes import FakeClock, create_room_with_members

_MESSAGES = 1_000
_STEPS_MAX = 2_000  # of SQLite's virtual machine; a scan takes several steps per message


@pytest.fixture
def statements(chat: Chat) -> Iterator[set[str]]:
    """Return every executed statement, with the values of its parameters in it."""
    executed: set[str] = set()

    def trace(connection: Any, *_: object) -> None:
        connection.run_async(lambda driver: driver.set_trace_callback(executed.add))

    pool = chat._database._engine.sync_engine.pool
    event.listen(pool, "checkout", trace)
    yield executed
    event.remove(pool, "checkout", trace)


async def test_message_statements_cost_does_not_grow_with_room_history(
    chat: Chat, clock: FakeClock, tmp_path: Path, statements: set[str]
) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "night train", "Ann", "Bob")
    post = chat.messages.post
    await asyncio.gather(*(post(room.id, visitor_id=ann.id, text="one") for _ in range(_MESSAGES)))
    clock.advance(SPAN)  # a deletion affects all messages of the same span
    statements.clear()
    both = (
        post(room.id, visitor_id=visitor.id, text="two", dedup_id="2") for visitor in (ann, bob)
    )
    message, another = await asyncio.gather(*both)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=2, after=1)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=2, before=900)
    await chat.messages.list_seqs(room.id, visitor_id=ann.id, first=1, last=900, limit=9)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=message.id)
    await chat.messages.delete_by_seq(room.id, visitor_id=bob.id, seq=another.seq)
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=3)
    await chat.memberships.write_read_marks()
    assert _find_expensive(tmp_path, statements) == []


async def test_join_and_leave_statements_cost_does_not_grow_with_room_history(
    chat: Chat, tmp_path: Path, statements: set[str]
) -> None:
    room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
    post = chat.messages.post
    await asyncio.gather(*(post(room.id, visitor_id=ann.id, text="one") for _ in range(_MESSAGES)))
    statements.clear()
    bob, token = await chat.identity.sign_in("Bob")
    await chat.identity.authenticate(token)
    await chat.identity.is_nickname_available("Cleo")
    await chat.rooms.find(room.slug)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    await chat.memberships.list_members(room.id, visitor_id=bob.id)
    await chat.memberships.list_of_visitor(bob.id)
    await chat.memberships.list_unread(bob.id)
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await chat.expiry.purge()
    await chat.identity.forget(bob.id)
    assert _find_expensive(tmp_path, statements) == []


def _find_expensive(folder: Path, statements: set[str]) -> list[tuple[int, str]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    file = sqlite3.connect(folder / "data" / "anonchat.db")
    file.backup(connection)
    file.close()
    expensive = []
    for sql in statements:
        if sql.startswith(("SELECT", "UPDATE", "DELETE")):
            steps = _count_steps(connection, sql)
            if steps > _STEPS_MAX:
                expensive.append((steps, sql))
    connection.close()
    return expensive


def _count_steps(connection: sqlite3.Connection, sql: str) -> int:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    connection.execute("BEGIN")
    connection.set_progress_handler(count, 1)
    connection.execute(sql).fetchall()
    connection.set_progress_handler(None, 1)
    connection.execute("ROLLBACK")
    return steps

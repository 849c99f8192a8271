"""What a statement of everyday life costs does not grow with how much has been said."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from anonchat import Chat
from anonchat.keystore import SPAN
from tests.fakes import FakeClock, gather_in

Statements = dict[str, Any]

_SAID = 1_000
_STEPS_MOST = 2_000  # of SQLite's machine; to look at every message takes several for each


@pytest.fixture
def statements(chat: Chat) -> Iterator[Statements]:
    """Give every statement that is executed, with parameters for it."""
    executed: Statements = {}

    def note(_connection: object, _cursor: object, sql: str, given: Any, *_: object) -> None:
        executed[sql] = given[0] if isinstance(given, list) else given

    engine = chat._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield executed
    event.remove(engine, "before_cursor_execute", note)


async def test_talking_in_a_long_room_costs_what_it_costs_in_a_short_one(
    chat: Chat, clock: FakeClock, tmp_path: Path, statements: Statements
) -> None:
    room, (ann, bob) = await gather_in(chat, "night train", "Ann", "Bob")
    post = chat.messages.post
    await asyncio.gather(*(post(room.id, visitor_id=ann.id, text="one") for _ in range(_SAID)))
    clock.move(SPAN)  # to delete one concerns those that end together with it
    statements.clear()
    both = (
        post(room.id, visitor_id=visitor.id, text="two", dedup_id="2") for visitor in (ann, bob)
    )
    said, _ = await asyncio.gather(*both)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=2, after=1)
    await chat.messages.history(room.id, visitor_id=ann.id, limit=2, before=900)
    await chat.messages.living_seqs(room.id, visitor_id=ann.id, first=1, last=900, limit=9)
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=said.id)
    await chat.memberships.mark_read(room.id, visitor_id=bob.id, seq=3)
    await chat.memberships.write_read_marks()
    assert _find_dear(tmp_path, statements) == []


async def test_coming_and_going_costs_the_same_however_much_was_said(
    chat: Chat, tmp_path: Path, statements: Statements
) -> None:
    room, (ann,) = await gather_in(chat, "night train", "Ann")
    post = chat.messages.post
    await asyncio.gather(*(post(room.id, visitor_id=ann.id, text="one") for _ in range(_SAID)))
    statements.clear()
    bob, token = await chat.identity.come_in("Bob")
    await chat.identity.recognise(token)
    await chat.identity.is_free("Cleo")
    await chat.rooms.find(room.slug)
    await chat.memberships.join(room.id, visitor_id=bob.id)
    await chat.memberships.list_members(room.id, visitor_id=bob.id)
    await chat.memberships.list_mine(bob.id)
    await chat.memberships.read_marks(bob.id)
    await chat.memberships.leave(room.id, visitor_id=bob.id)
    await chat.expiry.purge()
    await chat.identity.forget(bob.id)
    assert _find_dear(tmp_path, statements) == []


def _find_dear(folder: Path, statements: Statements) -> list[tuple[int, str]]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    file = sqlite3.connect(folder / "data" / "anonchat.db")
    file.backup(connection)
    file.close()
    found = []
    for sql, given in statements.items():
        if sql.startswith(("SELECT", "UPDATE", "DELETE")):
            steps = _count_steps(connection, sql, given)
            if steps > _STEPS_MOST:
                found.append((steps, sql))
    connection.close()
    return found


def _count_steps(connection: sqlite3.Connection, sql: str, given: Any) -> int:
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    connection.execute("BEGIN")
    connection.set_progress_handler(count, 1)
    connection.execute(sql, given).fetchall()
    connection.set_progress_handler(None, 1)
    connection.execute("ROLLBACK")
    return steps

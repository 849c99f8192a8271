"""The statements that store posts: what they return, and how many journeys they take."""

from collections.abc import Callable
from functools import partial
from typing import Any

import aiosqlite
import pytest

from anonchat import Chat
from anonchat.security.key_names import span_at
from anonchat.storage.batch_statements import AUTHORS, EXISTING, GENERATIONS, ROOMS
from anonchat.storage.statements import Statement, Statements
from tests.fakes import create_room_with_members


def _read(query: Statement, parameters: dict[str, Any], statements: Statements) -> list[Any]:
    return [*statements.read(query, parameters)]


async def test_rows_read_together_are_those_of_sqlalchemy(chat: Chat) -> None:
    room, (ann, bob) = await create_room_with_members(chat, "kitchen", "Ann", "Bob")
    post = chat.messages.post
    kept, deleted = [
        await post(room.id, visitor_id=ann.id, text=text, dedup_id=text) for text in ("one", "two")
    ]
    await chat.messages.delete(room.id, visitor_id=ann.id, message_id=deleted.id)
    keys = [
        chat.messages._hasher.hash("dedup", room.id, ann.id, message.dedup_id)
        for message in (kept, deleted)
    ]
    parameters = {
        "rooms": [room.id, "none"],
        "visitors": [ann.id, bob.id],
        "keys": keys,
        "numbers": [span_at(kept.expires_at)],
    }
    counts = []
    async with chat._database.core_transaction() as connection:
        for query in (ROOMS, AUTHORS, EXISTING, GENERATIONS):
            expected = (await connection.execute(query, parameters)).all()
            found = await chat._database.read_together(
                connection, partial(_read, query, parameters)
            )
            assert [row._asdict() for row in found] == [row._asdict() for row in expected]
            counts.append(len(found))
    assert counts == [1, 2, 2, 1]


@pytest.mark.single("PostgreSQL has no threads of its own here")
async def test_post_takes_two_journeys_to_the_thread_of_sqlite(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, (ann,) = await create_room_with_members(chat, "kitchen", "Ann")
    await chat.messages.post(room.id, visitor_id=ann.id, text="warm")
    journeys = []
    execute: Callable[..., Any] = aiosqlite.Connection._execute

    async def count(self: aiosqlite.Connection, function: object, *arguments: object) -> Any:
        journeys.append(function)
        return await execute(self, function, *arguments)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", count)
    await chat.messages.post(room.id, visitor_id=ann.id, text="hello")
    assert len(journeys) == 2

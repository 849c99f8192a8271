"""Tokens that nobody has are told without the database, and at nobody's cost."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from anonchat import Chat, TooOften
from anonchat.ids import new_token
from anonchat.seal import Hasher, fingerprint
from anonchat.tokens import TokenSigner
from models import TokenRow
from tests.fakes import FakeClock, come_in, running_chat

pytestmark = pytest.mark.usefixtures("either_place")

HERE = "192.0.2.1"


@pytest.fixture
def statements(chat: Chat) -> Iterator[list[str]]:
    """Give every statement that is executed."""
    executed: list[str] = []

    def note(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        executed.append(sql)

    engine = chat._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield executed
    event.remove(engine, "before_cursor_execute", note)


async def test_invented_tokens_are_not_looked_up(chat: Chat, statements: list[str]) -> None:
    _, token = await chat.identity.come_in("Ann")
    foreign = TokenSigner(Hasher(lambda: b"the key of another site")).make_token()
    statements.clear()
    for invented in (foreign, "x" * len(token), token[:-1] + "!", "", "\ud800", "ü" * 65):
        assert await chat.identity.recognise(invented, address=HERE) is None
    assert not statements


async def test_token_that_is_no_longer_valid_is_looked_up_once(
    chat: Chat, statements: list[str]
) -> None:
    visitor, token = await chat.identity.come_in("Ann")
    await chat.identity.forget(visitor.id)
    assert await chat.identity.recognise(token) is None
    statements.clear()
    for _ in range(3):
        assert await chat.identity.recognise(token) is None
    assert not statements


async def test_tokens_of_an_earlier_version_are_recognised(chat: Chat) -> None:
    visitor = await come_in(chat, "Ann")
    token = await _give_unsigned_token(chat, visitor.id)
    recognised = await chat.identity.recognise(token, address=HERE)
    assert recognised and recognised.id == visitor.id


async def test_lookups_of_unsigned_tokens_are_bounded_for_a_network(chat: Chat) -> None:
    visitor = await come_in(chat, "Ann")
    unsigned = await _give_unsigned_token(chat, visitor.id)
    assert await chat.identity.recognise(unsigned, address=HERE)
    with pytest.raises(TooOften):
        for _ in range(1_000):
            await chat.identity.recognise(new_token(), address=HERE)
    assert await chat.identity.recognise(unsigned, address=HERE), "it is known for a while"
    assert await chat.identity.recognise(new_token(), address="192.0.2.2") is None


async def test_known_token_is_recognised_however_many_unknown_ones_come_from_its_network(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        visitor, token = await chat.identity.come_in("Ann", address=HERE)
    async with running_chat(tmp_path, clock) as chat:  # which has not met the token yet
        with pytest.raises(TooOften):
            for _ in range(1_000):
                await chat.identity.recognise(new_token(), address=HERE)
        recognised = await chat.identity.recognise(token, address=HERE)
        assert recognised and recognised.id == visitor.id


async def _give_unsigned_token(chat: Chat, visitor_id: str) -> str:
    token = new_token()
    row = TokenRow(hash=fingerprint(token), visitor_id=visitor_id, created_at=chat.clock())
    async with chat._database.transaction() as session:
        session.add(row)
    return token

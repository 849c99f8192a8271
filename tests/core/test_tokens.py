"""Invalid tokens are rejected without the database, and lookups are limited per network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from anonchat import Chat, RateLimited
from anonchat.crypto import Hasher, fingerprint
from anonchat.ids import new_token
from anonchat.security.tokens import TokenSigner
from models import TokenRow
from tests.fakes import FakeClock, running_chat, sign_in

pytestmark = pytest.mark.usefixtures("either_place")

HERE = "192.0.2.1"


@pytest.fixture
def statements(chat: Chat) -> Iterator[list[str]]:
    """Yield the list of SQL statements executed so far."""
    executed: list[str] = []

    def record(_connection: object, _cursor: object, sql: str, *_: object) -> None:
        executed.append(sql)

    engine = chat._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    yield executed
    event.remove(engine, "before_cursor_execute", record)


async def test_forged_tokens_are_not_looked_up(chat: Chat, statements: list[str]) -> None:
    _, token = await chat.identity.sign_in("Ann")
    foreign = TokenSigner(Hasher(lambda: b"the key of another site")).make_token()
    statements.clear()
    for forged in (foreign, "x" * len(token), token[:-1] + "!", "", "\ud800", "ü" * 65):
        assert await chat.identity.authenticate(forged, address=HERE) is None
    assert not statements


async def test_revoked_token_is_looked_up_once(chat: Chat, statements: list[str]) -> None:
    visitor, token = await chat.identity.sign_in("Ann")
    await chat.identity.forget(visitor.id)
    assert await chat.identity.authenticate(token) is None
    statements.clear()
    for _ in range(3):
        assert await chat.identity.authenticate(token) is None
    assert not statements


async def test_tokens_of_an_earlier_version_are_accepted(chat: Chat) -> None:
    visitor = await sign_in(chat, "Ann")
    token = await _store_unsigned_token(chat, visitor.id)
    found = await chat.identity.authenticate(token, address=HERE)
    assert found and found.id == visitor.id


async def test_lookups_of_unsigned_tokens_are_limited_per_network(chat: Chat) -> None:
    visitor = await sign_in(chat, "Ann")
    unsigned = await _store_unsigned_token(chat, visitor.id)
    assert await chat.identity.authenticate(unsigned, address=HERE)
    with pytest.raises(RateLimited):
        for _ in range(1_000):
            await chat.identity.authenticate(new_token(), address=HERE)
    assert await chat.identity.authenticate(unsigned, address=HERE), "it must be cached"
    assert await chat.identity.authenticate(new_token(), address="192.0.2.2") is None


async def test_valid_token_is_accepted_despite_many_unknown_ones_of_its_network(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        visitor, token = await chat.identity.sign_in("Ann", address=HERE)
    async with running_chat(tmp_path, clock) as chat:  # the token is not cached
        with pytest.raises(RateLimited):
            for _ in range(1_000):
                await chat.identity.authenticate(new_token(), address=HERE)
        found = await chat.identity.authenticate(token, address=HERE)
        assert found and found.id == visitor.id


async def _store_unsigned_token(chat: Chat, visitor_id: str) -> str:
    token = new_token()
    row = TokenRow(hash=fingerprint(token), visitor_id=visitor_id, created_at=chat.clock())
    async with chat._database.transaction() as session:
        session.add(row)
    return token

"""Nothing that a person has written stands in any file of PostgreSQL, of whatever age."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from anonchat import Chat
from tests.fakes import FakeClock, running_chat
from tests.forgetting.canaries import SHAPES, find
from tests.forgetting.town import settle
from tests.forgetting.unsealed import seal_nothing
from tests.servers.postgres import Postgres


@pytest.fixture
def server() -> Iterator[Postgres]:
    """Return a server on which nobody else has been."""
    server = Postgres()
    server.start()
    yield server
    server.remove()


async def test_nothing_is_readable_in_tables_journal_and_log(
    server: Postgres, tmp_path: Path, clock: FakeClock
) -> None:
    url = server.take()

    def look(when: str) -> None:
        files = _gather(server, url, tmp_path / when)
        assert find([town.long.id, town.ann.id], files), "a scan that is blind"
        assert find(town.canaries, files) == [], when

    async with running_chat(tmp_path / "data", clock, database_url=url) as chat:
        town = await settle(chat)
        look("while it runs")
        await chat.messages.delete(
            town.long.id, visitor_id=town.ben.id, message_id=town.said["ben-0-long"].id
        )
        await chat.identity.forget(town.ben.id)
        await chat.rooms.burn(town.short.id, visitor_id=town.ann.id)
        clock.move(chat.settings.visitor_ttl)
        await chat.expiry.purge()
        look("purged")


async def test_what_was_not_sealed_would_stay_there_long_after_it_was_deleted(
    server: Postgres, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.take()
    seal_nothing(monkeypatch, SHAPES["plain"])
    async with running_chat(tmp_path / "data", clock, database_url=url) as chat:
        town = await settle(chat)
        await _end_everything(chat, clock)
    said = [message.text for message in town.said.values()]
    for place in ("base", "pg_wal"):
        files = _gather(server, url, tmp_path / place, place)
        assert find(said, files) == said, f"the scan is blind in {place}"


async def _end_everything(chat: Chat, clock: FakeClock) -> None:
    clock.move(chat.settings.visitor_ttl)
    assert (await chat.expiry.purge()).messages == 8


def _gather(server: Postgres, url: str, place: Path, part: str = "") -> Path:
    """Bring everything to the disk; return a folder that leads to the files of this database."""
    server.execute(url, "CHECKPOINT")
    ((number,),) = server.fetch(
        url, "SELECT oid::int FROM pg_database WHERE datname = current_database()"
    )
    place.mkdir()
    parts = {"base": f"base/{number}", "pg_wal": "pg_wal", "global": "global", "log": "../log"}
    for name, path in parts.items():
        if name.startswith(part):
            source = (server.data / path).resolve()
            copies = [source] if source.is_file() else source.iterdir()
            for copy in copies:
                if copy.is_file():
                    (place / f"{name}-{copy.name}").symlink_to(copy)
    return place

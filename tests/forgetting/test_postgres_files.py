"""No file of PostgreSQL contains plaintext, old WAL segments included."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from anonchat import Chat
from tests.fakes import FakeClock, running_chat
from tests.forgetting.canaries import SHAPES, find
from tests.forgetting.canary_site import populate
from tests.forgetting.unencrypted import disable_encryption
from tests.servers.postgres import PostgresPool


@pytest.fixture
async def server() -> AsyncIterator[PostgresPool]:
    """Start a new server."""
    async with PostgresPool() as server:
        yield server


async def test_no_plaintext_is_in_tables_wal_and_log(
    server: PostgresPool, tmp_path: Path, clock: FakeClock
) -> None:
    url = server.take()

    def assert_no_plaintext(when: str) -> None:
        files = _gather(server, url, tmp_path / when)
        assert find([site.long.id, site.ann.id], files), "the search finds nothing that is stored"
        assert find(site.canaries, files) == [], when

    async with running_chat(tmp_path / "data", clock, database_url=url) as chat:
        site = await populate(chat)
        assert_no_plaintext("while it runs")
        await chat.messages.delete(
            site.long.id, visitor_id=site.ben.id, message_id=site.messages["ben-0-long"].id
        )
        await chat.identity.forget(site.ben.id)
        await chat.room_deletion.burn(site.short.id, visitor_id=site.ann.id)
        clock.advance(chat.settings.visitor_ttl)
        await chat.expiry.purge()
        assert_no_plaintext("purged")


async def test_unencrypted_text_would_remain_in_files_after_its_deletion(
    server: PostgresPool, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.take()
    disable_encryption(monkeypatch, SHAPES["plain"])
    async with running_chat(tmp_path / "data", clock, database_url=url) as chat:
        site = await populate(chat)
        await _expire_everything(chat, clock)
    texts = [message.text for message in site.messages.values()]
    for part in ("base", "pg_wal"):
        files = _gather(server, url, tmp_path / part, part)
        # The header of a page of the write-ahead log may stand in the middle of a text.
        assert len(find(texts, files)) > len(texts) / 2, f"the search misses texts in {part}"


async def _expire_everything(chat: Chat, clock: FakeClock) -> None:
    clock.advance(chat.settings.visitor_ttl)
    assert (await chat.expiry.purge()).messages == 8


def _gather(server: PostgresPool, url: str, folder: Path, part: str = "") -> Path:
    """Flush to disk; return a folder of symbolic links to the files of this database."""
    server.execute(url, "CHECKPOINT")
    ((number,),) = server.fetch(
        url, "SELECT oid::int FROM pg_database WHERE datname = current_database()"
    )
    folder.mkdir()
    parts = {
        "base": f"base/{number}",
        "pg_wal": "pg_wal",
        "global": "global",
        "log": "../postgres.log",
    }
    for name, path in parts.items():
        if name.startswith(part):
            source = (server.data / path).resolve()
            files = [source] if source.is_file() else source.iterdir()
            for file in files:
                if file.is_file():
                    (folder / f"{name}-{file.name}").symlink_to(file)
    return folder

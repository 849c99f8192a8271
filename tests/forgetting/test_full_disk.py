"""A full disk refuses posts but delays no deletion."""

import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Unavailable
from tests.fakes import FakeClock, post_messages, read, running_chat
from tests.forgetting.canaries import find
from tests.forgetting.canary_site import populate
from tests.forgetting.disk_copies import SECRET, DiskCopies

SIZE = "2m"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "anonchat", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"cannot mount a file system: {error}")
    if done.returncode:
        pytest.skip(f"cannot mount a file system: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_full_disk_delays_no_deletion_and_posts_resume_with_free_space(
    small_disk: Path, tmp_path: Path, clock: FakeClock
) -> None:
    data = small_disk / "data"
    ballast = small_disk / "ballast"
    disk_copies = DiskCopies(data, tmp_path / "copy")
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        site = await populate(chat)
        disk_copies.copy_database()
        gone = {site.text(word) for word in site.messages if word.endswith("short")}
        kept = {site.text(word) for word in site.messages if word.endswith("long")}
        assert disk_copies.decrypt() >= gone | kept
        _fill(ballast)
        with pytest.raises(Unavailable):
            for number in range(2_000):
                await site.post(chat, site.long, site.ann, f"more-{number}")
        assert not await chat.health.is_disk_writable()
        clock.advance(site.short.message_ttl + MINUTE)
        await chat.janitor.run_purge()
        assert disk_copies.decrypt() & (gone | kept) == kept
        assert find(site.canaries, small_disk) == []
        assert await read(chat, site.short, site.ann) == []
        assert set(await read(chat, site.long, site.ann)) >= kept

        await chat.room_deletion.burn(site.long.id, visitor_id=site.ann.id)
        assert disk_copies.decrypt().isdisjoint(gone | kept)
        ballast.unlink()
        assert await chat.health.is_disk_writable()
        await chat.janitor.run_purge()
        assert _ids(data, "room") == {site.short.id}, "rows are deleted once the disk has space"
        assert _ids(data, "message") == set()
        await post_messages(chat, site.short, site.ann, "there is room again")
    assert find(site.canaries, small_disk) == []


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4_096))
        except OSError:
            return


def _ids(data: Path, table: str) -> set[str]:
    connection = sqlite3.connect(data / "anonchat.db")
    try:
        return {id for (id,) in connection.execute(f"SELECT id FROM {table}")}
    finally:
        connection.close()

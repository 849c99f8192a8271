"""A full disk refuses what is new, and keeps nothing back from being forgotten."""

import sqlite3
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from anonchat import Unavailable
from tests.fakes import FakeClock, read, running_chat, say
from tests.forgetting.canaries import find
from tests.forgetting.thief import SECRET, Thief
from tests.forgetting.town import settle

SIZE = "2m"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a disk of two megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "anonchat", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_forgets_in_time_and_goes_on_once_there_is_room(
    small_disk: Path, tmp_path: Path, clock: FakeClock
) -> None:
    data = small_disk / "data"
    ballast = small_disk / "ballast"
    thief = Thief(data, tmp_path / "loot")
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        town = await settle(chat)
        thief.copies()
        gone = {town.text(word) for word in town.said if word.endswith("short")}
        kept = {town.text(word) for word in town.said if word.endswith("long")}
        assert thief.reads() >= gone | kept
        _fill(ballast)
        with pytest.raises(Unavailable):
            for number in range(2_000):
                await town.says(chat, town.long, town.ann, f"more-{number}")
        assert not await chat.is_disk_writable()
        clock.move(town.short.message_ttl + MINUTE)
        await chat.janitor.clean()
        assert thief.reads() & (gone | kept) == kept
        assert find(town.canaries, small_disk) == []
        assert await read(chat, town.short, town.ann) == []
        assert set(await read(chat, town.long, town.ann)) >= kept

        await chat.rooms.burn(town.long.id, visitor_id=town.ann.id)
        assert thief.reads().isdisjoint(gone | kept)
        ballast.unlink()
        assert await chat.is_disk_writable()
        await chat.janitor.clean()
        assert _ids(data, "room") == {town.short.id}, "what the disk has refused is done later"
        assert _ids(data, "message") == set()
        await say(chat, town.short, town.ann, "there is room again")
    assert find(town.canaries, small_disk) == []


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

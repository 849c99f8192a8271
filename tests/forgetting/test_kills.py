"""Whatever step a kill comes at: nothing is readable, what had to go is gone, the rest lives."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from anonchat import Chat
from tests.fakes import FakeClock, find_unsettled, read, running_chat
from tests.forgetting.canaries import find
from tests.forgetting.thief import SECRET, Thief
from tests.forgetting.town import Town, settle

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)
KILLED = -9
MOST = 200  # steps: an act that has more is not the act that we know


class Executioner:
    """Kills a process at one step after the other, each time in a fresh copy of the data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forgetting.doomed"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, data: Path, **job: Any) -> Iterator[Path]:
        """Give the data as each death has left it, and at last as the whole act has left it."""
        for step in range(1, MOST):
            copy = self._folder / f"step {step}"
            shutil.copytree(data, copy)
            how = self._end_of({"folder": str(copy), "step": step, **job})
            assert how in (0, KILLED), "the act has failed by itself"
            yield copy
            if how == 0:
                assert step > 3, "there has to be something to be killed at"
                return
        pytest.fail("the act has no end")

    def end(self) -> None:
        """Let the process go."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _end_of(self, job: dict[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"settings": {"secret_key": SECRET}, **job}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture
def kill_at_each_step(tmp_path: Path) -> Iterator[Executioner]:
    executioner = Executioner(tmp_path)
    yield executioner
    executioner.end()


@pytest.fixture
async def town(tmp_path: Path, clock: FakeClock) -> Town:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        return await settle(chat)


@pytest.fixture
def thief(town: Town, tmp_path: Path) -> Thief:
    thief = Thief(tmp_path / "data", tmp_path / "loot")
    thief.copies()
    return thief


Pick = Callable[[str], bool]


def _is_long(word: str) -> bool:
    return word.endswith("long")


def _is_by_ann(word: str) -> bool:
    return word.startswith("ann")


def _is_not_deleted(word: str) -> bool:
    return word != "ben-0-long"


@pytest.mark.parametrize(
    ("act", "lives"),
    [
        ("purge", _is_long),
        ("delete", _is_not_deleted),
        ("forget", _is_by_ann),
        ("burn", lambda word: not _is_long(word)),
    ],
)
async def test_a_kill_at_any_step_forgets_all_or_nothing_and_loses_nothing(
    kill_at_each_step: Executioner,
    town: Town,
    thief: Thief,
    tmp_path: Path,
    clock: FakeClock,
    act: str,
    lives: Pick,
) -> None:
    then = clock.now + (town.short.message_ttl + MINUTE if act == "purge" else timedelta())
    owner = town.ben if act == "forget" else town.ann
    job = {
        "act": act,
        "now": clock.now.isoformat(),
        "then": then.isoformat(),
        "room": town.long.id,
        "visitor": owner.id,
        "message": town.said["ben-0-long"].id,
    }
    kept = {message.text for word, message in town.said.items() if lives(word)}
    gone = {message.text for message in town.said.values()} - kept
    outcomes = []
    for data in kill_at_each_step(tmp_path / "data", **job):
        assert find(town.canaries, data) == []
        assert _is_whole(data, tmp_path / "looked at")
        clock.now = then
        async with running_chat(data, clock, secret_key=SECRET) as chat:
            await chat.expiry.purge()
            shown = await _shown(chat, town)
            assert shown >= kept, "what lives was lost"
            assert shown in (kept, kept | gone), "something was forgotten by halves"
            assert not await find_unsettled(chat)
            outcomes.append(shown == kept)
        assert find(town.canaries, data) == []
        if shown == kept:
            assert thief.reads(data=data).isdisjoint(gone), "gone from screens and not from copies"
    assert outcomes[-1], "the whole act has forgotten nothing"
    assert outcomes == sorted(outcomes), "a later death has undone what an earlier one had done"


async def test_a_kill_at_any_step_of_the_start_is_finished_by_the_next_one(
    kill_at_each_step: Executioner, town: Town, thief: Thief, tmp_path: Path, clock: FakeClock
) -> None:
    clock.move(town.short.message_ttl + MINUTE)
    gone = {message.text for word, message in town.said.items() if not _is_long(word)}
    for data in kill_at_each_step(tmp_path / "data", act="start", now=clock.now.isoformat()):
        assert find(town.canaries, data) == []
        async with running_chat(data, clock, secret_key=SECRET) as chat:
            assert len(await read(chat, town.long, town.ann)) == 4
        assert thief.reads(data=data).isdisjoint(gone)


async def test_a_kill_at_any_step_of_a_rotation_leaves_a_store_that_starts(
    kill_at_each_step: Executioner, tmp_path: Path, clock: FakeClock
) -> None:
    data = tmp_path / "own"
    async with running_chat(data, clock) as chat:
        town = await settle(chat)
    old = (data / "secret.key").read_text()
    everything = {message.text for message in town.said.values()}
    rotated = []
    for copy in kill_at_each_step(data, act="rotate", settings={}):
        async with running_chat(copy, clock) as chat:
            assert await _shown(chat, town) == everything
        rotated.append((copy / "secret.key").read_text() != old)
        assert {path.name for path in copy.iterdir()} <= {
            "anonchat.db", "anonchat.db-wal", "anonchat.db-shm", "keys", "secret.key",
        }  # fmt: skip
        assert find([*town.canaries, *([old] if rotated[-1] else [])], copy) == []
    assert rotated[-1]
    assert rotated == sorted(rotated)


def _is_whole(data: Path, place: Path) -> bool:
    """Ask SQLite whether it finds anything wrong; in a copy, for asking mends."""
    shutil.copytree(data, place, ignore=shutil.ignore_patterns("admin.sock"))
    database = sqlite3.connect(place / "anonchat.db")
    answers = database.execute("PRAGMA integrity_check").fetchall()
    database.close()
    shutil.rmtree(place)
    return answers == [("ok",)]


async def _shown(chat: Chat, town: Town) -> set[str]:
    shown: set[str] = set()
    for room in (town.long, town.short):
        for who in (town.ann, town.ben):
            if await chat.memberships.has(room.id, who.id):
                shown |= {*await read(chat, room, who)}
    return shown

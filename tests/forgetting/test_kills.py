"""Kills at each step of an operation: no plaintext on disk, and the operation is atomic."""

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
from tests.fakes import FakeClock, find_decryptable_deleted_spans, read, running_chat
from tests.forgetting.canaries import canary, find
from tests.forgetting.canary_site import CanarySite, populate
from tests.forgetting.disk_copies import SECRET, DiskCopies

ROOT = Path(__file__).parents[2]
MINUTE = timedelta(minutes=1)
KILLED = -9
MOST = 200  # steps: more would mean that the operation has changed


class StepKiller:
    """Kills a process at each step in turn, each time with a fresh copy of the data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forgetting.crash_process"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, data: Path, **job: Any) -> Iterator[Path]:
        """Yield the data folder after each kill, and at last after the complete operation."""
        for step in range(1, MOST):
            copy = self._folder / f"step {step}"
            shutil.copytree(data, copy)
            exit_code = self._run({"folder": str(copy), "step": step, **job})
            assert exit_code in (0, KILLED), "the operation has failed"
            yield copy
            if exit_code == 0:
                assert step > 3, "the operation has too few steps"
                return
        pytest.fail("the operation has too many steps")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _run(self, job: dict[str, Any]) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps({"settings": {"secret_key": SECRET}, **job}) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@pytest.fixture
def kill_at_each_step(tmp_path: Path) -> Iterator[StepKiller]:
    killer = StepKiller(tmp_path)
    yield killer
    killer.close()


@pytest.fixture
async def site(tmp_path: Path, clock: FakeClock) -> CanarySite:
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        return await populate(chat)


@pytest.fixture
def disk_copies(site: CanarySite, tmp_path: Path) -> DiskCopies:
    disk_copies = DiskCopies(tmp_path / "data", tmp_path / "copy")
    disk_copies.copy_database()
    return disk_copies


Predicate = Callable[[str], bool]


def _is_long(word: str) -> bool:
    return word.endswith("long")


def _is_by_ann(word: str) -> bool:
    return word.startswith("ann")


def _is_not_deleted(word: str) -> bool:
    return word != "ben-0-long"


@pytest.mark.parametrize(
    ("act", "is_kept"),
    [
        ("purge", _is_long),
        ("delete", _is_not_deleted),
        ("forget", _is_by_ann),
        ("burn", lambda word: not _is_long(word)),
    ],
)
async def test_operation_killed_at_any_step_is_atomic(
    kill_at_each_step: StepKiller,
    site: CanarySite,
    disk_copies: DiskCopies,
    tmp_path: Path,
    clock: FakeClock,
    act: str,
    is_kept: Predicate,
) -> None:
    then = clock.now + (site.short.message_ttl + MINUTE if act == "purge" else timedelta())
    owner = site.ben if act == "forget" else site.ann
    job = {
        "act": act,
        "now": clock.now.isoformat(),
        "then": then.isoformat(),
        "room": site.long.id,
        "visitor": owner.id,
        "message": site.messages["ben-0-long"].id,
    }
    kept = {message.text for word, message in site.messages.items() if is_kept(word)}
    gone = {message.text for message in site.messages.values()} - kept
    outcomes = []
    for data in kill_at_each_step(tmp_path / "data", **job):
        assert find(site.canaries, data) == []
        assert _is_intact(data, tmp_path / "checked")
        clock.now = then
        async with running_chat(data, clock, secret_key=SECRET) as chat:
            await chat.expiry.purge()
            shown = await _read_all(chat, site)
            assert shown >= kept, "live messages were lost"
            assert shown in (kept, kept | gone), "only a part was deleted"
            assert not await find_decryptable_deleted_spans(chat)
            outcomes.append(shown == kept)
        assert find(site.canaries, data) == []
        if shown == kept:
            assert disk_copies.decrypt(data=data).isdisjoint(gone), (
                "deleted texts can still be decrypted"
            )
    assert outcomes[-1], "the complete operation has deleted nothing"
    assert outcomes == sorted(outcomes), "a later kill has undone the deletion"


async def test_change_of_a_room_killed_at_any_step_is_atomic(
    kill_at_each_step: StepKiller,
    site: CanarySite,
    disk_copies: DiskCopies,
    tmp_path: Path,
    clock: FakeClock,
) -> None:
    old, new = (site.long.name, site.long.topic), (canary("new name"), canary("new topic"))
    job = {
        "act": "change",
        "now": clock.now.isoformat(),
        "room": site.long.id,
        "visitor": site.ann.id,
        "changes": dict(zip(("name", "topic"), new, strict=True)),
    }
    outcomes = []
    for data in kill_at_each_step(tmp_path / "data", **job):
        assert find([*site.canaries, *new], data) == []
        async with running_chat(data, clock, secret_key=SECRET) as chat:
            room = await chat.rooms.find(site.long.slug)
            assert (room.name, room.topic) in (old, new)
            assert await chat.rooms.find_by_name(room.name) == room
            assert len([name for name in chat._keys.names() if name.startswith("texts")]) == 2
            outcomes.append((room.name, room.topic) == new)
        if outcomes[-1]:
            assert disk_copies.decrypt(data=data).isdisjoint(old)
    assert outcomes[-1]
    assert outcomes == sorted(outcomes), "a later kill has undone the change"


async def test_edit_killed_at_any_step_is_atomic(
    kill_at_each_step: StepKiller,
    site: CanarySite,
    disk_copies: DiskCopies,
    tmp_path: Path,
    clock: FakeClock,
) -> None:
    old, new = canary("old"), canary("new")
    async with running_chat(tmp_path / "data", clock, secret_key=SECRET) as chat:
        said = await chat.messages.post(site.long.id, visitor_id=site.ann.id, text=old)
    disk_copies.copy_database()
    job = {
        "act": "edit",
        "now": clock.now.isoformat(),
        "room": site.long.id,
        "visitor": site.ann.id,
        "message": said.id,
        "text": new,
    }
    others = {message.text for message in site.messages.values()}
    outcomes = []
    for data in kill_at_each_step(tmp_path / "data", **job):
        assert find([*site.canaries, old, new], data) == []
        async with running_chat(data, clock, secret_key=SECRET) as chat:
            await chat.expiry.purge()
            shown = await _read_all(chat, site)
            assert shown in (others | {old}, others | {new})
            assert not await find_decryptable_deleted_spans(chat)
            outcomes.append(new in shown)
        if outcomes[-1]:
            assert disk_copies.decrypt(data=data).isdisjoint({old})
    assert outcomes[-1]
    assert outcomes == sorted(outcomes), "a later kill has undone the edit"


async def test_startup_killed_at_any_step_is_completed_by_the_next_one(
    kill_at_each_step: StepKiller,
    site: CanarySite,
    disk_copies: DiskCopies,
    tmp_path: Path,
    clock: FakeClock,
) -> None:
    clock.advance(site.short.message_ttl + MINUTE)
    gone = {message.text for word, message in site.messages.items() if not _is_long(word)}
    for data in kill_at_each_step(tmp_path / "data", act="start", now=clock.now.isoformat()):
        assert find(site.canaries, data) == []
        async with running_chat(data, clock, secret_key=SECRET) as chat:
            assert len(await read(chat, site.long, site.ann)) == 4
        assert disk_copies.decrypt(data=data).isdisjoint(gone)


async def test_key_rotation_killed_at_any_step_leaves_a_usable_store(
    kill_at_each_step: StepKiller, tmp_path: Path, clock: FakeClock
) -> None:
    data = tmp_path / "own"
    async with running_chat(data, clock) as chat:
        site = await populate(chat)
    old = (data / "secret.key").read_text()
    all_texts = {message.text for message in site.messages.values()}
    rotated = []
    for copy in kill_at_each_step(data, act="rotate", settings={}):
        async with running_chat(copy, clock) as chat:
            assert await _read_all(chat, site) == all_texts
        rotated.append((copy / "secret.key").read_text() != old)
        assert {path.name for path in copy.iterdir()} <= {
            "anonchat.db", "anonchat.db-wal", "anonchat.db-shm", "keys", "secret.key",
        }  # fmt: skip
        assert find([*site.canaries, *([old] if rotated[-1] else [])], copy) == []
    assert rotated[-1]
    assert rotated == sorted(rotated)


def _is_intact(data: Path, copy: Path) -> bool:
    """Return whether SQLite finds no damage; checks a copy, because opening repairs."""
    shutil.copytree(data, copy, ignore=shutil.ignore_patterns("admin.sock"))
    database = sqlite3.connect(copy / "anonchat.db")
    answers = database.execute("PRAGMA integrity_check").fetchall()
    database.close()
    shutil.rmtree(copy)
    return answers == [("ok",)]


async def _read_all(chat: Chat, site: CanarySite) -> set[str]:
    shown: set[str] = set()
    for room in (site.long, site.short):
        for who in (site.ann, site.ben):
            if await chat.memberships.is_member(room.id, who.id):
                shown |= {*await read(chat, room, who)}
    return shown

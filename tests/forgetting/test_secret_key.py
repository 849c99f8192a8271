"""The secret key: made once, missed aloud, and changed with one command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anonchat import Chat, StartError
from anonchat.keystore import KeyStore
from anonchat.seal import KEY_BYTES, derive_key
from tests.browser.house import House
from tests.fakes import FakeClock, gather_in, make_settings, read, running_chat, say
from tests.forgetting.thief import SECRET, read_keys

ROOT = Path(__file__).parents[2]
NEW = "another secret altogether"


@pytest.fixture
async def data(tmp_path: Path, clock: FakeClock) -> Path:
    """Give a folder in which something has been said."""
    data = tmp_path / "data"
    async with running_chat(data, clock) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one")
    return data


@pytest.fixture
async def guarded(tmp_path: Path, clock: FakeClock) -> Path:
    """Give such a folder whose secret key was set by the operator."""
    data = tmp_path / "guarded"
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one")
    return data


async def _reads(data: Path, clock: FakeClock, **settings: str) -> list[str]:
    """Come back with what Ann has in her hands: the name of the room, and her nickname."""
    async with running_chat(data, clock, **settings) as chat:
        room = await chat.rooms.find("night-train")
        assert not await chat.identity.is_free("Ann"), "hashes have to survive too"
        (ann,) = [name.removeprefix("visitor ") for name in chat._keys.names() if "visitor" in name]
        history = await chat.messages.history(room.id, visitor_id=ann, limit=10)
        return [message.text for message in history]


async def _fails_to_start(data: Path, clock: FakeClock, match: str, **settings: str) -> None:
    with pytest.raises(StartError, match=match) as refusal:
        chat = Chat(make_settings(data, **settings), clock=clock)
        try:
            await chat.start()
        finally:
            await chat.stop()
    assert "\n" not in str(refusal.value)


async def test_a_missing_secret_key_stops_the_start_and_no_other_is_made(
    data: Path, clock: FakeClock, tmp_path: Path
) -> None:
    (data / "secret.key").rename(tmp_path / "kept")
    for _ in range(2):
        await _fails_to_start(data, clock, r"^ANONCHAT_SECRET_KEY: .+secret.key is missing")
    assert not (data / "secret.key").exists()
    (tmp_path / "kept").rename(data / "secret.key")
    assert await _reads(data, clock) == ["one"]


async def test_missing_keys_stop_the_start_and_destroy_no_row(
    data: Path, clock: FakeClock, tmp_path: Path
) -> None:
    (data / "keys").rename(tmp_path / "kept")
    for _ in range(2):
        await _fails_to_start(data, clock, r"^ANONCHAT_DATA_DIR: the keys are not those")
    shutil.copy(tmp_path / "kept", data / "keys")
    assert await _reads(data, clock) == ["one"]


async def test_the_keys_of_another_folder_stop_the_start(
    guarded: Path, clock: FakeClock, tmp_path: Path
) -> None:
    async with running_chat(tmp_path / "other", clock, secret_key=SECRET):
        pass
    shutil.copy(guarded / "keys", tmp_path / "kept")
    shutil.copy(tmp_path / "other" / "keys", guarded / "keys")
    await _fails_to_start(
        guarded, clock, r"^ANONCHAT_DATA_DIR: the keys are not those", secret_key=SECRET
    )
    shutil.copy(tmp_path / "kept", guarded / "keys")
    assert await _reads(guarded, clock, secret_key=SECRET) == ["one"]


async def test_an_empty_database_stops_the_start_and_destroys_no_key(
    data: Path, clock: FakeClock, tmp_path: Path
) -> None:
    shutil.copytree(data, tmp_path / "kept")
    _remove_database(data)
    for _ in range(2):
        await _fails_to_start(data, clock, r"^ANONCHAT_DATABASE_URL: the database is empty")
    _remove_database(data)
    shutil.copytree(tmp_path / "kept", data, dirs_exist_ok=True)
    assert await _reads(data, clock) == ["one"]


def _remove_database(data: Path) -> None:
    for path in data.glob("anonchat.db*"):
        path.unlink()


async def test_a_rotated_key_opens_everything_and_the_old_one_nothing(
    data: Path, clock: FakeClock
) -> None:
    old = (data / "secret.key").read_text()
    answer = _run(data, "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {"keys": 3}
    new = (data / "secret.key").read_text()
    assert old != new
    assert (data / "secret.key").stat().st_mode & 0o077 == 0
    assert (data / "keys").stat().st_mode & 0o077 == 0
    assert read_keys(data / "keys", old) == {}
    assert len(read_keys(data / "keys", new)) == 4
    assert await _reads(data, clock) == ["one"]
    await _fails_to_start(data, clock, "^ANONCHAT_SECRET_KEY does not open", secret_key=old)


async def test_an_operator_who_has_set_the_old_key_hands_in_the_new_one(
    guarded: Path, clock: FakeClock
) -> None:
    answer = _run(guarded, said=f"{NEW}\n", secret_key=SECRET)
    assert answer.returncode == 0, answer.stderr
    assert "3 keys" in answer.stdout
    assert NEW not in answer.stdout + answer.stderr
    assert not (guarded / "secret.key").exists()
    assert await _reads(guarded, clock, secret_key=NEW) == ["one"]
    await _fails_to_start(guarded, clock, "^ANONCHAT_SECRET_KEY", secret_key=SECRET)


@pytest.mark.parametrize("said", ["", "\n", "too short\n"])
async def test_a_bad_new_key_changes_nothing(guarded: Path, clock: FakeClock, said: str) -> None:
    answer = _run(guarded, "--json", said=said, secret_key=SECRET)
    assert answer.returncode == 1
    assert "16 characters" in json.loads(answer.stderr)["error"]
    assert await _reads(guarded, clock, secret_key=SECRET) == ["one"]


async def test_the_key_of_a_running_server_is_not_rotated(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.start()
    before = (house.data / "secret.key").read_text()
    answer = _run(house.data)
    assert answer.returncode == 1
    assert "in use by another anonchat" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert (house.data / "secret.key").read_text() == before
    await house.stop()


def test_an_unknown_command_says_which_there_are(tmp_path: Path) -> None:
    answer = _run(tmp_path, command="dance")
    assert answer.returncode == 2
    assert "rotate-key" in answer.stderr


async def test_a_store_of_the_first_kind_keeps_its_hashes(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keys = KeyStore(path, SECRET)
    keys.open()
    keys._slots = {}
    keys._size = 0
    first = {"anonchat keys 1": bytes(32), "room a": bytes(32)}
    keys._write(first, {name: keys._take_slot() for name in first})
    keys.close()
    for _ in range(2):
        keys = KeyStore(path, SECRET)
        keys.open()
        assert keys.hash_key == derive_key(SECRET.encode(), purpose="hash")
        assert list(keys.names()) == ["room a"]
        keys.close()


async def test_the_hashes_of_a_new_store_do_not_follow_from_its_secret(
    tmp_path: Path, clock: FakeClock
) -> None:
    made = set()
    for place in ("one", "two"):
        chat = Chat(make_settings(tmp_path / place, secret_key=SECRET), clock=clock)
        await chat.start()
        made.add(chat._keys.hash_key)
        await chat.stop()
    assert {len(key) for key in made} == {KEY_BYTES}
    assert len(made) == 2
    assert derive_key(SECRET.encode(), purpose="hash") not in made


async def test_what_was_acknowledged_is_there_after_a_kill(data: Path, clock: FakeClock) -> None:
    chat = Chat(make_settings(data), clock=clock)
    await chat.start()
    room, (bob,) = await gather_in(chat, "day train", "Bob")
    await say(chat, room, bob, "two")
    copy = data.with_name("as the kill has left it")
    shutil.copytree(data, copy)
    await chat.stop()
    async with running_chat(copy, clock) as chat:
        assert await read(chat, room, bob) == ["two"]


def _run(
    data: Path, *options: str, command: str = "rotate-key", said: str = "", secret_key: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), command, *options],
        cwd=data.parent,
        env={
            "PATH": os.environ["PATH"],
            "ANONCHAT_DATA_DIR": str(data),
            "ANONCHAT_SECRET_KEY": secret_key,
        },
        input=said,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

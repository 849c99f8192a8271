"""The secret key: created once, required at startup, and rotated with a command."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from anonchat import Chat, StartupError
from anonchat.crypto import KEY_BYTES, derive_key
from anonchat.security.key_file import KeyFile
from anonchat.security.local_keystore import LocalKeyStore
from tests.fakes import (
    FakeClock,
    create_room_with_members,
    make_settings,
    post_messages,
    read,
    running_chat,
)
from tests.forgetting.disk_copies import SECRET, read_keys
from tests.servers.server_process import ServerProcess
from tests.timeouts import DEADLINE

ROOT = Path(__file__).parents[2]
NEW = "another secret altogether"


@pytest.fixture
async def data(tmp_path: Path, clock: FakeClock) -> Path:
    """Create a data folder with one message."""
    data = tmp_path / "data"
    async with running_chat(data, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one")
    return data


@pytest.fixture
async def guarded(tmp_path: Path, clock: FakeClock) -> Path:
    """Create a data folder with one message, whose secret key is a setting."""
    data = tmp_path / "guarded"
    async with running_chat(data, clock, secret_key=SECRET) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one")
    return data


async def _read_messages(data: Path, clock: FakeClock, **settings: str) -> list[str]:
    """Find Ann and her room by name, and return the messages."""
    async with running_chat(data, clock, **settings) as chat:
        room = await chat.rooms.find("night-train")
        assert not await chat.identity.is_nickname_available("Ann"), "the hash key has changed"
        (ann,) = [name.removeprefix("visitor ") for name in chat._keys.names() if "visitor" in name]
        history = await chat.messages.history(room.id, visitor_id=ann, limit=10)
        return [message.text for message in history]


async def _assert_startup_fails(data: Path, clock: FakeClock, match: str, **settings: str) -> None:
    with pytest.raises(StartupError, match=match) as error:
        chat = Chat(make_settings(data, **settings), clock=clock)
        try:
            await chat.start()
        finally:
            await chat.stop()
    assert "\n" not in str(error.value)


async def test_startup_fails_without_the_secret_key_and_creates_none(
    data: Path, clock: FakeClock, tmp_path: Path
) -> None:
    (data / "secret.key").rename(tmp_path / "kept")
    for _ in range(2):
        await _assert_startup_fails(data, clock, r"^ANONCHAT_SECRET_KEY: .+secret.key is missing")
    assert not (data / "secret.key").exists()
    (tmp_path / "kept").rename(data / "secret.key")
    assert await _read_messages(data, clock) == ["one"]


async def test_startup_fails_without_the_keys_and_deletes_no_row(
    data: Path, clock: FakeClock, tmp_path: Path
) -> None:
    (data / "keys").rename(tmp_path / "kept")
    for _ in range(2):
        await _assert_startup_fails(data, clock, r"^ANONCHAT_DATA_DIR: the keys are not those")
    shutil.copy(tmp_path / "kept", data / "keys")
    assert await _read_messages(data, clock) == ["one"]


async def test_startup_fails_with_the_keys_of_another_folder(
    guarded: Path, clock: FakeClock, tmp_path: Path
) -> None:
    async with running_chat(tmp_path / "other", clock, secret_key=SECRET):
        pass
    shutil.copy(guarded / "keys", tmp_path / "kept")
    shutil.copy(tmp_path / "other" / "keys", guarded / "keys")
    await _assert_startup_fails(
        guarded, clock, r"^ANONCHAT_DATA_DIR: the keys are not those", secret_key=SECRET
    )
    shutil.copy(tmp_path / "kept", guarded / "keys")
    assert await _read_messages(guarded, clock, secret_key=SECRET) == ["one"]


async def test_startup_fails_with_an_empty_database_and_destroys_no_key(
    data: Path, clock: FakeClock, tmp_path: Path
) -> None:
    shutil.copytree(data, tmp_path / "kept")
    _remove_database(data)
    for _ in range(2):
        await _assert_startup_fails(data, clock, r"^ANONCHAT_DATABASE_URL: the database is empty")
    _remove_database(data)
    shutil.copytree(tmp_path / "kept", data, dirs_exist_ok=True)
    assert await _read_messages(data, clock) == ["one"]


def _remove_database(data: Path) -> None:
    for path in data.glob("anonchat.db*"):
        path.unlink()


async def test_rotated_key_decrypts_everything_and_the_old_one_nothing(
    data: Path, clock: FakeClock
) -> None:
    old = (data / "secret.key").read_text()
    answer = _run_command(data, "--json")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout) == {"keys": 4}
    new = (data / "secret.key").read_text()
    assert old != new
    assert (data / "secret.key").stat().st_mode & 0o077 == 0
    assert (data / "keys").stat().st_mode & 0o077 == 0
    assert read_keys(data / "keys", old) == {}
    assert len(read_keys(data / "keys", new)) == 5
    assert await _read_messages(data, clock) == ["one"]
    await _assert_startup_fails(
        data, clock, "^ANONCHAT_SECRET_KEY does not decrypt", secret_key=old
    )


async def test_rotation_reads_the_new_key_from_stdin_if_the_old_one_is_set(
    guarded: Path, clock: FakeClock
) -> None:
    answer = _run_command(guarded, stdin=f"{NEW}\n", secret_key=SECRET)
    assert answer.returncode == 0, answer.stderr
    assert "4 keys" in answer.stdout
    assert NEW not in answer.stdout + answer.stderr
    assert not (guarded / "secret.key").exists()
    assert await _read_messages(guarded, clock, secret_key=NEW) == ["one"]
    await _assert_startup_fails(guarded, clock, "^ANONCHAT_SECRET_KEY", secret_key=SECRET)


@pytest.mark.parametrize("new_key", ["", "\n", "too short\n"])
async def test_rotation_with_an_invalid_key_changes_nothing(
    guarded: Path, clock: FakeClock, new_key: str
) -> None:
    answer = _run_command(guarded, "--json", stdin=new_key, secret_key=SECRET)
    assert answer.returncode == 1
    assert "16 characters" in json.loads(answer.stderr)["error"]
    assert await _read_messages(guarded, clock, secret_key=SECRET) == ["one"]


async def test_damaged_leftover_of_a_rotation_is_removed(data: Path, clock: FakeClock) -> None:
    (data / "secret.key.new").write_bytes(b"\xff" * 32)
    assert await _read_messages(data, clock) == ["one"]
    assert not (data / "secret.key.new").exists()


async def test_the_key_of_a_running_server_is_not_rotated(tmp_path: Path) -> None:
    server_process = ServerProcess(tmp_path)
    await server_process.start()
    before = (server_process.data / "secret.key").read_text()
    answer = _run_command(server_process.data)
    assert answer.returncode == 1
    assert "in use by another anonchat" in answer.stderr
    assert len(answer.stderr.splitlines()) == 1
    assert (server_process.data / "secret.key").read_text() == before
    await server_process.stop()


def test_unknown_command_lists_the_commands(tmp_path: Path) -> None:
    answer = _run_command(tmp_path, command="dance")
    assert answer.returncode == 2
    assert "rotate-key" in answer.stderr


async def test_key_store_of_the_first_format_keeps_its_hash_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    file = KeyFile(path, SECRET)
    file.open()
    file._slot_count = 0
    file.write({"anonchat keys 1": bytes(32), "room a": bytes(32)})
    file.close()
    for _ in range(2):
        keys = LocalKeyStore(path, SECRET)
        keys.open()
        assert keys.hash_key == derive_key(SECRET.encode(), purpose="hash")
        assert list(keys.names()) == ["room a"]
        keys.close()


async def test_hash_key_of_a_new_store_is_not_derived_from_the_secret_key(
    tmp_path: Path, clock: FakeClock
) -> None:
    hash_keys = set()
    for name in ("one", "two"):
        chat = Chat(make_settings(tmp_path / name, secret_key=SECRET), clock=clock)
        await chat.start()
        hash_keys.add(chat._keys.hash_key)
        await chat.stop()
    assert {len(key) for key in hash_keys} == {KEY_BYTES}
    assert len(hash_keys) == 2
    assert derive_key(SECRET.encode(), purpose="hash") not in hash_keys


async def test_acknowledged_message_survives_a_kill(data: Path, clock: FakeClock) -> None:
    chat = Chat(make_settings(data), clock=clock)
    await chat.start()
    room, (bob,) = await create_room_with_members(chat, "day train", "Bob")
    await post_messages(chat, room, bob, "two")
    copy = data.with_name("after the kill")
    shutil.copytree(data, copy)
    await chat.stop()
    async with running_chat(copy, clock) as chat:
        assert await read(chat, room, bob) == ["two"]


def _run_command(
    data: Path, *options: str, command: str = "rotate-key", stdin: str = "", secret_key: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "main.py"), command, *options],
        cwd=data.parent,
        env={
            "PATH": os.environ["PATH"],
            "ANONCHAT_DATA_DIR": str(data),
            "ANONCHAT_SECRET_KEY": secret_key,
        },
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE,
    )

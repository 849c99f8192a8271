"""Keys are on disk before they are used, and unrecoverable once they are destroyed."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anonchat import Chat, StartupError, Unavailable
from anonchat.security.key_names import SPAN, span_at, span_bounds
from anonchat.security.local_keystore import LocalKeyStore
from tests.fakes import (
    FakeClock,
    create_room_with_members,
    make_settings,
    post_messages,
    read,
    running_chat,
)

pytestmark = pytest.mark.usefixtures("either_place")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


async def test_key_is_the_same_on_every_request(path: Path) -> None:
    with _open(path) as keys:
        first, other = await keys.get_or_create("a", "b")
        assert await keys.get_or_create("a") == [first] == [keys.get("a")]
        assert first != other
        assert len(first) == 32


async def test_returned_key_is_on_disk(path: Path) -> None:
    with _open(path) as keys:
        created = await keys.get_or_create("a", "b")
        copy = path.with_name("copy")
        copy.write_bytes(_bytes_of(path))
    with _open(copy) as keys:
        assert [keys.get("a"), keys.get("b")] == created
        assert sorted(keys.names()) == ["a", "b"]


async def test_key_requested_concurrently_is_created_once(path: Path) -> None:
    with _open(path) as keys:
        created = await asyncio.gather(*(keys.get_or_create("a", f"b{n % 3}") for n in range(20)))
        assert len({first for first, _ in created}) == 1
        assert len(list(keys.names())) == 4
    with _open(path) as keys:
        assert [keys.get("a")] == [created[0][0]]


async def test_keys_and_their_names_are_encrypted_in_the_file(path: Path) -> None:
    with _open(path) as keys:
        (key,) = await keys.get_or_create("room night-train")
        stored = _bytes_of(path)
        assert key not in stored
        assert b"night-train" not in stored


async def test_destroyed_key_is_erased_from_memory_and_from_the_file(path: Path) -> None:
    with _open(path) as keys:
        await keys.get_or_create("a")
        size = len(_bytes_of(path))
        (before,) = await keys.get_or_create("b")
        slot = _bytes_of(path)[size:]
        await keys.destroy(["b"])
        assert slot not in _bytes_of(path)
        assert keys.get("b") is None
        assert await keys.get_or_create("b") != [before]
        await keys.destroy(["b", "never there"])
    with _open(path) as keys:
        assert list(keys.names()) == ["a"]


async def test_slots_of_destroyed_keys_are_reused(path: Path) -> None:
    with _open(path) as keys:
        for number in range(20):
            await keys.get_or_create(str(number))
            size = len(_bytes_of(path))
            await keys.destroy([str(number)])
        assert size == len(_bytes_of(path))
        await keys.get_or_create("a", "b")
    with _open(path) as keys:
        await keys.get_or_create("c")
        assert len(_bytes_of(path)) == 2 * size


@pytest.mark.parametrize("tail", [b"torn", b"x" * 123, b"x" * 124, b"x" * 125, b"\0" * 124])
async def test_slot_torn_by_a_crash_is_free(path: Path, tail: bytes) -> None:
    with _open(path) as keys:
        created = await keys.get_or_create("a", "b")
    with path.open("ab") as file:
        file.write(tail)
    with _open(path) as keys:
        assert [keys.get("a"), keys.get("b")] == created
        created_later = await keys.get_or_create("c", "d")
    with _open(path) as keys:
        assert [keys.get(name) for name in "abcd"] == created + created_later


@pytest.mark.parametrize("size", [1, 123, 124])
async def test_hash_key_torn_by_a_crash_is_created_anew_and_kept(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)  # a file system may keep the size of a file and lose its content
    with _open(path) as keys:
        hash_key, created = keys.hash_key, await keys.get_or_create("a")
    with _open(path) as keys:
        assert (keys.hash_key, [keys.get("a")]) == (hash_key, created)


async def test_torn_slot_does_not_stop_the_chat(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one")
    with (tmp_path / "keys").open("ab") as file:
        file.write(b"torn" * 20)
    async with running_chat(tmp_path, clock) as chat:
        clock.advance(SPAN)
        await post_messages(chat, room, ann, "two")
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == ["one", "two"]


async def test_failed_erasure_of_a_key_is_repeated_by_the_next_destruction(path: Path) -> None:
    with _open(path) as keys:
        await keys.get_or_create("a", "b")
        writable_file = keys._file._descriptor
        keys._file._descriptor = os.open(path, os.O_RDONLY)
        with pytest.raises(Unavailable):
            await keys.destroy(["a"])
        os.close(keys._file._descriptor)
        keys._file._descriptor = writable_file
        assert keys.get("a") is None
        await keys.destroy([])
    with _open(path) as keys:
        assert list(keys.names()) == ["b"]


@pytest.mark.parametrize("space", [0, 50, 123, 124, 200])
async def test_key_that_does_not_fit_on_the_disk_is_not_returned(path: Path, space: int) -> None:
    with _open(path) as keys:
        created = await keys.get_or_create("a", "b")
        await keys.destroy(["a"])
        size = len(_bytes_of(path))
        with _file_size_limit(size + space), pytest.raises(Unavailable):
            await keys.get_or_create("c", "d", "e", "f")
        assert sorted(keys.names()) == ["b"]
        with _file_size_limit(size):
            created += await keys.get_or_create("c")
            await keys.destroy(["b"])
            created += await keys.get_or_create("d")
        assert len(_bytes_of(path)) == size
        created += await keys.get_or_create("e", "f")
    with _open(path) as keys:
        assert [keys.get(name) for name in "bcdef"] == [None, *created[2:]]
        assert sorted(keys.names()) == ["c", "d", "e", "f"]


async def test_full_disk_raises_unavailable_and_loses_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        size = (tmp_path / "keys").stat().st_size
        writable_file = chat._keys._file._descriptor
        chat._keys._file._descriptor = os.open("/dev/full", os.O_RDWR)
        with pytest.raises(Unavailable):
            await post_messages(chat, room, ann, "one")
        with pytest.raises(Unavailable):
            await chat.rooms.create("day train", visitor_id=ann.id)
        with pytest.raises(Unavailable):
            await chat.identity.sign_in("Bob")
        os.close(chat._keys._file._descriptor)
        chat._keys._file._descriptor = writable_file
        await post_messages(chat, room, ann, "two")
    assert (tmp_path / "keys").stat().st_size > size
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == ["two"]


async def test_unusable_file_stops_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "missing" / "keys"):
        with pytest.raises(StartupError, match=r"^ANONCHAT_DATA_DIR: .+$"), _open(path):
            pass
    with (
        _file_size_limit(10),
        pytest.raises(StartupError, match=r"^ANONCHAT_DATA_DIR: .+$"),
        _open(tmp_path / "keys"),
    ):
        pass


async def test_keystore_does_not_open_with_a_wrong_secret(path: Path) -> None:
    with _open(path) as keys:
        await keys.get_or_create("a")
    with pytest.raises(StartupError, match="ANONCHAT_SECRET_KEY"), _open(path, secret="another"):
        pass


async def test_wrong_secret_key_stops_the_start_and_changes_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, secret_key="the right secret key") as chat:
        room, (ann,) = await create_room_with_members(chat, "night train", "Ann")
        await post_messages(chat, room, ann, "one")
    wrong = Chat(make_settings(tmp_path, secret_key="the wrong secret key"), clock=clock)
    with pytest.raises(StartupError, match=r"^ANONCHAT_SECRET_KEY .+$"):
        await wrong.start()
    await wrong.stop()
    async with running_chat(tmp_path, clock, secret_key="the right secret key") as chat:
        assert await read(chat, room, ann) == ["one"]


async def test_data_folder_cannot_be_used_by_two_processes(chat: Chat, clock: FakeClock) -> None:
    second = Chat(chat.settings, clock=clock)
    with pytest.raises(StartupError, match=r"^ANONCHAT_DATA_DIR: .+ in use .+$"):
        await second.start()
    await second.stop()


async def test_file_is_readable_by_its_owner_only(path: Path) -> None:
    with _open(path) as keys:
        assert os.stat(keys._file._descriptor).st_mode & 0o077 == 0


def test_spans_are_consecutive_intervals() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert [span_at(noon + number * SPAN) - span_at(noon) for number in (-2, -1, 0, 1)] == [
        -2,
        -1,
        0,
        1,
    ]
    assert span_at(noon) == span_at(noon + SPAN / 2)
    assert span_bounds(span_at(noon + SPAN / 2)) == (noon, noon + SPAN)


async def test_span_keys_are_distinguished_from_all_other_keys(path: Path) -> None:
    with _open(path) as keys:
        await keys.get_or_create("span 1", "span 2", "span 2 1", "room 1", "visitor 2")
        await keys.destroy(["span 1", "room 1"])
        assert list(keys.spans()) == [2]
        assert keys.own_span_key(2, 1) == "span 2 1"
    with _open(path) as keys:
        assert list(keys.spans()) == [2]
        assert keys.span_key_names(2) == ["span 2 1", "span 2"], "the newest generation first"
        assert keys.span_key_names(1) == []


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    """Limit the size of files to `size` bytes, to simulate a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def _open(path: Path, *, secret: str = "secret") -> Iterator[LocalKeyStore]:
    keys = LocalKeyStore(path, secret)
    try:
        keys.open()
        yield keys
    finally:
        keys.close()


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes()

"""The keys: on disk before they are used, and gone for good once they are destroyed."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from anonchat import Chat, StartError, Unavailable
from anonchat.keystore import SPAN, KeyStore, span_bounds, span_of
from tests.fakes import FakeClock, gather_in, make_settings, read, running_chat, say

pytestmark = pytest.mark.usefixtures("either_place")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys"


async def test_a_key_is_the_same_whenever_it_is_asked_for(path: Path) -> None:
    with _open(path) as keys:
        first, other = await keys.obtain("a", "b")
        assert await keys.obtain("a") == [first] == [keys.get("a")]
        assert first != other
        assert len(first) == 32


async def test_a_key_that_was_handed_out_is_on_disk(path: Path) -> None:
    with _open(path) as keys:
        made = await keys.obtain("a", "b")
        copy = path.with_name("copy")
        copy.write_bytes(_bytes_of(path))
    with _open(copy) as keys:
        assert [keys.get("a"), keys.get("b")] == made
        assert sorted(keys.names()) == ["a", "b"]


async def test_a_key_wanted_many_times_at_once_is_made_once(path: Path) -> None:
    with _open(path) as keys:
        made = await asyncio.gather(*(keys.obtain("a", f"b{n % 3}") for n in range(20)))
        assert len({first for first, _ in made}) == 1
        assert len(list(keys.names())) == 4
    with _open(path) as keys:
        assert [keys.get("a")] == [made[0][0]]


async def test_no_key_stands_in_the_file_as_it_is(path: Path) -> None:
    with _open(path) as keys:
        (key,) = await keys.obtain("room night-train")
        stored = _bytes_of(path)
        assert key not in stored
        assert b"night-train" not in stored


async def test_a_destroyed_key_is_gone_and_so_is_its_place_in_the_file(path: Path) -> None:
    with _open(path) as keys:
        await keys.obtain("a")
        size = len(_bytes_of(path))
        (before,) = await keys.obtain("b")
        slot = _bytes_of(path)[size:]
        await keys.destroy(["b"])
        assert slot not in _bytes_of(path)
        assert keys.get("b") is None
        assert await keys.obtain("b") != [before]
        await keys.destroy(["b", "never there"])
    with _open(path) as keys:
        assert list(keys.names()) == ["a"]


async def test_places_are_used_again(path: Path) -> None:
    with _open(path) as keys:
        for number in range(20):
            await keys.obtain(str(number))
            size = len(_bytes_of(path))
            await keys.destroy([str(number)])
        assert size == len(_bytes_of(path))
        await keys.obtain("a", "b")
    with _open(path) as keys:
        await keys.obtain("c")
        assert len(_bytes_of(path)) == 2 * size


@pytest.mark.parametrize("rest", [b"torn", b"x" * 123, b"x" * 124, b"x" * 125, b"\0" * 124])
async def test_a_slot_that_a_crash_has_torn_is_free(path: Path, rest: bytes) -> None:
    with _open(path) as keys:
        made = await keys.obtain("a", "b")
    with path.open("ab") as file:
        file.write(rest)
    with _open(path) as keys:
        assert [keys.get("a"), keys.get("b")] == made
        more = await keys.obtain("c", "d")
    with _open(path) as keys:
        assert [keys.get(name) for name in "abcd"] == made + more


async def test_a_torn_slot_does_not_stop_the_chat(tmp_path: Path, clock: FakeClock) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one")
    with (tmp_path / "keys").open("ab") as file:
        file.write(b"torn" * 20)
    async with running_chat(tmp_path, clock) as chat:
        clock.move(SPAN)
        await say(chat, room, ann, "two")
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == ["one", "two"]


async def test_a_key_that_the_disk_refused_to_erase_is_erased_the_next_time(path: Path) -> None:
    with _open(path) as keys:
        await keys.obtain("a", "b")
        writable = keys._file
        keys._file = os.open(path, os.O_RDONLY)
        with pytest.raises(Unavailable):
            await keys.destroy(["a"])
        os.close(keys._file)
        keys._file = writable
        assert keys.get("a") is None
        await keys.destroy([])
    with _open(path) as keys:
        assert list(keys.names()) == ["b"]


@pytest.mark.parametrize("room", [0, 50, 123, 124, 200])
async def test_a_key_that_does_not_fit_on_the_disk_is_not_handed_out(path: Path, room: int) -> None:
    with _open(path) as keys:
        made = await keys.obtain("a", "b")
        await keys.destroy(["a"])
        size = len(_bytes_of(path))
        with _room_for(size + room), pytest.raises(Unavailable):
            await keys.obtain("c", "d", "e", "f")
        assert sorted(keys.names()) == ["b"]
        with _room_for(size):
            made += await keys.obtain("c")
            await keys.destroy(["b"])
            made += await keys.obtain("d")
        assert len(_bytes_of(path)) == size
        made += await keys.obtain("e", "f")
    with _open(path) as keys:
        assert [keys.get(name) for name in "bcdef"] == [None, *made[2:]]
        assert sorted(keys.names()) == ["c", "d", "e", "f"]


async def test_a_full_disk_refuses_with_a_reason_and_loses_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock) as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        size = (tmp_path / "keys").stat().st_size
        writable = chat._keys._file
        chat._keys._file = os.open("/dev/full", os.O_RDWR)
        with pytest.raises(Unavailable):
            await say(chat, room, ann, "one")
        with pytest.raises(Unavailable):
            await chat.rooms.create("day train", visitor_id=ann.id)
        with pytest.raises(Unavailable):
            await chat.identity.come_in("Bob")
        os.close(chat._keys._file)
        chat._keys._file = writable
        await say(chat, room, ann, "two")
    assert (tmp_path / "keys").stat().st_size > size
    async with running_chat(tmp_path, clock) as chat:
        assert await read(chat, room, ann) == ["two"]


async def test_a_file_that_cannot_be_used_stops_the_start_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "missing" / "keys"):
        with pytest.raises(StartError, match=r"^ANONCHAT_DATA_DIR: .+$"), _open(path):
            pass
    with (
        _room_for(10),
        pytest.raises(StartError, match=r"^ANONCHAT_DATA_DIR: .+$"),
        _open(tmp_path / "keys"),
    ):
        pass


async def test_the_wrong_secret_opens_nothing(path: Path) -> None:
    with _open(path) as keys:
        await keys.obtain("a")
    with pytest.raises(StartError, match="ANONCHAT_SECRET_KEY"), _open(path, secret="another"):
        pass


async def test_the_wrong_secret_key_stops_the_start_with_one_line_and_harms_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with running_chat(tmp_path, clock, secret_key="the right secret key") as chat:
        room, (ann,) = await gather_in(chat, "night train", "Ann")
        await say(chat, room, ann, "one")
    wrong = Chat(make_settings(tmp_path, secret_key="the wrong secret key"), clock=clock)
    with pytest.raises(StartError, match=r"^ANONCHAT_SECRET_KEY .+$"):
        await wrong.start()
    await wrong.stop()
    async with running_chat(tmp_path, clock, secret_key="the right secret key") as chat:
        assert await read(chat, room, ann) == ["one"]


async def test_one_data_folder_serves_one_process(chat: Chat, clock: FakeClock) -> None:
    second = Chat(chat.settings, clock=clock)
    with pytest.raises(StartError, match=r"^ANONCHAT_DATA_DIR: .+ in use .+$"):
        await second.start()
    await second.stop()


async def test_the_file_is_readable_by_its_owner_alone(path: Path) -> None:
    with _open(path) as keys:
        assert os.stat(keys._file).st_mode & 0o077 == 0


def test_a_span_has_ended_once_its_last_moment_is_over() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert [span_of(noon + number * SPAN) - span_of(noon) for number in (-2, -1, 0, 1)] == [
        -2,
        -1,
        0,
        1,
    ]
    assert span_of(noon) == span_of(noon + SPAN / 2)
    assert span_bounds(span_of(noon + SPAN / 2)) == (noon, noon + SPAN)


async def test_spans_are_known_apart_from_all_other_keys(path: Path) -> None:
    with _open(path) as keys:
        await keys.obtain("span 1", "span 2", "span 2 1", "room 1", "visitor 2")
        await keys.destroy(["span 1", "room 1"])
        assert list(keys.spans()) == [2]
        assert keys.own_of_span(2, 1) == "span 2 1"
    with _open(path) as keys:
        assert list(keys.spans()) == [2]
        assert keys.names_of_span(2) == ["span 2 1", "span 2"], "the newest generation first"
        assert keys.names_of_span(1) == []


@contextmanager
def _room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond `size`, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def _open(path: Path, *, secret: str = "secret") -> Iterator[KeyStore]:
    keys = KeyStore(path, secret)
    try:
        keys.open()
        yield keys
    finally:
        keys.close()


def _bytes_of(path: Path) -> bytes:
    return path.read_bytes()

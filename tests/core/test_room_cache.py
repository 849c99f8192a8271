"""The cache of one value per room."""

import asyncio
from collections.abc import Awaitable, Callable

from anonchat.storage.room_cache import RoomCache

_EPOCH = object()


def _constant_epoch(_room: str) -> object:
    return _EPOCH


def _loader(*values: str) -> Callable[[], Awaitable[list[str]]]:
    async def load() -> list[str]:
        return list(values)

    return load


async def test_room_cache_loads_a_value_once() -> None:
    cache: RoomCache[list[str]] = RoomCache(2, _constant_epoch, measure=len)
    assert await cache.get_or_load("kitchen", _loader("old")) == ["old"]
    assert await cache.get_or_load("kitchen", _loader("new")) == ["old"]
    assert cache.get("kitchen") == ["old"]


async def test_room_cache_applies_changes_and_invalidation() -> None:
    cache: RoomCache[list[str]] = RoomCache(2, _constant_epoch, measure=len)
    await cache.get_or_load("kitchen", _loader("one"))
    cache.update("kitchen", lambda values: values.append("two"))
    cache.update("cellar", lambda values: values.append("not cached"))
    assert await cache.get_or_load("kitchen", _loader()) == ["one", "two"]
    cache.invalidate("kitchen")
    assert await cache.get_or_load("kitchen", _loader("new")) == ["new"]


async def test_room_cache_discards_a_value_that_changed_while_loading() -> None:
    cache: RoomCache[list[str]] = RoomCache(2, _constant_epoch, measure=len)
    for change in (
        lambda: cache.update("kitchen", lambda values: values.append("missed")),
        lambda: cache.invalidate("kitchen"),
    ):
        release = asyncio.Event()

        async def load(release: asyncio.Event = release) -> list[str]:
            await release.wait()
            return ["outdated"]

        loading = asyncio.create_task(cache.get_or_load("kitchen", load))
        await asyncio.sleep(0)
        change()
        release.set()
        assert await loading == ["outdated"]
        assert cache.get("kitchen") is None


async def test_room_cache_stores_nothing_after_a_failed_load() -> None:
    cache: RoomCache[list[str]] = RoomCache(2, _constant_epoch, measure=len)

    async def fail() -> list[str]:
        raise OSError

    for _ in range(2):
        try:
            await cache.get_or_load("kitchen", fail)
        except OSError:
            assert cache.get("kitchen") is None
    assert await cache.get_or_load("kitchen", _loader("new")) == ["new"]


async def test_room_cache_evicts_the_least_recently_used_room() -> None:
    cache: RoomCache[list[str]] = RoomCache(2, _constant_epoch, measure=len)
    for room in ("kitchen", "cellar", "kitchen", "attic"):
        await cache.get_or_load(room, _loader(room))
    assert cache.get("kitchen") and cache.get("attic")
    assert cache.get("cellar") is None


async def test_room_cache_counts_the_sizes_of_its_values() -> None:
    cache: RoomCache[list[str]] = RoomCache(4, _constant_epoch, measure=len)
    await cache.get_or_load("cellar", _loader("one", "two"))
    await cache.get_or_load("kitchen", _loader("one"))
    await cache.get_or_load("attic", _loader("one"))
    assert cache.get("cellar")
    cache.update("attic", lambda values: values.append("two"))  # which makes it grow
    assert cache.get("kitchen") is None
    cache.update("attic", lambda values: values.remove("one"))
    await cache.get_or_load("hall", _loader("one"))
    assert all(map(cache.get, ("cellar", "attic", "hall")))
    assert await cache.get_or_load("tower", _loader(*"12345")) == [*"12345"]
    assert not any(map(cache.get, ("cellar", "attic", "hall", "tower")))

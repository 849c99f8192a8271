"""What is kept of rooms so that it need not be read again."""

import asyncio
from collections.abc import Awaitable, Callable

from anonchat.shelf import Shelf

_always = object()


def _hearing_all(_room: str) -> object:
    return _always


def _reading(*things: str) -> Callable[[], Awaitable[list[str]]]:
    async def read() -> list[str]:
        return list(things)

    return read


async def test_what_was_read_is_kept_and_not_read_again() -> None:
    shelf: Shelf[list[str]] = Shelf(2, _hearing_all)
    assert await shelf.obtain("kitchen", _reading("old")) == ["old"]
    assert await shelf.obtain("kitchen", _reading("new")) == ["old"]
    assert shelf.peek("kitchen") == ["old"]


async def test_what_is_kept_follows_what_changes() -> None:
    shelf: Shelf[list[str]] = Shelf(2, _hearing_all)
    await shelf.obtain("kitchen", _reading("one"))
    shelf.change("kitchen", lambda things: things.append("two"))
    shelf.change("cellar", lambda things: things.append("nothing is kept of it"))
    assert await shelf.obtain("kitchen", _reading()) == ["one", "two"]
    shelf.drop("kitchen")
    assert await shelf.obtain("kitchen", _reading("new")) == ["new"]


async def test_what_changes_while_it_is_read_is_not_kept() -> None:
    shelf: Shelf[list[str]] = Shelf(2, _hearing_all)
    for disturb in (
        lambda: shelf.change("kitchen", lambda things: things.append("missed")),
        lambda: shelf.drop("kitchen"),
    ):
        go_on = asyncio.Event()

        async def read(go_on: asyncio.Event = go_on) -> list[str]:
            await go_on.wait()
            return ["of before"]

        reading = asyncio.create_task(shelf.obtain("kitchen", read))
        await asyncio.sleep(0)
        disturb()
        go_on.set()
        assert await reading == ["of before"]
        assert shelf.peek("kitchen") is None


async def test_a_reading_that_fails_leaves_nothing_behind() -> None:
    shelf: Shelf[list[str]] = Shelf(2, _hearing_all)

    async def fail() -> list[str]:
        raise OSError

    for _ in range(2):
        try:
            await shelf.obtain("kitchen", fail)
        except OSError:
            assert shelf.peek("kitchen") is None
    assert await shelf.obtain("kitchen", _reading("new")) == ["new"]


async def test_the_one_not_asked_for_the_longest_goes() -> None:
    shelf: Shelf[list[str]] = Shelf(2, _hearing_all)
    for room in ("kitchen", "cellar", "kitchen", "attic"):
        await shelf.obtain(room, _reading(room))
    assert shelf.peek("kitchen") and shelf.peek("attic")
    assert shelf.peek("cellar") is None

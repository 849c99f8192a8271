"""How many events of a page are handled at once, and what becomes of the others."""

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

import pytest

from anonchat import TooOften
from pages.live.handlers import InOrder, NewestOnly


class _Page:
    """Events of one page, and a handler that waits until it is told to go on."""

    def __init__(self) -> None:
        self.sender = SimpleNamespace(is_deleted=False)
        self.handled: list[object] = []
        self.may_go_on = asyncio.Event()
        self.tasks: list[asyncio.Future[None]] = []
        self.error: Exception | None = None

    async def handle(self, arguments: Any) -> None:
        self.handled.append(arguments.args)
        await self.may_go_on.wait()
        if self.error:
            raise self.error

    async def fire(self, listener: NewestOnly | InOrder, *events: object) -> None:
        for event in events:
            arguments: Any = SimpleNamespace(sender=self.sender, args=event)
            running: Awaitable[None] | None = listener(arguments)
            if running:
                self.tasks.append(asyncio.ensure_future(running))
            await asyncio.sleep(0)

    async def finish(self) -> None:
        self.may_go_on.set()
        await asyncio.gather(*self.tasks)


async def test_of_events_that_wait_only_the_newest_is_handled() -> None:
    page = _Page()
    listener = NewestOnly(page.handle)
    await page.fire(listener, *range(100))
    assert page.handled == [0]
    assert len(page.tasks) == 1
    await page.finish()
    assert page.handled == [0, 99]
    await page.fire(listener, 100)
    assert page.handled == [0, 99, 100]
    await page.finish()


async def test_events_are_handled_in_order_and_those_beyond_the_bound_are_refused() -> None:
    page, refused = _Page(), list[object]()
    listener = InOrder(
        page.handle,
        at_once=2,
        waiting_most=3,
        refuse=lambda arguments: refused.append(arguments.args),
    )
    await page.fire(listener, *range(8))
    assert page.handled == [0, 1]
    assert refused == [5, 6, 7]
    await page.finish()
    assert page.handled == [0, 1, 2, 3, 4]
    await page.fire(listener, 8)
    assert page.handled[-1] == 8
    await page.finish()


@pytest.mark.parametrize("error", [RuntimeError(), TooOften("Not so often.")])
@pytest.mark.parametrize("kind", [NewestOnly, lambda handle: InOrder(handle, waiting_most=3)])
async def test_event_that_fails_does_not_keep_the_next_one_from_being_handled(
    kind: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    page = _Page()
    page.error = error
    listener = kind(page.handle)
    await page.fire(listener, 1, 2)
    await page.finish()
    assert page.handled == [1, 2]
    assert ("could not be handled" in caplog.text) is isinstance(error, RuntimeError)


@pytest.mark.parametrize("kind", [NewestOnly, lambda handle: InOrder(handle, waiting_most=3)])
async def test_event_of_a_closed_page_is_not_handled(kind: Any) -> None:
    page = _Page()
    listener = kind(page.handle)
    await page.fire(listener, 1, 2)
    page.sender.is_deleted = True
    await page.finish()
    assert page.handled == [1]

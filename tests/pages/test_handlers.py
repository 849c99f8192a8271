"""Event handlers that limit concurrency: queueing, order and rejection of events."""

import asyncio
from collections.abc import Awaitable
from types import SimpleNamespace
from typing import Any

import pytest

from anonchat import RateLimited
from pages.elements.handlers import LatestOnlyHandler, QueueHandler


class _Page:
    """Events of one page, and a handler that waits until `may_finish` is set."""

    def __init__(self) -> None:
        self.sender = SimpleNamespace(is_deleted=False)
        self.handled: list[object] = []
        self.may_finish = asyncio.Event()
        self.tasks: list[asyncio.Future[None]] = []
        self.error: Exception | None = None

    async def handle(self, arguments: Any) -> None:
        self.handled.append(arguments.args)
        await self.may_finish.wait()
        if self.error:
            raise self.error

    async def fire(self, listener: LatestOnlyHandler | QueueHandler, *events: object) -> None:
        for event in events:
            arguments: Any = SimpleNamespace(sender=self.sender, args=event)
            running: Awaitable[None] | None = listener(arguments)
            if running:
                self.tasks.append(asyncio.ensure_future(running))
            await asyncio.sleep(0)

    async def finish(self) -> None:
        self.may_finish.set()
        await asyncio.gather(*self.tasks)


async def test_newest_only_handles_only_the_newest_queued_event() -> None:
    page = _Page()
    listener = LatestOnlyHandler(page.handle)
    await page.fire(listener, *range(100))
    assert page.handled == [0]
    assert len(page.tasks) == 1
    await page.finish()
    assert page.handled == [0, 99]
    await page.fire(listener, 100)
    assert page.handled == [0, 99, 100]
    await page.finish()


async def test_in_order_handles_events_in_order_and_rejects_the_excess() -> None:
    page, refused = _Page(), list[object]()
    listener = QueueHandler(
        page.handle,
        concurrency=2,
        queue_max=3,
        reject=lambda arguments: refused.append(arguments.args),
    )
    await page.fire(listener, *range(8))
    assert page.handled == [0, 1]
    assert refused == [5, 6, 7]
    await page.finish()
    assert page.handled == [0, 1, 2, 3, 4]
    await page.fire(listener, 8)
    assert page.handled[-1] == 8
    await page.finish()


@pytest.mark.parametrize("error", [RuntimeError(), RateLimited("Not so often.")])
@pytest.mark.parametrize(
    "kind", [LatestOnlyHandler, lambda handle: QueueHandler(handle, queue_max=3)]
)
async def test_failed_event_does_not_block_the_next_one(
    kind: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    page = _Page()
    page.error = error
    listener = kind(page.handle)
    await page.fire(listener, 1, 2)
    await page.finish()
    assert page.handled == [1, 2]
    assert ("unhandled exception in a page event" in caplog.text) is isinstance(error, RuntimeError)


@pytest.mark.parametrize(
    "kind", [LatestOnlyHandler, lambda handle: QueueHandler(handle, queue_max=3)]
)
async def test_event_of_a_closed_page_is_not_handled(kind: Any) -> None:
    page = _Page()
    listener = kind(page.handle)
    await page.fire(listener, 1, 2)
    page.sender.is_deleted = True
    await page.finish()
    assert page.handled == [1]

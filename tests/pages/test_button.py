"""Buttons on a page that is connected."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import pytest
from nicegui import ui
from nicegui.events import ClickEventArguments, Handler

from anonchat import InvalidTopic
from pages.elements.button import Button
from pages.layout import page
from tests.pages.tab import Tab, open_tab, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_numbers = count(1)


@asynccontextmanager
async def _open(url: str, on_click: Handler[ClickEventArguments]) -> AsyncIterator[Tab]:
    path = f"/button-{next(_numbers)}"

    @page(path)
    def build() -> None:
        Button("Press", on_click=on_click)

    async with open_tab(url, path) as tab:
        yield tab


async def _press(tab: Tab) -> None:
    (listener,) = (each for each in tab.listeners() if each.type == "click")
    await tab.fire(listener)


async def test_click_calls_a_handler_with_or_without_the_event(url: str) -> None:
    calls: list[str] = []

    def handle(event: ClickEventArguments) -> None:
        assert isinstance(event.sender, Button)
        calls.append(event.sender.text)

    async with _open(url, handle) as tab:
        await _press(tab)
        await wait_until(lambda: calls == ["Press"])
    async with _open(url, lambda: calls.append("no event")) as tab:
        await _press(tab)
        await wait_until(lambda: calls == ["Press", "no event"])


async def test_handler_can_add_elements(url: str) -> None:
    async def handle() -> None:
        await asyncio.sleep(0)
        ui.label("added after a pause")

    async with _open(url, handle) as tab:
        await _press(tab)
        await wait_until(lambda: any("added after" in frame for frame in tab.received))


async def test_clicks_are_ignored_while_the_handler_runs(url: str) -> None:
    calls: list[int] = []
    may_end = asyncio.Event()

    async def handle() -> None:
        calls.append(1)
        await may_end.wait()
        calls.append(2)

    async with _open(url, handle) as tab:
        for _ in range(5):
            await _press(tab)
        assert calls == [1]
        may_end.set()
        await wait_until(lambda: calls == [1, 2])
        await _press(tab)
        await wait_until(lambda: calls == [1, 2, 1, 2])


async def test_button_works_after_its_handler_failed(url: str) -> None:
    calls: list[int] = []

    async def handle() -> None:
        calls.append(1)
        raise InvalidTopic

    async with _open(url, handle) as tab:
        for number in (1, 2):
            await _press(tab)
            await wait_until(lambda: len(calls) == number)  # noqa: B023 - awaited here


async def test_button_is_busy_while_its_handler_runs(url: str) -> None:
    is_free = asyncio.Event()
    async with _open(url, is_free.wait) as tab:
        (button,) = (each for each in tab.client.elements.values() if isinstance(each, Button))
        assert "aria-busy" not in button.props
        await _press(tab)
        await wait_until(lambda: button.props.get("aria-busy") is True)
        is_free.set()
        await wait_until(lambda: button.props["aria-busy"] is False)


async def test_button_of_a_failed_handler_is_not_busy(url: str) -> None:
    async def refuse() -> None:
        await asyncio.sleep(0)
        raise InvalidTopic("too long")

    async with _open(url, refuse) as tab:
        (button,) = (each for each in tab.client.elements.values() if isinstance(each, Button))
        await _press(tab)
        await wait_until(lambda: button.props.get("aria-busy") is False)

"""The snippets of docs/customising.md are pages that work."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from nicegui import ui
from nicegui.event_listener import EventListener

from anonchat import Chat
from pages import room, shell
from pages.context import PageContext
from pages.feeds.broadcaster import FeedBroadcaster
from pages.http.auth import SessionAuth
from pages.i18n.language import load_languages
from tests.fakes import THEMES
from tests.pages.tab import Tab, open_tab, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

_GUIDE = Path(__file__).parents[2] / "docs" / "customising.md"
_SNIPPET = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _read_snippet(heading: str) -> str:
    section = _GUIDE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (snippet,) = _SNIPPET.findall(section)
    return str(snippet)


def _change_room(monkeypatch: pytest.MonkeyPatch, heading: str, *, above: str) -> None:
    """Insert the snippet under a heading into the module of the room, above a line."""
    source = Path(room.__file__).read_text()
    assert source.count(above) == 1
    source = source.replace("from nicegui import html\n", "from nicegui import html, ui\n")
    source = source.replace(above, _read_snippet(heading) + above)
    names: dict[str, Any] = {"__name__": "pages.room", "__package__": "pages"}
    exec(compile(source, heading, "exec", dont_inherit=True), names)
    monkeypatch.setitem(shell._PATHS, "/r/{slug}", names["room"])


@asynccontextmanager
async def _open_room(chat: Chat, url: str, nickname: str) -> AsyncIterator[Tab]:
    visitor, token = await chat.identity.sign_in(nickname)
    found = await chat.rooms.create(f"room of {nickname}", visitor_id=visitor.id)
    async with open_tab(url, f"/r/{found.slug}", token=token) as tab:
        yield tab


def _register(heading: str, chat: Chat) -> None:
    """Run the snippet under a heading, and add its page."""
    snippet = _read_snippet(heading)
    names: dict[str, Any] = {"__name__": "customised"}
    exec(compile(snippet, heading, "exec", dont_inherit=True), names)
    feeds = FeedBroadcaster(chat.clock, chat.metrics, chat.work_budget)
    names["register"](PageContext(chat, feeds, SessionAuth(chat), load_languages(), THEMES))


def _listener(tab: Tab, event: str, label: str = "") -> EventListener:
    """Return the only listener to an event of the elements with that text or accessible name."""
    elements = tab.client.elements
    (listener,) = (
        each
        for each in tab.listeners()
        if each.type == event and (not label or label in _labels(elements[each.element_id]))
    )
    return listener


def _labels(element: ui.element) -> tuple[object, object]:
    return element._text, element.props.get("aria-label")


def _has_received(tab: Tab, text: str) -> Callable[[], bool]:
    return lambda: any(text in frame for frame in tab.received)


async def test_page_of_the_guide_is_painted_and_greets(
    browser: httpx.AsyncClient, url: str, chat: Chat
) -> None:
    _register("A page", chat)
    page = (await browser.get("/hello")).text
    assert "<title>Hello · anonchat</title>" in page
    assert re.search(r">Hello</h1><p id=\"c\d+\">\d+ rooms?</p><button ", page)
    async with open_tab(url, "/hello") as tab:
        await tab.fire(_listener(tab, "click", "Greet"))
        await wait_until(_has_received(tab, "Good evening"))


async def test_label_of_the_guide_follows_the_state(url: str, chat: Chat) -> None:
    _register("A label that follows a state", chat)
    async with open_tab(url, "/taste") as tab:
        select = _listener(tab, "update:modelValue")
        await tab.fire(select, {"value": 1, "label": "coffee"})
        await wait_until(_has_received(tab, "A cup of coffee, please."))


async def test_button_of_the_guide_is_in_the_header_of_a_room(
    url: str, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change_room(monkeypatch, "A button in the header of a room", above='    IconButton("leave", ')
    async with _open_room(chat, url, "Dora") as tab:
        await tab.fire(_listener(tab, "click", "Roll the dice"))
        await wait_until(_has_received(tab, "You rolled a 4"))


async def test_select_of_the_guide_is_in_the_panel_of_a_room(
    url: str, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    _change_room(monkeypatch, "A select in the panel of a room", above='    Button(_("Settings"), ')
    async with _open_room(chat, url, "Selma") as tab:
        select = _listener(tab, "update:modelValue")
        await tab.fire(select, {"value": 1, "label": "By arrival"})
        await wait_until(
            lambda: any(each._text == "By arrival" for each in tab.client.elements.values())
        )


async def test_dialog_of_the_guide_is_awaited_and_deleted(url: str, chat: Chat) -> None:
    _register("A dialog", chat)
    async with open_tab(url, "/lamp") as tab:
        before = {*tab.client.elements}
        await tab.fire(_listener(tab, "click", "Switch off"))
        await wait_until(_has_received(tab, "Switch the lamp off?"))
        await tab.fire(_listener(tab, "click", "Yes"))
        await wait_until(_has_received(tab, "It is dark now"))
        await wait_until(
            lambda: not any("q-card" in each.tag for each in tab.client.elements.values())
        )
        assert before <= {*tab.client.elements}

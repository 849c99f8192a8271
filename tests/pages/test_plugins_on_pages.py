"""What pages do with events of panels and actions, forged ones included."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from nicegui import ui
from nicegui.event_listener import EventListener

from anonchat import Chat, PluginHost, Room
from pages.context import PageContext
from pages.elements.plugin_area import PluginArea
from tests.pages.tab import Tab, open_tab, wait_until

pytestmark = pytest.mark.asyncio(loop_scope="session")

VOTES = "sample.show_votes"


@dataclass
class _Member:
    """A member of a room, and their page of it."""

    chat: Chat
    room: Room
    visitor_id: str
    tab: Tab

    def listener(self, event: str, tag: str = "") -> EventListener:
        """Return the last listener to an event, of elements with a tag if one is given.

        Of the lists it is that of the messages.
        """
        elements = self.tab.client.elements
        return [
            each
            for each in self.tab.listeners()
            if each.type == event
            and tag in elements[each.element_id].tag
            and elements[each.element_id]._props.get("channel", "messages") == "messages"
        ][-1]

    async def open_panel(self, id: object) -> None:
        await self.tab.fire(self.listener("open", "side_tabs"), id)

    async def open_votes(self) -> None:
        await self.open_panel(VOTES)
        await wait_until(lambda: self.shows("tea: 0"))

    @property
    def plugins(self) -> PluginHost:
        context: PageContext = self.tab.client.request.scope["context"]
        return context.plugins

    async def vote(self) -> None:
        await self.tab.fire(self.listener("update:modelValue"), {"value": 0, "label": "tea"})

    async def click(self, text: str) -> None:
        (button,) = [
            each
            for each in self.tab.client.elements.values()
            if isinstance(each, ui.button) and each.text == text
        ]
        (listener,) = button._event_listeners.values()
        await self.tab.fire(listener, {})

    async def leave(self) -> None:
        await self.chat.memberships.leave(self.room.id, visitor_id=self.visitor_id)

    def shows(self, text: str) -> bool:
        return any(each._text == text for each in self.tab.client.elements.values())

    def areas(self) -> list[ui.element]:
        return [each for each in self.tab.client.elements.values() if isinstance(each, PluginArea)]

    def has_received(self, text: str) -> Callable[[], bool]:
        return lambda: any(text in frame for frame in self.tab.received)


@asynccontextmanager
async def _enter(chat: Chat, url: str, name: str) -> AsyncIterator[_Member]:
    visitor, token = await chat.identity.sign_in(name)
    room = await chat.rooms.create(f"room of {name}", visitor_id=visitor.id)
    async with open_tab(url, f"/r/{room.slug}", token=token) as tab:
        yield _Member(chat, room, visitor.id, tab)


async def test_panel_is_built_once_when_it_is_opened(chat: Chat, url: str) -> None:
    async with _enter(chat, url, "Once Ona") as ona:
        assert not ona.areas()
        await ona.open_votes()
        areas = ona.areas()
        await ona.open_panel(VOTES)
        await ona.open_panel("sample.show_half")
        await wait_until(ona.has_received("That did not work."))
        assert ona.areas()[: len(areas)] == areas
        assert not ona.shows("a half")


@pytest.mark.parametrize("id", ["", "sample.nothing", None, 1, [VOTES], {"id": VOTES}])
async def test_unknown_panel_is_not_built(chat: Chat, url: str, id: object) -> None:
    async with _enter(chat, url, f"Odd {str(id)[:9]}") as odd:
        await odd.open_panel(id)
        await odd.open_votes()
        assert len(odd.areas()) == 1


async def test_former_member_cannot_change_the_state(chat: Chat, url: str) -> None:
    async with _enter(chat, url, "Former Fee") as fee:
        await fee.open_votes()
        await fee.leave()
        await fee.vote()
        await wait_until(fee.has_received("Join the room first"))
        assert await fee.plugins.room_state("sample", fee.room.id).items() == {}


async def test_former_member_cannot_open_a_panel(chat: Chat, url: str) -> None:
    async with _enter(chat, url, "Late Lou") as lou:
        await lou.leave()
        await lou.open_panel(VOTES)
        await wait_until(lou.has_received("Join the room first"))
        assert not lou.shows("tea: 0")


async def test_former_member_cannot_run_actions(chat: Chat, url: str) -> None:
    async with _enter(chat, url, "Gone Gil") as gil:
        posted = await chat.messages.post(gil.room.id, visitor_id=gil.visitor_id, text="one")
        host, _ = await chat.identity.sign_in("Host of Gil")
        await chat.memberships.join(gil.room.id, visitor_id=host.id)
        await gil.leave()
        await gil.tab.fire(gil.listener("act", "action_buttons"), "sample.roll")
        action = {"act": "sample.quote", "key": str(posted.seq)}
        await gil.tab.fire(gil.listener("act", "live_list"), action)
        await wait_until(gil.has_received("failAction"))
        history = await chat.messages.history(gil.room.id, visitor_id=host.id, limit=9)
        assert [message.text for message in history] == ["one"]


@pytest.mark.parametrize("act", ["sample.quote", "sample.roll", "", None, ["sample.quote"]])
async def test_action_needs_an_existing_message(
    chat: Chat, url: str, act: object, caplog: pytest.LogCaptureFixture
) -> None:
    async with _enter(chat, url, f"Miss {str(act)[:14]}") as miss:
        await chat.messages.post(miss.room.id, visitor_id=miss.visitor_id, text="one")
        await miss.tab.fire(miss.listener("act", "live_list"), {"act": act, "key": "77"})
        if act == "sample.quote":
            await wait_until(miss.has_received("There is no such message"))
        await miss.open_votes()  # the event before it is handled
        history = await chat.messages.history(miss.room.id, visitor_id=miss.visitor_id, limit=9)
        assert [message.text for message in history] == ["one"]
        assert not [each for each in caplog.records if each.levelname == "ERROR"]


async def test_watchers_end_with_the_page(chat: Chat, url: str) -> None:
    async with _enter(chat, url, "Watching Wim") as wim:
        await wim.open_votes()
        assert wim.plugins.count_watchers(wim.room.id, "sample") == 1
        await wim.vote()
        await wait_until(lambda: wim.shows("tea: 1"))
        await wim.tab.emit(
            "event",
            {
                "id": 0,
                "client_id": wim.tab.client.id,
                "listener_id": next(
                    each.id for each in wim.tab.listeners() if each.type == "sub_pages_open"
                ),
                "args": ['"/"'],
            },
        )
        await wait_until(lambda: wim.plugins.count_watchers(wim.room.id, "sample") == 0)
        assert not wim.areas()


async def test_changes_that_follow_each_other_are_drawn_together(chat: Chat, url: str) -> None:
    async with _enter(chat, url, "Busy Bo") as bo:
        await bo.open_votes()
        drawn = sum("tea: " in frame for frame in bo.tab.received)
        state = bo.plugins.room_state("sample", bo.room.id)
        for number in range(20):
            await state.put(f"voter {number}", "tea")
        await wait_until(lambda: bo.shows("tea: 20"))
        await wait_until(bo.has_received("tea: 20"))
        assert sum("tea: " in frame for frame in bo.tab.received) - drawn < 20


@pytest.mark.parametrize("button", ["Block", "Block later"])
async def test_handler_that_blocks_is_named_in_the_log(
    chat: Chat, url: str, button: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with _enter(chat, url, f"{button} Bea") as bea:
        await bea.open_votes()
        await bea.click(button)
        line = "plugin sample: a page event blocked all visitors for"
        await wait_until(lambda: any(each.startswith(line) for each in caplog.messages))


async def test_route_takes_calls_of_other_programs_but_not_of_other_sites(
    browser: httpx.AsyncClient,
) -> None:
    url, body = "/plugins/sample/echo", {"text": "green"}
    answer = await browser.post(url, json=body)
    assert (answer.status_code, answer.json()) == (200, body)
    foreign = {"Origin": "https://evil.example"}
    assert (await browser.post(url, json=body, headers=foreign)).status_code == 403
    assert (await browser.post(url, json={"text": "x" * 70_000})).status_code == 413

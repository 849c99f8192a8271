"""A lobby with more rooms than one page of the list holds."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from anonchat import Chat
from tests.browser.world import World
from tests.fakes import make_settings, sign_in
from tests.servers.server_process import ServerProcess

_ROOMS = 300


async def _create_rooms(folder: Path) -> None:
    chat = Chat(make_settings(folder))
    await chat.start()
    for number in range(_ROOMS):
        if number % 100 == 0:  # below rooms_per_visitor_max
            owner = await sign_in(chat, f"Landlord {number}")
        await chat.rooms.create(f"room number {number}", visitor_id=owner.id)
    await chat.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server_process(
    tmp_path_factory: pytest.TempPathFactory, port: int
) -> AsyncIterator[ServerProcess]:
    server_process = ServerProcess(tmp_path_factory.mktemp("site"))
    server_process.port = port
    await _create_rooms(server_process.data)
    await server_process.start()
    yield server_process
    await server_process.stop()


async def test_first_page_of_rooms_keeps_its_order(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.expect_connected()
    (mira,) = await world.members("room number 299", "Mira")
    card = ann.public_room("room number 299")
    await expect(card).to_contain_text("1 here")
    await ann.page.reload()
    await ann.expect_connected()
    await mira.leave_room()
    await expect(card).to_contain_text("nobody")
    names = (
        await ann.region("Public rooms").get_by_role("listitem").locator("b").all_text_contents()
    )
    assert names[:60] == [f"room number {number}" for number in range(299, 239, -1)]


async def test_scrolling_loads_all_rooms(world: World) -> None:
    ann = await world.visitor("Ann")
    cards = ann.region("Public rooms").get_by_role("listitem")
    await expect(ann.region("Public rooms")).to_contain_text(f"{_ROOMS} rooms")
    await expect(cards.first).to_be_visible()
    assert await cards.count() < _ROOMS
    for _ in range(40):
        shown = await cards.count()
        if shown == _ROOMS:
            break
        await cards.last.evaluate("(card) => card.scrollIntoView()")
        await expect(cards.nth(shown)).to_be_attached()
    await expect(cards).to_have_count(_ROOMS)
    names = await cards.locator("b").all_text_contents()
    assert sorted(names) == sorted(f"room number {number}" for number in range(_ROOMS))


async def test_room_search_finds_a_room_that_is_not_loaded(world: World) -> None:
    ann = await world.visitor("Ann")
    await expect(ann.public_room("room number 7")).to_have_count(0)
    await ann.room_search.press_sequentially("number 7")
    await expect(ann.page.get_by_role("option").first).to_contain_text("room number 7")
    await expect(ann.page.get_by_role("option")).to_have_count(8 + 1)
    await expect(ann.page.get_by_role("option").last).to_contain_text("Create “number 7”")
    await ann.open_room("room number 7")

"""A lobby with more rooms than fit on a page, and one with none."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import expect

from anonchat import Chat
from tests.browser.house import House
from tests.browser.world import World
from tests.fakes import come_in, make_settings

_ROOMS = 300


async def _furnish(folder: Path) -> None:
    chat = Chat(make_settings(folder))
    await chat.start()
    for number in range(_ROOMS):
        if number % 100 == 0:  # nobody may own them all
            owner = await come_in(chat, f"Landlord {number}")
        await chat.rooms.create(f"room number {number}", visitor_id=owner.id)
    await chat.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory) -> AsyncIterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    await _furnish(house.data)
    await house.start()
    yield house
    await house.stop()


async def test_the_first_page_stays_in_its_order(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.is_connected()
    (mira,) = await world.members("room number 299", "Mira")
    card = ann.public_room("room number 299")
    await expect(card).to_contain_text("1 here")
    await ann.page.reload()
    await ann.is_connected()
    await mira.leaves()
    await expect(card).to_contain_text("nobody")
    names = (
        await ann.region("Public rooms").get_by_role("listitem").locator("b").all_text_contents()
    )
    assert names[:60] == [f"room number {number}" for number in range(299, 239, -1)]


async def test_scrolling_brings_further_rooms_until_all_are_there(world: World) -> None:
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


async def test_the_box_finds_a_room_that_no_page_shows_yet(world: World) -> None:
    ann = await world.visitor("Ann")
    await expect(ann.public_room("room number 7")).to_have_count(0)
    await ann.finder.press_sequentially("number 7")
    await expect(ann.page.get_by_role("option").first).to_contain_text("room number 7")
    await expect(ann.page.get_by_role("option")).to_have_count(8)
    await ann.opens("room number 7")

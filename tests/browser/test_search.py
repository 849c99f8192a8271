"""Searching the messages of a room."""

import asyncio

from playwright.async_api import Locator, expect

from tests.browser.person import RUSSIAN, Person
from tests.browser.world import World

PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}
_ROWS = 130


async def search(person: Person, words: str) -> Locator:
    """Open the search, type the words, and return the list of results."""
    await person.button("Search").click()
    await search_box(person).fill(words)
    return results(person)


def search_box(person: Person) -> Locator:
    return person.dialog.get_by_role("searchbox", name="Search in this room")


def results(person: Person) -> Locator:
    return person.dialog.get_by_role("list", name="Results")


async def fill_room(person: Person, count: int) -> None:
    """Post numbered lines through the API."""
    cookies = {each["name"]: each["value"] for each in await person.context.cookies(person.home)}
    slug = person.page.url.rsplit("/", 1)[-1]

    async def post(number: int) -> None:
        response = await person.context.request.post(
            f"{person.home}/api/v1/rooms/{slug}/messages",
            data={"text": f"line {number}"},
            headers={
                "Origin": person.home,
                "Authorization": f"Bearer {cookies['anonchat']}",
            },
        )
        assert response.ok, await response.text()

    for first in range(0, count, 10):
        await asyncio.gather(*(post(number) for number in range(first, min(first + 10, count))))


async def test_results_show_author_and_text_with_the_hits_marked(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("Green TEA <b>for</b> all", "coffee")
    await ann.expect_message("coffee")
    await ann.button("Search").click()
    await expect(search_box(ann)).to_be_focused()
    await expect(ann.dialog.get_by_role("status")).to_contain_text("not faded yet")
    await search_box(ann).fill("tea <b>")
    items = results(ann).get_by_role("listitem")
    await expect(items).to_have_count(1)
    await expect(items).to_contain_text(mira.nickname)
    await expect(items).to_contain_text("Green TEA <b>for</b> all")
    await expect(items.locator("mark")).to_have_text(["TEA", "<b>"])
    await expect(items.locator("time")).not_to_be_empty()
    await search_box(ann).fill("milk")
    await expect(ann.dialog.get_by_role("status")).to_contain_text("Nothing was found")
    await expect(results(ann)).to_be_hidden()
    await ann.close_dialog()
    await expect(ann.button("Search")).to_be_focused()


async def test_result_leads_to_a_message_that_is_on_another_page(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("a needle in the hay")
    await fill_room(ann, _ROWS)
    await ann.page.reload()
    await ann.expect_connected()
    await expect(ann.message("a needle in the hay")).to_have_count(0)
    found = await search(ann, "NEEDLE")
    await found.get_by_role("button").click()
    await expect(ann.dialog).to_have_count(0)
    needle = ann.message("a needle in the hay")
    await expect(needle).to_be_in_viewport()
    await expect(needle).to_be_focused()
    await expect(ann.to_latest).to_be_visible()
    await ann.to_latest.click()
    await expect(ann.log.locator("[data-key]").last).to_be_in_viewport()


async def test_words_are_kept_while_the_room_is_open(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("tea", "coffee")
    found = await search(ann, "tea")
    await expect(found.get_by_role("button")).to_have_count(1)
    await search_box(ann).press("ArrowDown")
    await expect(found.get_by_role("button")).to_be_focused()
    await ann.page.keyboard.press("Enter")
    await expect(ann.message("tea")).to_be_focused()
    await ann.button("Search").click()
    await expect(search_box(ann)).to_have_value("tea")
    await expect(results(ann).get_by_role("listitem")).to_have_count(1)
    await ann.close_dialog()
    await ann.page.reload()
    await ann.expect_connected()
    await ann.button("Search").click()
    await expect(search_box(ann)).to_have_value("")


async def test_deleted_message_leaves_the_results(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("green tea", "black tea")
    await mira.expect_message("black tea")
    found = await search(mira, "tea")
    await expect(found.get_by_role("listitem")).to_have_count(2)
    await ann.delete_message("green tea")
    await expect(found.get_by_role("listitem")).to_have_count(1)
    await expect(found).to_contain_text("black tea")


async def test_search_in_russian_on_a_phone(world: World, room: str) -> None:
    mira = await world.visitor("Mira", words=RUSSIAN, locale="ru-RU", **PHONE)
    await mira.enter_room(room)
    await mira.post_messages("Зелёный чай " + "и ещё чай " * 60)
    await mira.button("Поиск").tap()
    box = mira.dialog.get_by_role("searchbox", name="Поиск в этой комнате")
    await box.fill("ЧАЙ")
    found = mira.dialog.get_by_role("list", name="Результаты")
    await expect(found.get_by_role("listitem")).to_have_count(1)
    width = await mira.page.evaluate("document.documentElement.scrollWidth")
    assert width <= PHONE["width"]
    await found.get_by_role("button").tap()
    await expect(mira.dialog).to_have_count(0)

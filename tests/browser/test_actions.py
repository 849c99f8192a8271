"""Actions of plugins in the header of a room and in the menus of its messages."""

import pytest
from playwright.async_api import expect

from tests.browser.person import RUSSIAN, Person, Words
from tests.browser.plugin_server import serve_plugin
from tests.browser.world import World

__all__ = ["serve_plugin"]  # the fixture `server_process`

PHONE = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
_OVERLAPS = """() => {
    const boxes = [...document.querySelectorAll(".talk > header button, .talk > header h1")]
        .filter((node) => node.checkVisibility()).map((node) => node.getBoundingClientRect());
    return boxes.some((one, index) => boxes.slice(index + 1).some((two) =>
        one.left < two.right - 1 && two.left < one.right - 1
        && one.top < two.bottom - 1 && two.top < one.bottom - 1));
}"""


async def test_action_in_the_header_posts_for_all(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.button("Roll").click()
    for person in (ann, bob):
        await person.expect_message("rolled a 4")
    await ann.button("More actions").click()
    await expect(ann.menu.get_by_role("menuitem")).to_have_text(["Save messages"])


async def test_told_text_is_shown_to_the_caller_alone(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.button("Whisper").click()
    await expect(ann.page.get_by_text(f"only {ann.nickname} reads this")).to_be_visible()
    await ann.post_messages("after it")
    await bob.expect_messages("after it")
    await expect(bob.page.get_by_text("reads this")).to_have_count(0)


async def test_action_in_the_menu_gets_the_message(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.post_messages("one", "two")
    await bob.open_menu("one")
    await expect(bob.menu.get_by_role("menuitem")).to_have_text(
        ["Copy text", "Copy link", "Quote", "Judge"]
    )
    await bob.menu_item("Quote").click()
    for person in (ann, bob):
        await person.expect_message("quoted: one")


async def test_refusal_is_shown_in_the_list(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    await ann.open_menu("one")
    await ann.menu_item("Judge").click()
    await ann.expect_alert("Who are we to judge?")
    await ann.expect_messages("one")


async def test_actions_are_in_a_menu_on_a_phone(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    await ann.post_messages("one")
    await expect(ann.button("Roll")).to_be_hidden()
    assert not await ann.page.evaluate(_OVERLAPS)
    assert await ann.page.evaluate("document.documentElement.scrollWidth") == 360
    await ann.button("More actions").tap()
    await expect(ann.menu.get_by_role("menuitem")).to_have_text(
        ["Roll", "Whisper", "Save messages"]
    )
    await ann.menu_item("Roll").tap()
    await expect(ann.menu).to_have_count(0)
    await ann.expect_message("rolled a 4")


async def test_menu_of_actions_is_usable_by_keyboard(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=700)
    keys = ann.page.keyboard
    await ann.button("More actions").focus()
    await keys.press("Enter")
    await expect(ann.menu_item("Roll")).to_be_focused()
    await keys.press("ArrowUp")
    await expect(ann.menu_item("Save messages")).to_be_focused()
    await keys.press("Escape")
    await expect(ann.menu).to_have_count(0)
    await expect(ann.button("More actions")).to_be_focused()
    await keys.press("Enter")
    await keys.press("Enter")
    await ann.expect_message("rolled a 4")


@pytest.mark.parametrize("way", ["header", "menu"])
async def test_actions_are_named_in_the_language_of_the_page(
    world: World, room: str, way: str
) -> None:
    ann = await _open_in_russian(world, room, RUSSIAN)
    if way == "header":
        await ann.button("Бросить").click()
        await ann.expect_message("rolled a 4")
    else:
        await ann.post_messages("раз")
        await ann.open_menu("раз")
        await ann.menu_item("Цитировать").click()
        await ann.expect_message("quoted: раз")


async def _open_in_russian(world: World, room: str, words: Words) -> Person:
    (ann,) = await world.members(room, "Ann", words=words, locale="ru-RU")
    return ann

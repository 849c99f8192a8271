"""Reactions to messages."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World


def chip(person: Person, text: str, name: str) -> Locator:
    """Find the button of a reaction below a message."""
    return person.message(text).get_by_role("button", name=name, exact=True)


async def open_picker(person: Person, text: str) -> Locator:
    """Choose "React" in the menu of a message."""
    await person.open_menu(text)
    await person.menu_item("React").click()
    picker = person.page.get_by_role("dialog", name="React", exact=True)
    await expect(picker).to_be_visible()
    return picker


async def react(person: Person, text: str, emoji: str) -> None:
    """React with one of the quick emoji."""
    picker = await open_picker(person, text)
    await picker.get_by_role("button", name=emoji, exact=True).click()
    await expect(picker).to_have_count(0)


async def test_reactions_are_counted_for_everybody(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("one")
    await mira.expect_message("one")
    await react(ann, "one", "👍")
    await expect(chip(ann, "one", "👍 1")).to_have_attribute("aria-pressed", "true")
    await expect(chip(mira, "one", "👍 1")).to_have_attribute("aria-pressed", "false")
    await expect(chip(mira, "one", "👍 1")).to_have_attribute("title", ann.nickname)
    await chip(mira, "one", "👍 1").click()
    for person, title in ((ann, f"you and {mira.nickname}"), (mira, f"{ann.nickname} and you")):
        await expect(chip(person, "one", "👍 2")).to_have_attribute("aria-pressed", "true")
        await expect(chip(person, "one", "👍 2")).to_have_attribute("title", title)
    await chip(ann, "one", "👍 2").click()
    await expect(chip(ann, "one", "👍 1")).to_have_attribute("aria-pressed", "false")
    await expect(chip(mira, "one", "👍 1")).to_have_attribute("aria-pressed", "true")
    await ann.page.reload()
    await expect(chip(ann, "one", "👍 1")).to_have_attribute("aria-pressed", "false")
    await chip(mira, "one", "👍 1").click()
    await expect(ann.message("one").locator(".reaction")).to_have_count(0)


async def test_any_emoji_can_be_chosen(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    await (await open_picker(ann, "one")).get_by_role("button", name="More emoji").click()
    emoji = ann.page.get_by_role("dialog", name="Emoji", exact=True)
    await emoji.get_by_role("searchbox", name="Search emoji").press_sequentially("hedgehog")
    await expect(emoji.get_by_role("gridcell")).to_have_text(["🦔"])
    await ann.page.keyboard.press("Enter")
    await expect(emoji).to_have_count(0)
    await expect(chip(ann, "one", "🦔 1")).to_be_visible()
    await expect(ann.message("one")).to_be_focused()


@pytest.mark.parametrize("way", ["Escape", "click", "scroll"])
async def test_picker_closes_without_a_reaction(world: World, room: str, way: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    picker = await open_picker(ann, "one")
    match way:
        case "click":
            await ann.message_input.click()
        case "scroll":
            await ann.page.mouse.wheel(0, 100)
        case _:
            await ann.page.keyboard.press(way)
    await expect(picker).to_have_count(0)
    await expect(ann.message("one").locator(".reaction")).to_have_count(0)
    if way == "Escape":
        await expect(ann.message("one")).to_be_focused()


async def test_reactions_are_usable_by_keyboard(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    keys = ann.page.keyboard
    await ann.log.focus()
    for key in ("ArrowUp", "Enter", "Enter"):
        await keys.press(key)
    await expect(ann.page.get_by_role("dialog").get_by_role("button").first).to_be_focused()
    await keys.press("Enter")
    await expect(chip(ann, "one", "👍 1")).to_be_visible()
    await ann.log.focus()
    await keys.press("ArrowUp")
    await keys.press("ArrowRight")
    await expect(chip(ann, "one", "👍 1")).to_be_focused()
    await keys.press("Enter")
    await expect(ann.message("one").locator(".reaction")).to_have_count(0)


async def test_open_menu_stays_while_others_react(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("one")
    await mira.expect_message("one")
    await ann.open_menu("one")
    await react(mira, "one", "🎉")
    await expect(chip(ann, "one", "🎉 1")).to_be_visible()
    await ann.menu_item("Edit").click()
    await expect(ann.message_input).to_have_value("one")

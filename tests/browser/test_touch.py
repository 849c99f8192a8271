"""Touch screens: what cannot be seen cannot be pressed, and what can be done can be seen."""

import pytest
from playwright.async_api import expect

from tests.browser.world import World

TABLET = {"width": 820, "height": 1180, "has_touch": True, "is_mobile": True}

_INVISIBLE_TARGETS = """() => [...document.querySelectorAll("a, button, summary")]
    .filter((node) => node.checkVisibility({ visibilityProperty: true }))
    .filter((node) => !node.checkVisibility({ opacityProperty: true }))
    .filter((node) => getComputedStyle(node).pointerEvents !== "none")
    .map((node) => node.outerHTML)"""
_AT_ITS_CENTRE = """(node) => {
    const { x, y, width, height } = node.getBoundingClientRect();
    return document.elementFromPoint(x + width / 2, y + height / 2).closest("a, button").className;
}"""


@pytest.mark.parametrize("has_touch", [True, False], ids=["touch", "mouse"])
async def test_invisible_controls_cannot_be_pressed(
    world: World, room: str, has_touch: bool
) -> None:
    (ann,) = await world.members(room, "Ann", width=820, has_touch=has_touch)
    for path in ("/", ann.page.url.removeprefix(ann.home)):
        await ann.open_path(path)
        await expect(ann.own_room(room)).to_be_visible()
        assert await ann.page.evaluate(_INVISIBLE_TARGETS) == []


async def test_unread_badge_opens_the_room_on_a_tablet(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", **TABLET)
    await ann.open_path("/")
    await mira.send_message("are you there?")
    badge = ann.own_room(room).locator("[data-unread]")
    await expect(badge).to_be_visible()
    assert await badge.evaluate(_AT_ITS_CENTRE) == "sidebar-room"


async def test_room_can_be_left_from_the_sidebar_of_a_tablet(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **TABLET)
    await ann.open_path("/")
    await ann.button(f"Leave “{room}”").tap()
    await expect(ann.own_room(room)).to_have_count(0)


async def test_enter_of_a_touch_keyboard_makes_a_new_line(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", **TABLET)
    await expect(ann.message_input).to_have_attribute("enterkeyhint", "enter")
    await ann.message_input.press_sequentially("one")
    await ann.message_input.press("Enter")
    await ann.message_input.press_sequentially("two")
    await expect(ann.message_input).to_have_value("one\ntwo")
    await ann.button("Send").tap()
    await mira.expect_messages("one\ntwo")
    await ann.message_input.fill("by a keyboard beside it")
    await ann.message_input.press("Control+Enter")
    await mira.expect_messages("one\ntwo", "by a keyboard beside it")

"""The lifetime that an author chooses for a message."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import RUSSIAN, Person
from tests.browser.world import World

TABLET = {"width": 1024, "height": 800, "has_touch": True, "is_mobile": True}
AS_ROOM = "Disappears after"


def choice(person: Person, name: str) -> Locator:
    """Find a lifetime in the open menu."""
    return person.menu.get_by_role("menuitemradio", name=name, exact=True)


async def choose(person: Person, name: str, *, now: str = AS_ROOM) -> None:
    """Choose a lifetime in the menu of the composer; `now` is the name of its button."""
    await person.button(now).click()
    await choice(person, name).click()
    await expect(person.menu).to_have_count(0)


async def time_left(person: Person, text: str) -> str:
    """Return the time that a message has left, as its row shows it."""
    return await person.message(text).get_by_role("timer").inner_text()


async def test_own_lifetime_of_a_message_is_shown_to_everybody(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await choose(ann, "10 min")
    await expect(ann.button("Disappears after: 10 min")).to_have_text("10 min")
    await expect(ann.message_input).to_have_attribute("placeholder", "Message, gone in 10 min")
    await ann.post_messages("short")
    await choose(ann, "As the room", now="Disappears after: 10 min")
    await ann.post_messages("long")
    for person in (ann, mira):
        await person.expect_message("long")
        assert await time_left(person, "short") in ("10 min", "9 min")
        assert "hr" in await time_left(person, "long")


async def test_chosen_lifetime_is_kept_for_the_tab_and_the_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await choose(ann, "1 min")
    await ann.page.reload()
    await expect(ann.button("Disappears after: 1 min")).to_be_visible()
    await ann.button("Disappears after: 1 min").click()
    await expect(choice(ann, "1 min")).to_be_checked()
    await expect(choice(ann, "As the room")).not_to_be_checked()
    await ann.page.keyboard.press("Escape")
    await ann.enter_room(world.name("another room"))
    await expect(ann.button(AS_ROOM)).to_be_visible()
    await ann.open_tab_beside()
    await ann.enter_room(room)
    await expect(ann.button(AS_ROOM)).to_be_visible()


async def test_lifetime_is_chosen_by_keyboard(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    keys = ann.page.keyboard
    await ann.message_input.press("Tab")
    await expect(ann.button(AS_ROOM)).to_be_focused()
    await keys.press("Enter")
    await expect(choice(ann, "As the room")).to_be_focused()
    await keys.press("Escape")
    await expect(ann.menu).to_have_count(0)
    await expect(ann.button(AS_ROOM)).to_be_focused()
    for key in ("Space", "ArrowDown", "ArrowDown", "Enter"):
        await keys.press(key)
    await expect(ann.button("Disappears after: 10 min")).to_be_focused()
    await keys.press("Enter")
    await expect(choice(ann, "10 min")).to_be_focused()


async def test_lifetime_is_chosen_by_touch(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **TABLET)
    await ann.button(AS_ROOM).tap()
    await ann.message_input.tap()
    await expect(ann.menu).to_have_count(0)
    await ann.button(AS_ROOM).tap()
    await choice(ann, "1 hr").tap()
    await expect(ann.menu).to_have_count(0)
    await ann.post_messages("one")
    assert await time_left(ann, "one") in ("1 hr", "59 min")


async def test_menu_has_only_lifetimes_below_that_of_the_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await choose(ann, "1 hr")
    await ann.button("Room settings").click()
    await ann.dialog.get_by_label("Messages disappear after").select_option("10m")
    await ann.dialog.get_by_role("button", name="Save").click()
    await expect(ann.dialog).to_have_count(0)
    await expect(ann.message_input).to_have_attribute("placeholder", "Message, gone in 10 min")
    await ann.button(AS_ROOM).click()
    await expect(choice(ann, "1 min")).to_be_visible()
    await expect(choice(ann, "10 min")).to_have_count(0)
    await choice(ann, "As the room").click()
    await ann.post_messages("one")
    assert await time_left(ann, "one") in ("10 min", "9 min")


async def test_message_of_a_command_has_the_chosen_lifetime(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await choose(ann, "10 min")
    await ann.send_message("/me waits")
    row = ann.log.locator("[data-kind]").filter(has_text="waits")
    await expect(row.get_by_role("timer")).to_have_text("10 min")


@pytest.mark.parametrize("lifetime", ["7", "9" * 10])
async def test_lifetime_that_is_not_allowed_is_refused_with_its_bounds(
    world: World, room: str, lifetime: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.page.evaluate(
        """(seconds) => {
            const composer = getElement(document.querySelector(".composer").id.slice(1));
            composer.changed.lifetimes = [[seconds, "forged"]];
            composer.lifetime = seconds;
        }""",
        lifetime,
    )
    await ann.send_message("one")
    await expect(ann.alert("That has to be between")).to_be_visible()
    await expect(ann.message_input).to_have_value("one")


async def test_lifetimes_are_named_in_russian(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", words=RUSSIAN, locale="ru")
    await choose(ann, "10 мин", now="Исчезает через")
    await expect(ann.button("Исчезает через: 10 мин")).to_be_visible()

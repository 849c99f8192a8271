"""Colour themes and keyboard operation."""

from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World

_BACKGROUND = "getComputedStyle(document.body).backgroundColor"


async def test_light_and_dark_themes_differ_and_can_be_chosen(world: World) -> None:
    ann = await world.visitor("Ann", color_scheme="light")
    mira = await world.visitor("Mira", color_scheme="dark")
    light, dark = await ann.page.evaluate(_BACKGROUND), await mira.page.evaluate(_BACKGROUND)
    assert light != dark
    await ann.open_settings()
    await ann.button("dark").click()
    await ann.expect_eventually(lambda: ann.page.evaluate(_BACKGROUND), dark)
    await ann.open_path("/privacy")
    await ann.expect_eventually(lambda: ann.page.evaluate(_BACKGROUND), dark)
    await ann.open_path("/")
    await ann.open_settings()
    await ann.button("as the system").click()
    await ann.expect_eventually(lambda: ann.page.evaluate(_BACKGROUND), light)


async def test_every_action_is_possible_by_keyboard(world: World, room: str) -> None:
    (mira,) = await world.members(room, "Mira")
    ann = await world.person("Ann")
    keys = ann.page.keyboard
    await ann.open_path("/login")
    await _tab_to(ann, ann.textbox("Nickname"))
    await keys.type(ann.nickname)
    await _tab_to(ann, ann.button("Enter"))
    await keys.press("Enter")
    await ann.expect_path("/")

    await _tab_to(ann, ann.room_search)
    await keys.type(room)
    await expect(ann.page.get_by_role("option").filter(has_text=room)).to_be_visible()
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await ann.expect_room(room)
    await _tab_to(ann, ann.message_input)
    await keys.type("no mouse")
    await keys.press("Enter")
    await mira.expect_message("no mouse")
    await _tab_to(ann, ann.log)
    await keys.press("ArrowUp")
    await expect(ann.message("no mouse")).to_be_focused()
    await _tab_to(ann, ann.button("Invite"))
    await keys.press("Enter")
    await expect(ann.dialog).to_be_visible()
    await keys.press("Escape")
    await expect(ann.button("Invite")).to_be_focused()
    await _tab_to(ann, ann.button("Leave room"))
    await keys.press("Space")
    await ann.expect_path("/")

    await _tab_to(ann, ann.public_room(room).get_by_role("link"))
    await keys.press("Enter")
    await _tab_to(ann, ann.button("Join room"))
    await keys.press("Enter")
    await ann.expect_room(room)
    await ann.open_path("/")
    await _tab_to(ann, ann.button(f"Leave “{room}”"))
    await keys.press("Enter")
    await expect(ann.own_room(room)).to_have_count(0)
    await _tab_to(ann, ann.button("New room"))
    await keys.press("Enter")
    await keys.type(f"{room} again")
    await keys.press("Enter")
    await ann.expect_room(f"{room} again")
    await _tab_to(ann, ann.button("Settings"))
    await keys.press("Enter")
    await _tab_to(ann, ann.dialog.locator("summary"))
    await keys.press("Enter")
    await _tab_to(ann, ann.button("Yes, forget me now"))
    await keys.press("Enter")
    await ann.expect_path("/login")


async def _tab_to(person: Person, target: Locator) -> None:
    """Press Tab until the target has the focus; fail if it is not reachable."""
    await expect(target).to_have_count(1)
    for _ in range(60):
        if await target.evaluate("(node) => node === document.activeElement"):
            return
        await person.page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reachable with the Tab key")


async def test_arrow_keys_move_from_inside_a_row_to_its_neighbour(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two https://example.org", "three", "four")
    link = ann.log.get_by_role("link")
    for key, neighbour in (("ArrowUp", "one"), ("ArrowDown", "three")):
        await link.focus()
        await ann.page.keyboard.press(key)
        await expect(ann.message(neighbour)).to_be_focused()

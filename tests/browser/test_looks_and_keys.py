"""Light and dark, and everything by keyboard alone."""

from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World

_GROUND = "getComputedStyle(document.body).backgroundColor"


async def test_day_and_night_look_different_and_can_be_chosen(world: World) -> None:
    day = await world.visitor("Ann", color_scheme="light")
    night = await world.visitor("Mira", color_scheme="dark")
    light, dark = await day.page.evaluate(_GROUND), await night.page.evaluate(_GROUND)
    assert light != dark
    await day.opens_settings()
    await day.button("dark").click()
    await day.eventually(lambda: day.page.evaluate(_GROUND), dark)
    await day.goes_to("/privacy")
    await day.eventually(lambda: day.page.evaluate(_GROUND), dark)
    await day.goes_to("/")
    await day.opens_settings()
    await day.button("as the system").click()
    await day.eventually(lambda: day.page.evaluate(_GROUND), light)


async def test_one_can_do_everything_by_keyboard_alone(world: World, room: str) -> None:
    (mira,) = await world.members(room, "Mira")
    ann = await world.person("Ann")
    keys = ann.page.keyboard
    await ann.goes_to("/login")
    await _tabs_to(ann, ann.textbox("Nickname"))
    await keys.type(ann.nickname)
    await _tabs_to(ann, ann.button("Enter"))
    await keys.press("Enter")
    await ann.is_at("/")

    await _tabs_to(ann, ann.finder)
    await keys.type(room)
    await expect(ann.page.get_by_role("option").filter(has_text=room)).to_be_visible()
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await ann.is_in(room)
    await _tabs_to(ann, ann.box)
    await keys.type("no mouse")
    await keys.press("Enter")
    await mira.sees("no mouse")
    await _tabs_to(ann, ann.log)
    await keys.press("ArrowUp")
    await expect(ann.message("no mouse")).to_be_focused()
    await _tabs_to(ann, ann.button("Invite"))
    await keys.press("Enter")
    await expect(ann.dialog).to_be_visible()
    await keys.press("Escape")
    await expect(ann.button("Invite")).to_be_focused()
    await _tabs_to(ann, ann.button("Leave room"))
    await keys.press("Space")
    await ann.is_at("/")

    await _tabs_to(ann, ann.public_room(room).get_by_role("link"))
    await keys.press("Enter")
    await _tabs_to(ann, ann.button("Join room"))
    await keys.press("Enter")
    await ann.is_in(room)
    await ann.goes_to("/")
    await _tabs_to(ann, ann.button(f"Leave “{room}”"))
    await keys.press("Enter")
    await expect(ann.own_room(room)).to_have_count(0)
    await _tabs_to(ann, ann.button("New room"))
    await keys.press("Enter")
    await keys.type(f"{room} again")
    await keys.press("Enter")
    await ann.is_in(f"{room} again")
    await _tabs_to(ann, ann.button("Settings"))
    await keys.press("Enter")
    await _tabs_to(ann, ann.dialog.locator("summary"))
    await keys.press("Enter")
    await _tabs_to(ann, ann.button("Yes, forget me now"))
    await keys.press("Enter")
    await ann.is_at("/login")


async def _tabs_to(person: Person, target: Locator) -> None:
    """Press Tab until one is there; what cannot be reached that way cannot be used."""
    await expect(target).to_have_count(1)
    for _ in range(60):
        if await target.evaluate("(node) => node === document.activeElement"):
            return
        await person.page.keyboard.press("Tab")
    raise AssertionError(f"{target} cannot be reached with the Tab key")

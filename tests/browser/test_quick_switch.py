"""Going to another room by the keyboard."""

from playwright.async_api import Locator, expect

from tests.browser.person import RUSSIAN, Person
from tests.browser.world import World


def switch_box(person: Person, name: str = "Go to a room") -> Locator:
    return person.page.get_by_role("dialog", name=name).get_by_role("combobox", name=name)


def options(person: Person) -> Locator:
    return person.dialog.get_by_role("option")


async def test_own_rooms_come_first_and_enter_opens_the_chosen_one(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.open_room(f"{room} of others")
    await mira.expect_connected()
    await ann.open_room(f"the {room}")
    await ann.expect_connected()
    await ann.page.keyboard.press("Control+k")
    await expect(switch_box(ann)).to_be_focused()
    await expect(options(ann)).to_have_count(2)
    await switch_box(ann).fill(room)
    names = options(ann).locator("bdi")
    await expect(names).to_have_text([room, f"the {room}", f"{room} of others"])
    await switch_box(ann).press("ArrowDown")
    await switch_box(ann).press("ArrowUp")
    await expect(options(ann).first).to_have_attribute("aria-selected", "true")
    await switch_box(ann).press("Enter")
    await ann.expect_room(room)
    await expect(ann.dialog).to_have_count(0)


async def test_public_room_is_joined_and_opened(world: World, room: str) -> None:
    await world.members(f"{room} of others", "Mira")
    ann = await world.visitor("Ann")
    await ann.expect_connected()
    await ann.page.keyboard.press("Control+k")
    await switch_box(ann).press_sequentially(f"{room} of o")
    await expect(options(ann)).to_have_count(1)
    await switch_box(ann).press("Enter")
    await ann.expect_room(f"{room} of others")
    await expect(ann.dialog).to_have_count(0)


async def test_letters_in_order_find_an_own_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.open_room(f"{room} too")
    await ann.expect_connected()
    await ann.page.keyboard.press("Control+k")
    await switch_box(ann).fill("NTRNTOO")
    await expect(options(ann).locator("bdi")).to_have_text([f"{room} too"])
    await switch_box(ann).fill("xqzxqz")
    await expect(options(ann)).to_have_count(0)
    await expect(ann.dialog.get_by_role("status")).to_have_text("No room has a name like that.")
    await ann.close_dialog()
    await ann.expect_room(f"{room} too")


async def test_alt_shift_and_arrow_lead_to_the_next_unread_room(world: World, room: str) -> None:
    names = [room, f"{room} two", f"{room} three"]
    (ann,) = await world.members(names[0], "Ann")
    for name in names[1:]:
        await ann.open_room(name)
        await ann.expect_connected()
    (mira,) = await world.members(names[0], "Mira")
    await mira.post_messages("somebody there?")
    await expect(ann.own_room(names[0]).locator("[data-unread]")).to_be_visible()
    await ann.button("Leave room").focus()
    await ann.page.keyboard.press("Alt+Shift+ArrowDown")
    await ann.expect_room(names[0])
    await ann.expect_message("somebody there?")


async def test_escape_in_the_messages_leads_to_the_latest(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages(*(f"{number} {'and more ' * 80}".strip() for number in range(8)))
    await ann.log.focus()
    await ann.page.keyboard.press("Home")
    await expect(ann.log.locator("[data-key]").first).to_be_focused()
    await expect(ann.log.locator("[data-key]").last).not_to_be_in_viewport()
    await ann.page.keyboard.press("Escape")
    await expect(ann.log.locator("[data-key]").last).to_be_in_viewport()
    await expect(ann.log).to_be_focused()


async def test_dialog_is_in_russian(world: World, room: str) -> None:
    mira = await world.visitor("Mira", words=RUSSIAN, locale="ru-RU")
    await mira.enter_room(room)
    await mira.expect_connected()
    await mira.page.keyboard.press("Control+k")
    await switch_box(mira, "Перейти в комнату").press("Enter")
    await expect(mira.dialog).to_have_count(0)
    await mira.expect_room(room)

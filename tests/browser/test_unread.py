"""What is unread elsewhere: in the sidebar, in the title, and on the icons."""

import re

from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World

_RECORD_BADGES = """window.badges = [];
navigator.setAppBadge = async (count) => void window.badges.push(count);"""


async def test_room_in_which_the_reader_is_mentioned_is_marked(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.open_room(f"{room} too")
    marked = ann.page.get_by_role("link", name=re.compile(f"{room} @ you are mentioned, 1 unread"))
    await mira.post_messages("nobody")
    await expect(ann.own_room(room)).to_contain_text("1 unread")
    await expect(marked).to_be_hidden()
    await ann.own_room(room).get_by_role("link").click()
    await ann.expect_room(room)
    await ann.open_room(f"{room} too")
    await expect(ann.own_room(room).get_by_text("unread")).to_be_hidden()
    await mira.post_messages(f"hello @{ann.nickname}")
    await expect(marked).to_be_visible()
    await ann.page.reload()
    await expect(marked).to_be_visible()
    await ann.own_room(room).get_by_role("link").click()
    await ann.expect_message(f"hello @{ann.nickname}")
    await ann.open_room(f"{room} too")
    await expect(marked).to_be_hidden()


async def test_mark_goes_with_the_mention(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.open_room(f"{room} too")
    mark = ann.own_room(room).get_by_text("you are mentioned")
    await mira.post_messages("one", f"two @{ann.nickname}", "three")
    await expect(mark).to_be_visible()
    await mira.open_menu(f"two @{ann.nickname}")
    await mira.menu_item("Edit").click()
    await mira.send_message("two")
    await expect(mark).to_be_hidden()
    await expect(ann.own_room(room)).to_contain_text("3 unread")


async def test_time_until_unread_messages_disappear_is_told(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("read")
    await ann.expect_message("read")
    await ann.open_room(f"{room} too")
    await mira.post_messages("one", "two")
    name = re.compile(rf"{room} 2 unread, the next disappears in \d\d hr")
    await expect(ann.page.get_by_role("link", name=name)).to_be_visible()
    await ann.page.reload()
    await expect(ann.page.get_by_role("link", name=name)).to_be_visible()


async def test_icons_of_tab_and_app_tell_that_something_is_unread(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.page.add_init_script(_RECORD_BADGES)
    await ann.open_path("/")
    icon = await _read_icon(ann)
    await mira.post_messages("one", "two")
    await expect(ann.page).to_have_title("(2) Rooms · anonchat")
    await ann.expect_eventually(lambda: ann.page.evaluate("window.badges.at(-1)"), 2)
    await ann.page.wait_for_function(
        "document.querySelector('link[rel~=icon]').href.startsWith('data:')"
    )
    assert "circle" in await _read_icon(ann)
    await ann.own_room(room).get_by_role("link").click()
    await ann.expect_message("two")
    await ann.expect_eventually(lambda: _read_icon(ann), icon)
    assert await ann.page.evaluate("window.badges.at(-1)") == 0


async def _read_icon(person: Person) -> str:
    href: str = await person.page.evaluate("document.querySelector('link[rel~=icon]').href")
    return href

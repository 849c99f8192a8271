"""Keys that work anywhere on a page."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.person import RUSSIAN, Person
from tests.browser.world import World

_MAC = "Object.defineProperty(navigator, 'platform', { value: 'MacIntel' });"
_RECORD_KEYS = """() => {
    window.taken = [];
    const modifiers = ["Alt", "Control", "Meta"];
    window.addEventListener("keydown", (event) => {
        if (!modifiers.includes(event.key)) window.taken.push(event.defaultPrevented);
    });
}"""


async def _member_of_two_rooms(world: World, room: str) -> Person:
    """Create a member of two rooms who has the second one open."""
    (ann,) = await world.members(room, "Ann")
    await ann.open_room(f"{room} too")
    await ann.expect_connected()
    return ann


async def test_typing_anywhere_reaches_the_message_box(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.button("Members").focus()
    await ann.page.keyboard.type("hello there")
    await expect(ann.message_input).to_have_value("hello there")
    await ann.room_search.focus()
    await ann.page.keyboard.type("garden")
    await expect(ann.room_search).to_have_value("garden")
    await ann.button("Invite").click()
    await expect(ann.dialog).to_be_visible()
    await ann.page.keyboard.type("x")
    await expect(ann.message_input).to_have_value("hello there")


async def test_alt_and_arrows_lead_to_the_neighbouring_rooms(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("the room is active")
    await ann.open_room(f"{room} too")
    await ann.post_messages("the last one that was active is the first")
    for key, expected in (
        ("ArrowDown", room),
        ("ArrowDown", f"{room} too"),
        ("ArrowUp", room),
        ("ArrowUp", f"{room} too"),
    ):
        await ann.expect_connected()
        await ann.page.keyboard.press(f"Alt+{key}")
        await ann.expect_room(expected)


@pytest.mark.parametrize("key", ["ArrowDown", "ArrowUp"])
async def test_alt_and_arrows_in_a_text_move_the_caret(world: World, room: str, key: str) -> None:
    ann = await _member_of_two_rooms(world, room)
    await ann.fill_message("half a thought")
    await ann.page.evaluate(_RECORD_KEYS)
    await ann.message_input.press(f"Alt+{key}")
    assert await ann.page.evaluate("window.taken") == [False]


async def test_keys_of_a_mac_keep_their_meaning(world: World, room: str) -> None:
    ann = await _member_of_two_rooms(world, room)
    await ann.page.add_init_script(_MAC)
    await ann.page.reload()
    await ann.expect_connected()
    await ann.page.evaluate(_RECORD_KEYS)
    for key in ("Alt+ArrowDown", "Alt+ArrowUp", "Control+k"):
        await ann.message_input.press(key)  # by paragraph, and delete to the end of the line
    assert await ann.page.evaluate("window.taken") == [False] * 3
    await expect(ann.message_input).to_be_focused()
    await ann.message_input.press("Meta+k")
    await expect(ann.dialog.get_by_role("combobox", name="Go to a room")).to_be_focused()
    await ann.close_dialog()
    await ann.button("Members").press("Alt+ArrowDown")
    await ann.expect_room(room)


async def test_question_mark_lists_the_keys(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    for path, part in ((ann.page.url.removeprefix(ann.home), "Members"), ("/", "Settings")):
        await ann.open_path(path)
        await ann.expect_connected()
        await ann.button(part).focus()
        await ann.page.keyboard.press("?")
        keys = ann.page.get_by_role("dialog", name="Keyboard")
        await expect(keys).to_contain_text("Go to a room")
        await ann.page.keyboard.press("?")
        await ann.page.keyboard.press("Escape")
        await expect(ann.dialog).to_have_count(0)
        await expect(ann.button(part)).to_be_focused()
    await ann.page.go_back()
    await expect(ann.message_input).to_have_value("")


async def test_question_mark_in_a_text_is_typed(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.expect_connected()
    for box in (ann.room_search, ann.message_input):
        await box.focus()
        await ann.page.keyboard.type("who? me?")
        await expect(box).to_have_value("who? me?")
    await expect(ann.dialog).to_have_count(0)


async def test_settings_lead_to_the_list_of_keys(world: World) -> None:
    mira = await world.visitor("Mira", words=RUSSIAN, locale="ru-RU")
    await mira.expect_connected()
    await mira.open_settings()
    await mira.button("Клавиатура").click()
    keys = mira.page.get_by_role("dialog", name="Клавиатура")
    await expect(keys).to_contain_text("Отправить сообщение")
    await expect(mira.dialog).to_have_count(1)


async def test_pages_describe_themselves(world: World) -> None:
    ann = await world.person("Ann", color_scheme="light")
    await ann.open_path("/login")
    colors = "[...document.querySelectorAll('meta[name=theme-color]')].map((meta) => meta.content)"
    described = ann.page.locator("meta[name=description]")
    await expect(described).to_have_attribute("content", re.compile("anonymous chat"))
    assert len(await ann.page.evaluate(colors)) == 2
    await ann.context.add_cookies([{"name": "theme", "value": "dark", "url": ann.home}])
    await ann.page.reload()
    assert len(await ann.page.evaluate(colors)) == 1

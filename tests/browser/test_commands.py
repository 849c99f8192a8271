"""Commands of plugins, typed into the message box; texts that a plugin doubts."""

import re
from pathlib import Path

from playwright.async_api import Locator, expect

from tests.browser.person import CONNECTION_ERRORS, RUSSIAN, SECONDS, Person
from tests.browser.world import World

ERRANDS = Path(__file__).parents[1] / "plugins" / "examples" / "errands.py"
SETTINGS = {"plugins": str(ERRANDS)}

PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}
DICE = "Throw"  # in what the plugin draws


def commands(person: Person, name: str = "Commands") -> Locator:
    return person.page.get_by_role("listbox", name=name, exact=True)


def option(person: Person, text: str) -> Locator:
    return person.page.get_by_role("option", name=re.compile(rf"^.{text}"))


def dice(person: Person) -> Locator:
    return person.log.locator("[data-key]").filter(has_text=DICE)


def note(person: Person) -> Locator:
    return person.page.locator(".composer").get_by_role("status")


async def test_command_posts_for_all_and_its_text_is_not_posted(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.send_message("/fetch 2")
    for person in (ann, mira):
        await expect(dice(person)).to_have_count(1)
        await expect(dice(person).locator("td b")).to_have_text(["4", "4"])
    await ann.expect_no_message("/fetch")
    await expect(ann.message_input).to_have_value("")


async def test_command_tells_its_caller_alone(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await expect(ann.page.locator("[role=status]")).to_have_count(1)
    await ann.send_message("/Fetch-Rules")
    await expect(note(ann)).to_be_visible()
    text = await note(ann).locator("p").inner_text()
    assert text == "<b>Rules</b> (en)\n1. Be kind.\n2. Be brief."
    await ann.expect_no_message("ules")
    await mira.post_messages("Nothing here")
    await expect(note(mira)).to_have_count(0)


async def test_note_is_closed_by_button_escape_or_the_next_post(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.send_message("/fetch-rules")
    await note(ann).get_by_role("button", name="Close", exact=True).click()
    await expect(note(ann)).to_have_count(0)
    await expect(ann.message_input).to_be_focused()
    await ann.send_message("/fetch-rules")
    await expect(note(ann)).to_be_visible()
    await ann.page.keyboard.press("Escape")
    await expect(note(ann)).to_have_count(0)
    await ann.send_message("/fetch-rules")
    await expect(note(ann)).to_be_visible()
    await ann.post_messages("next")
    await expect(note(ann)).to_have_count(0)


async def test_plugin_tells_on_all_pages_that_show_the_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    first = ann.page
    await ann.open_tab_beside()
    await ann.open_path("/")
    lobby = ann.page
    await ann.open_tab_beside()
    await ann.enter_room(room)
    await ann.send_message("/note-to-self do not forget")
    await expect(note(ann)).to_contain_text("do not forget")
    await expect(first.locator(".note")).to_contain_text("do not forget")
    await expect(lobby.locator("body")).not_to_contain_text("do not forget")


async def test_unknown_command_and_wrong_use_go_back_into_the_box(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    for text, reason in (
        ("/dance now", "There is no command /dance."),
        ("/fetch many", "Use it like this: /fetch [times]"),
    ):
        await ann.send_message(text)
        await ann.expect_alert(reason)
        await expect(ann.message_input).to_have_value(text)
    await mira.send_message("/close-shop")
    await mira.expect_alert("Only the owner of the room may do that.")
    await mira.post_messages("still here")
    await ann.expect_messages("still here")


async def test_two_slashes_post_a_text_with_one(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.send_message("//fetch is a command")
    for person in (ann, mira):
        await person.expect_messages("/fetch is a command")


async def test_running_command_is_shown_above_the_box_and_not_as_a_message(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.send_message("/ponder")
    await expect(ann.page.locator(".running")).to_have_text("/ponder")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await expect(note(ann)).to_have_text("Thought about it.")
    await expect(ann.page.locator(".running")).to_have_text("")


async def test_command_is_sent_after_a_reconnection_and_runs_once(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.expect_connected()
    await ann.context.set_offline(True)
    await ann.send_message("/only-once")
    await expect(ann.page.locator(".running")).to_have_text("/only-once")
    await ann.context.set_offline(False)
    await expect(note(ann)).to_contain_text("knows", timeout=30 * SECONDS)
    await ann.send_message("/only-once")
    await ann.expect_alert("That was too often.")


async def test_commands_are_completed_by_keyboard(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    box = ann.message_input
    await expect(commands(ann)).to_be_hidden()
    await box.press_sequentially("/fetch")
    await expect(commands(ann).get_by_role("option")).to_have_count(2)
    await expect(option(ann, "fetch ")).to_have_text(re.compile(r"fetch \[times\]\s*Fetch dice\."))
    controlled = await box.get_attribute("aria-controls")
    assert await commands(ann).get_attribute("id") == controlled
    for key, name in (
        ("ArrowDown", "fetch-rules"),
        ("ArrowDown", "fetch "),
        ("ArrowUp", "fetch-rules"),
    ):
        await box.press(key)
        await expect(option(ann, name)).to_have_attribute("aria-selected", "true")
        active = await option(ann, name).get_attribute("id")
        await expect(box).to_have_attribute("aria-activedescendant", str(active))
    await box.press("ArrowDown")
    await box.press("Tab")
    await expect(box).to_have_value("/fetch ")
    await expect(commands(ann)).to_be_hidden()
    await expect(box).to_be_focused()
    await box.press_sequentially("3")
    await box.press("Enter")
    await expect(dice(ann).locator("td b")).to_have_count(3)


async def test_enter_completes_a_beginning_and_runs_a_whole_command(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    box = ann.message_input
    await box.press_sequentially("/fetch-r")
    await expect(commands(ann)).to_be_visible()
    await box.press("Enter")
    await expect(box).to_have_value("/fetch-rules")
    await expect(commands(ann)).to_be_hidden()
    await box.press("Enter")
    await expect(note(ann)).to_contain_text("Be kind")
    await box.press_sequentially("/fetch-rules")
    await expect(commands(ann)).to_be_visible()
    await box.press("Enter")
    await expect(box).to_have_value("")
    await expect(note(ann)).to_contain_text("Be kind")


async def test_escape_closes_the_list_and_leaves_text_and_note(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    box = ann.message_input
    await ann.send_message("/fetch-rules")
    await expect(note(ann)).to_be_visible()
    await box.press_sequentially("/fetc")
    await expect(commands(ann)).to_be_visible()
    await box.press("Escape")
    await expect(commands(ann)).to_be_hidden()
    await expect(box).to_have_value("/fetc")
    await expect(note(ann)).to_be_visible()
    await box.press_sequentially("h")
    await expect(commands(ann)).to_be_visible()
    await box.press_sequentially(" ")
    await expect(commands(ann)).to_be_hidden()


async def test_list_has_only_what_the_member_may_use(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    for person in (ann, mira):
        await person.message_input.press_sequentially("/")
        await expect(option(person, "fetch ")).to_be_visible()
    await expect(option(ann, "close-shop")).to_be_visible()
    await expect(option(mira, "close-shop")).to_have_count(0)


async def test_commands_are_chosen_by_touch_on_a_phone(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    await ann.message_input.tap()
    await ann.message_input.press_sequentially("/")
    box = await commands(ann).bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= 360
    for each in await commands(ann).get_by_role("option").all():
        shape = await each.bounding_box()
        assert shape
        assert shape["height"] >= 44
    await option(ann, "fetch ").tap()
    await expect(ann.message_input).to_have_value("/fetch ")
    await expect(commands(ann)).to_be_hidden()
    await ann.button("Send").tap()
    await expect(dice(ann)).to_have_count(1)
    await ann.send_message("/fetch-rules")
    await note(ann).get_by_role("button", name="Close").tap()
    await expect(note(ann)).to_have_count(0)


async def test_commands_are_in_the_language_of_the_page(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", words=RUSSIAN, locale="ru-RU")
    await ann.message_input.press_sequentially("/fetch")
    await expect(commands(ann, "Команды")).to_be_visible()
    await expect(option(ann, "fetch ")).to_contain_text("Принести кости.")
    await ann.send_message("/fetch-rules")
    await expect(note(ann)).to_contain_text("(ru)")
    await expect(note(ann).get_by_role("button", name="Закрыть")).to_be_visible()
    await ann.send_message("call 555")
    await ann.expect_alert("Это похоже на номер телефона.")
    await ann.button("Всё равно отправить").click()
    await ann.expect_messages("call 555")


async def test_doubtful_text_is_posted_only_if_confirmed(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.send_message("call 555 at my street")
    await ann.expect_alert("Send this anyway?")
    await ann.expect_alert("This looks like a phone number.")
    await ann.expect_alert("{This} looks like an address.")
    await expect(ann.message_input).to_have_value("call 555 at my street")
    await ann.expect_no_message("555")
    await ann.button("Send anyway").click()
    for person in (ann, mira):
        await person.expect_messages("call 555 at my street")
    await expect(ann.message_input).to_have_value("")
    await expect(ann.button("Send anyway")).to_have_count(0)


async def test_edited_text_is_asked_about_again(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.send_message("call 555")
    await ann.button("Edit").click()
    await expect(ann.message_input).to_be_focused()
    await expect(ann.alert("Send this anyway?")).to_have_count(0)
    await ann.message_input.press_sequentially("0")
    await ann.message_input.press("Enter")
    await expect(ann.button("Send anyway")).to_be_visible()
    await ann.message_input.press_sequentially("1")
    await expect(ann.button("Send anyway")).to_have_count(0)
    await ann.send_message("call me")
    await ann.expect_messages("call me")


async def test_what_is_typed_meanwhile_stays_in_the_box(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.expect_connected()
    await ann.context.set_offline(True)
    for text in ("call 555", "my street"):
        await ann.send_message(text)
        await expect(ann.pending(text)).to_be_visible()
    await ann.fill_message("and more")
    await ann.context.set_offline(False)
    await expect(ann.alert("address")).to_be_visible(timeout=30 * SECONDS)
    await ann.expect_alert("phone number")
    await expect(ann.message_input).to_have_value("call 555\nmy street\nand more")
    await ann.button("Send anyway").click()
    await ann.expect_messages("call 555", "my street")
    await expect(ann.message_input).to_have_value("and more")


async def test_confirmed_text_is_sent_after_a_reconnection(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.send_message("call 555")
    await expect(ann.button("Send anyway")).to_be_visible()
    await ann.context.set_offline(True)
    await ann.button("Send anyway").click()
    await expect(ann.pending("call 555")).to_be_visible()
    await ann.context.set_offline(False)
    await expect(ann.message("call 555")).to_have_count(1, timeout=30 * SECONDS)


async def test_refused_text_goes_back_into_the_box(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.send_message("I shout")
    await ann.expect_alert("Please do not shout.")
    await expect(ann.message_input).to_have_value("I shout")

"""Editing one's own messages."""

import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, Person
from tests.browser.world import World


async def begin_editing(person: Person, text: str) -> None:
    """Choose "Edit" in the menu of a message."""
    await person.open_menu(text)
    await person.menu_item("Edit").click()
    await expect(person.page.get_by_text("Editing", exact=True)).to_be_visible()
    await expect(person.message_input).to_have_value(text)


async def test_edited_message_changes_for_everybody_and_is_marked(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("one", "twoo", "three")
    await mira.expect_message("twoo")
    await ann.fill_message("a draft")
    await begin_editing(ann, "twoo")
    await ann.send_message("two")
    for person in (ann, mira):
        await person.expect_messages("one", "two", "three")
        await expect(person.message("two").get_by_text("edited", exact=True)).to_be_visible()
        await expect(person.message("one").get_by_text("edited", exact=True)).to_have_count(0)
    await expect(ann.page.get_by_text("Editing", exact=True)).to_have_count(0)
    await expect(ann.message_input).to_have_value("a draft")
    await expect(ann.message_input).to_be_focused()
    await mira.page.reload()
    await mira.expect_messages("one", "two", "three")
    await expect(mira.message("two").get_by_text("edited", exact=True)).to_be_visible()


async def test_only_own_messages_can_be_edited(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("by a guest")
    await ann.expect_message("by a guest")
    await ann.open_menu("by a guest")
    await expect(ann.menu_item("Delete")).to_be_visible()
    await expect(ann.menu_item("Edit")).to_have_count(0)


async def test_up_edits_the_last_own_message(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("first", "last")
    await mira.post_messages("by a guest")
    await ann.expect_message("by a guest")
    await ann.message_input.press("ArrowUp")
    await expect(ann.message_input).to_have_value("last")
    await ann.message_input.press("End")
    await ann.message_input.type(" one")
    await ann.message_input.press("Enter")
    await mira.expect_messages("first", "last one", "by a guest")
    await expect(ann.message_input).to_have_value("")


@pytest.mark.parametrize("way", ["Escape", "Cancel edit"])
async def test_cancelled_edit_changes_nothing(world: World, room: str, way: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    await ann.fill_message("a draft")
    await begin_editing(ann, "one")
    await ann.fill_message("another")
    if way == "Escape":
        await ann.page.keyboard.press("Escape")
    else:
        await ann.button(way).click()
    await expect(ann.page.get_by_text("Editing", exact=True)).to_have_count(0)
    await expect(ann.message_input).to_have_value("a draft")
    await expect(ann.message_input).to_be_focused()
    await ann.expect_messages("one")


async def test_refused_edit_stays_in_the_box_with_the_reason(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("one")
    await begin_editing(mira, "one")
    await ann.delete_message("one")
    await ann.message_input.click()
    await ann.button("Undo").page.reload()  # ends the notice: the deletion is sent
    await mira.expect_no_message("one")
    await mira.send_message("changed")
    await mira.expect_alert("There is no such message, or it is gone already.")
    await expect(mira.message_input).to_have_value("changed")
    await expect(mira.page.get_by_text("Editing", exact=True)).to_be_visible()


async def test_edit_survives_a_lost_connection(world: World, room: str) -> None:
    wire = await world.wire()
    (ann,) = await world.members(room, "Ann", wire=wire)
    (mira,) = await world.members(room, "Mira")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.post_messages("one")
    await begin_editing(ann, "one")
    wire.disconnect()
    await ann.send_message("two")
    wire.restore()
    await mira.expect_messages("two")
    await ann.expect_messages("two")
    await expect(ann.page.get_by_text("Editing", exact=True)).to_have_count(0)

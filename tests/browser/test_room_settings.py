"""The owner of a room changes its name, topic and lifetimes."""

import re

from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World


async def test_change_is_shown_on_every_page(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    visitor = await world.visitor("Sid")
    await visitor.open_path("/")
    await expect(mira.button("Room settings")).to_have_count(0)
    await _open_settings(ann)
    await expect(ann.textbox("Name")).to_have_value(room)
    await ann.textbox("Name").fill(f"{room} by day")
    await ann.textbox("What is it about? (optional)").fill("All change")
    await ann.dialog.get_by_label("Messages disappear after").select_option("10m")
    await ann.button("Save").click()
    await expect(ann.dialog).to_have_count(0)
    for person in (ann, mira):
        await expect(person.page.get_by_role("heading", level=1)).to_have_text(f"{room} by day")
        await expect(person.page.locator("header .topic")).to_have_text("All change")
        await expect(person.page.locator(".feed-facts")).to_contain_text("after 10 min")
        await expect(person.textbox("Message")).to_have_attribute(
            "placeholder", "Message, gone in 10 min"
        )
        await expect(person.page).to_have_title(f"{room} by day · anonchat")
    card = visitor.public_room(f"{room} by day")
    await expect(card).to_contain_text("All change")
    await expect(card).to_contain_text("after 10 min")


async def test_dialog_ends_the_room_only_where_its_header_cannot(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await _open_settings(ann)
    end = ann.dialog.get_by_role("button", name="Burn room")
    await expect(end).to_be_hidden()
    await ann.page.set_viewport_size({"width": 360, "height": 740})
    await expect(end).to_be_visible()


async def test_refused_change_is_explained_at_its_field(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await _open_settings(ann)
    await ann.textbox("Name").fill("a" * 61)
    await ann.textbox("What is it about? (optional)").fill("Typed and not lost")
    await ann.button("Save").click()
    await expect(ann.textbox("Name")).to_have_attribute("aria-invalid", "true")
    await expect(ann.textbox("Name")).to_have_value("a" * 61)
    await expect(ann.textbox("What is it about? (optional)")).to_have_value("Typed and not lost")
    await ann.textbox("Name").fill(room)
    await ann.dialog.get_by_label("A quiet room ends after").select_option("1h")
    await ann.button("Save").click()
    await expect(ann.dialog.get_by_text("cannot outlive")).to_be_visible()
    await ann.dialog.get_by_label("Messages disappear after").select_option("1h")
    await ann.button("Save").click()
    await expect(ann.dialog).to_have_count(0)
    facts = ann.page.locator(".feed-facts")
    await expect(facts).to_contain_text(re.compile("room ends in (1.hr|60.min)"))


async def test_phone_offers_burning_in_the_settings(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=360)
    await expect(ann.button("Burn room")).to_be_hidden()
    await _open_settings(ann)
    await ann.dialog.get_by_role("button", name="Burn room").click()
    await ann.button("Yes, burn it now").click()
    await ann.expect_alert("This room was burnt.")


async def _open_settings(person: Person) -> None:
    await person.button("Room settings").click()
    await expect(person.dialog).to_be_visible()

"""Mentions of members."""

import re

from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World

MENTIONED = re.compile(r"\bmentioned\b")


def offered(person: Person) -> Locator:
    """Find the listed members."""
    return person.page.get_by_role("listbox", name="Members", exact=True).get_by_role("option")


async def test_members_complete_what_is_typed(world: World, room: str) -> None:
    ann, mira, moe = await world.members(room, "Ann", "Mira", "Moe")
    await expect(ann.members.get_by_role("listitem")).to_have_count(3)
    await ann.message_input.type("hi @")
    await expect(offered(ann)).to_have_count(2)
    await ann.message_input.type("mI")
    await expect(offered(ann)).to_have_text([mira.nickname])
    await ann.message_input.press("Tab")
    await expect(ann.message_input).to_have_value(f"hi @{mira.nickname} ")
    await expect(offered(ann)).to_have_count(0)
    await ann.message_input.press("Enter")
    text = f"hi @{mira.nickname}"
    for person in (ann, mira, moe):
        await person.expect_message(text)
    await expect(mira.message(text)).to_have_class(MENTIONED)
    for person in (ann, moe):
        await expect(person.message(text)).not_to_have_class(MENTIONED)


async def test_member_is_chosen_by_arrows_and_enter(world: World, room: str) -> None:
    ann, mira, moe = await world.members(room, "Ann", "Mira", "Moe")
    await expect(ann.members.get_by_role("listitem")).to_have_count(3)
    await ann.message_input.type("@m")
    await expect(offered(ann)).to_have_text([mira.nickname, moe.nickname])
    await ann.message_input.press("ArrowDown")
    await expect(offered(ann).nth(1)).to_have_attribute("aria-selected", "true")
    await ann.message_input.press("Enter")
    await expect(ann.message_input).to_have_value(f"@{moe.nickname} ")


async def test_escape_closes_the_list_and_addresses_open_none(world: World, room: str) -> None:
    ann, _ = await world.members(room, "Ann", "Mira")
    await expect(ann.members.get_by_role("listitem")).to_have_count(2)
    await ann.message_input.type("me@m")
    await expect(offered(ann)).to_have_count(0)
    await ann.message_input.fill("")
    await ann.message_input.type("@m")
    await expect(offered(ann)).to_have_count(1)
    await ann.message_input.press("Escape")
    await expect(offered(ann)).to_have_count(0)
    await expect(ann.message_input).to_have_value("@m")

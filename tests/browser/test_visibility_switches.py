"""The switches for what the others see: being here, and typing."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import ENGLISH, RUSSIAN, Person, Words
from tests.browser.test_typing import expect_line, type_until_shown
from tests.browser.world import World

PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}
AWAY = re.compile(r"\baway\b")


def switch(person: Person, name: str) -> Locator:
    """Find a switch of the settings."""
    return person.dialog.get_by_role("switch", name=name, exact=True)


async def turn(person: Person, name: str) -> None:
    """Turn a switch of the settings."""
    await person.open_settings()
    await switch(person, name).click()
    await person.close_dialog()


async def read_preferences(person: Person) -> object:
    """Return what the server has stored."""
    cookies = {each["name"]: each["value"] for each in await person.context.cookies(person.home)}
    response = await person.context.request.patch(
        f"{person.home}/api/v1/visitors/me",
        data={},
        headers={"Origin": person.home, "Authorization": f"Bearer {cookies['anonchat']}"},
    )
    return await response.json()


def row(person: Person, member: Person) -> Locator:
    return person.members.get_by_role("listitem").filter(has_text=member.nickname)


async def test_hidden_member_is_away_for_the_others_at_once(world: World, room: str) -> None:
    ann, ben = await world.members(room, "Ann", "Ben")
    await expect(ben.page.get_by_text("· 2 here", exact=True)).to_be_visible()
    await turn(ann, "Show when I am here")
    await expect(row(ben, ann)).to_have_class(AWAY)
    await expect(ben.page.get_by_text("· 1 here", exact=True)).to_be_visible()
    await ann.page.reload()
    await ann.expect_connected()
    await ann.post_messages("still here")
    await ben.expect_message("still here")
    await expect(row(ben, ann)).to_have_class(AWAY)
    await ann.open_settings()
    await expect(switch(ann, "Show when I am here")).not_to_be_checked()
    await expect(switch(ann, "Show when I type")).to_be_checked()
    await switch(ann, "Show when I am here").click()
    await expect(row(ben, ann)).not_to_have_class(AWAY)


async def test_typing_is_not_shown_unless_wanted(world: World, room: str) -> None:
    ann, ben, mira = await world.members(room, "Ann", "Ben", "Mira")
    line = mira.page.locator(".composer .typing")
    await turn(ann, "Show when I type")
    await ann.expect_eventually(
        lambda: read_preferences(ann), {"shows_typing": False, "shows_presence": True}
    )
    await expect_line(mira, f"{ben.nickname} is typing", ann, ben)
    await turn(ann, "Show when I type")
    await ann.expect_eventually(
        lambda: read_preferences(ann), {"shows_typing": True, "shows_presence": True}
    )
    await type_until_shown(ann, line.filter(has_text=ann.nickname))


@pytest.mark.parametrize(("words", "locale"), [(ENGLISH, "en-GB"), (RUSSIAN, "ru-RU")])
async def test_switches_are_turned_by_keys_and_fit_a_phone(
    world: World, words: Words, locale: str
) -> None:
    ann = await world.visitor("Ann", words=words, locale=locale, **PHONE)
    await ann.open_settings()
    switches = ann.dialog.get_by_role("switch")
    for each in await switches.all():
        await expect(each).to_be_checked()
        await each.press("Space")
        await expect(each).not_to_be_checked()
        box = await each.locator("..").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        assert box["height"] >= 44

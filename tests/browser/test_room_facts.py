"""What a room tells of itself: what ends when, who can find it, who is who."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.person import ENGLISH, RUSSIAN, Words
from tests.browser.world import World


@pytest.mark.parametrize(
    ("words", "locale", "message", "end"),
    [
        (ENGLISH, "en-GB", "messages fade after 24 hr", r"room ends in 24.hr unless somebody"),
        (RUSSIAN, "ru-RU", "сообщения исчезают через 24 ч", r"комната закроется через 24.ч"),
    ],
    ids=["en", "ru"],
)
async def test_room_and_card_tell_what_ends(
    world: World, room: str, words: Words, locale: str, message: str, end: str
) -> None:
    (ann,) = await world.members(room, "Ann", words=words, locale=locale)
    facts = ann.page.locator(".feed-facts")
    await expect(facts).to_contain_text(message)
    await expect(facts).to_contain_text(re.compile(end))
    await ann.open_path("/")
    card = ann.public_room(room)
    await expect(card).to_contain_text(message)
    await expect(card).to_contain_text(re.compile(end))


async def test_phone_shows_a_long_name_of_a_room_whole(world: World, room: str) -> None:
    name = f"{room} to the sea 104"
    (ann,) = await world.members(name, "Ann", width=360)
    heading = ann.page.get_by_role("heading", name=name, level=1)
    cut = "(node) => [node.scrollWidth > node.clientWidth, node.scrollHeight > node.clientHeight]"
    assert await heading.evaluate(cut) == [False, False]


async def test_empty_room_tells_who_can_find_it_and_offers_to_invite(
    world: World, room: str
) -> None:
    ann = await world.visitor("Ann", width=1600)
    await ann.open_room(room)
    text = ann.page.get_by_text("Everybody can find this room in the lobby.")
    await expect(text).to_be_visible()
    gap = "(node) => { const text = document.createRange(); text.selectNode(node.firstChild);"
    gap += "return node.querySelector('button').getBoundingClientRect().top"
    gap += " - text.getBoundingClientRect().bottom }"
    assert await text.evaluate(gap) >= 8
    await ann.button("Invite").click()
    await expect(ann.dialog.get_by_label("Link")).to_have_value(ann.page.url)
    await ann.page.keyboard.press("Escape")
    await expect(ann.button("Invite")).to_be_focused()
    await ann.button("New room").click()
    await ann.textbox("Name").fill(f"{room} too")
    await ann.dialog.get_by_label("Who can find it").select_option("no")
    await ann.button("Create the room").click()
    await ann.expect_room(f"{room} too")
    await expect(ann.page.get_by_text("Only those who have its link can find")).to_be_visible()


async def test_room_offers_to_invite_once_with_messages_and_without(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    above_log = ann.page.locator(".talk > header").get_by_role("button", name="Invite")
    await expect(ann.button("Invite")).to_have_count(1)
    await expect(above_log).to_have_count(0)
    await ann.post_messages("hello")
    await expect(ann.page.get_by_text("Everybody can find this room")).to_be_hidden()
    await expect(ann.button("Invite")).to_have_count(1)
    await expect(above_log).to_be_visible()
    await ann.delete_message("hello")
    await expect(above_log).to_have_count(0)
    await expect(ann.button("Invite")).to_be_visible()


async def test_members_tell_who_is_oneself_and_who_owns_the_room(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", width=1440)
    for reader in (ann, mira):
        for person in (ann, mira):
            row = reader.members.get_by_role("listitem").filter(has_text=person.nickname)
            marks = ["owner"] * (person is ann) + ["you"] * (person is reader)
            await expect(row.locator(".mark-of-member:not(.met):visible")).to_have_text(marks)


async def test_members_tell_how_many_there_are(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", width=1440)
    heading = ann.page.get_by_role("heading", name="Members")
    await expect(heading).to_have_text("Members 2 · 2 here")
    await mira.leave_room()
    await expect(heading).to_have_text("Members 1 · 1 here")

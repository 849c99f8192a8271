"""Taking back what was said: one message, or a whole room."""

import httpx
from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World

SETTINGS = {"janitor_interval": "2s"}


async def _takes_back(person: Person, text: str) -> None:
    await person.message(text).hover()
    await person.message(text).get_by_role("button", name="Delete").click()
    await person.message(text).get_by_role("button", name="Delete for everybody?").click()


async def test_a_message_is_taken_back_on_every_screen(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.says("hello", "slip of the tongue", "bye")
    await ann.has_heard("hello", "slip of the tongue", "bye")
    await _takes_back(mira, "slip of the tongue")
    await ann.has_heard("hello", "bye")
    await mira.has_heard("hello", "bye")
    await mira.page.reload()
    await mira.has_heard("hello", "bye")


async def test_the_owner_of_a_room_takes_back_anything_and_others_only_their_own(
    world: World, room: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.says("by the owner")
    await mira.says("by a guest")
    await mira.sees("by the owner")
    await mira.message("by a guest").hover()
    await expect(mira.log.get_by_role("button", name="Delete")).to_be_visible()
    await mira.message("by the owner").hover()
    await expect(mira.log.get_by_role("button", name="Delete")).to_have_count(0)
    await ann.sees("by a guest")
    await _takes_back(ann, "by a guest")
    await mira.has_heard("by the owner")


async def test_one_click_alone_takes_nothing_back(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("one", "two")
    await ann.message("one").hover()
    await ann.message("one").get_by_role("button", name="Delete").click()
    await ann.message("two").hover()
    await ann.message("two").get_by_role("button", name="Delete", exact=True).click()
    await ann.says("three")
    await ann.has_heard("one", "two", "three")


async def test_the_keys_alone_are_enough_to_take_back(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("one", "two")
    await ann.log.focus()
    await ann.log.press("ArrowUp")
    await expect(ann.message("two")).to_be_focused()
    for key in ("Tab", "Enter", "Enter"):
        await ann.page.keyboard.press(key)
    await ann.has_heard("one")


async def test_a_burnt_room_leads_everybody_away(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.says("good night")
    await ann.sees("good night")
    await expect(mira.button("Burn room")).to_have_count(0)
    outsider = await world.visitor("Outsider")
    await outsider.page.goto(ann.page.url)
    await expect(outsider.button("Join room")).to_be_visible()
    watcher = await world.visitor("Watcher")
    await expect(watcher.public_room(room)).to_be_visible()

    await ann.button("Burn room").click()
    await expect(ann.dialog).to_contain_text("This cannot be undone.")
    await ann.button("Yes, burn it now").click()
    for person in (ann, mira, outsider):
        await person.is_told("This room was burnt.")
        assert "good night" not in await person.page.content()
    await expect(watcher.public_room(room)).to_have_count(0)
    for person in (ann, mira, outsider):
        await person.is_at("/")
    await watcher.opens(room)
    await watcher.says("the name is free again")


async def test_the_ledger_counts_on_without_a_reload(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("one", "two")
    reader = await world.person("Reader")
    await reader.goes_to("/privacy")
    ledger = reader.page.get_by_role("list", name="The janitor")
    await expect(ledger).to_contain_text("The oldest message that is still kept was posted")
    before = await ledger.locator("li").first.text_content()
    await _takes_back(ann, "one")
    await expect(ledger.locator("li").first).not_to_have_text(before or "")
    await expect(ledger).to_contain_text("Last round this minute")
    await expect(ledger).to_contain_text("Next round in 0:0")


async def test_the_ledger_tells_a_stranger_counts_and_nothing_else(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("secret words")
    async with httpx.AsyncClient() as stranger:
        page = (await stranger.get(f"{world.house.url}/privacy")).text
    assert "forgotten" in page
    for word in ("secret words", room, ann.nickname):
        assert word not in page

"""A room in which nothing happens ends, and its screens say so."""

from playwright.async_api import expect

from tests.browser.person import ENGLISH
from tests.browser.world import World

SETTINGS = {
    "room_ttl": "6s",
    "message_ttl": "5s",
    "message_ttl_min": "5s",
    "janitor_interval": "2s",
}


async def test_a_quiet_room_ends_on_every_screen(world: World, room: str) -> None:
    watcher = await world.visitor("Watcher")
    ann, mira = await world.members(room, "Ann", "Mira")
    address = ann.page.url
    await ann.says("good night")
    await mira.sees("good night")
    await mira.goes_to("/")
    await expect(mira.own_room(room)).to_be_visible()
    await expect(watcher.public_room(room)).to_be_visible()

    await ann.is_told("This room has ended.")
    assert "good night" not in await ann.page.content()
    await expect(watcher.public_room(room)).to_have_count(0)
    await expect(mira.own_room(room)).to_have_count(0)
    await expect(ann.box).to_have_count(0)
    await ann.page.get_by_role("main").get_by_role("link", name="Back to the lobby").last.click()
    await ann.is_at("/")
    await expect(ann.region(ENGLISH.own)).to_contain_text("You are in no room yet")

    watcher.forgives = "404"
    await watcher.page.goto(address)
    await expect(watcher.page.get_by_role("heading")).to_contain_text("There is no such room")


async def test_writing_keeps_a_room_alive(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    for number in range(4):
        await ann.says(f"{number}")
        await ann.page.wait_for_timeout(2_000)
    await expect(ann.box).to_be_visible()


async def test_a_name_whose_room_has_ended_is_free_again(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.is_told("This room has ended.")
    await ann.goes_to("/")
    await ann.opens(room)
    await ann.says("a new beginning")
    await ann.has_heard("a new beginning")

"""A room without activity ends, and its pages show it."""

from playwright.async_api import expect

from tests.browser.person import ENGLISH
from tests.browser.world import World

SETTINGS = {
    "room_ttl": "6s",
    "message_ttl": "5s",
    "message_ttl_min": "5s",
    "janitor_interval": "2s",
}


async def test_inactive_room_ends_on_every_page(world: World, room: str) -> None:
    watcher = await world.visitor("Watcher")
    ann, mira = await world.members(room, "Ann", "Mira")
    address = ann.page.url
    await ann.post_messages("good night")
    await mira.expect_message("good night")
    await mira.open_path("/")
    await expect(mira.own_room(room)).to_be_visible()
    await expect(watcher.public_room(room)).to_be_visible()

    await ann.expect_alert("This room has ended.")
    assert "good night" not in await ann.page.content()
    await expect(watcher.public_room(room)).to_have_count(0)
    await expect(mira.own_room(room)).to_have_count(0)
    await expect(ann.message_input).to_have_count(0)
    await ann.page.get_by_role("main").get_by_role("link", name="Back to the lobby").last.click()
    await ann.expect_path("/")
    await expect(ann.region(ENGLISH.own)).to_contain_text("You are in no room yet")

    watcher.ignored_errors = "404"
    await watcher.page.goto(address)
    await expect(watcher.page.get_by_role("heading")).to_contain_text("There is no such room")


async def test_posting_keeps_a_room_alive(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    for number in range(4):
        await ann.post_messages(f"{number}")
        await ann.page.wait_for_timeout(2_000)
    await expect(ann.message_input).to_be_visible()


async def test_name_of_an_ended_room_is_free_again(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.expect_alert("This room has ended.")
    await ann.open_path("/")
    await ann.open_room(room)
    await ann.post_messages("a new beginning")
    await ann.expect_messages("a new beginning")

"""A rate-limited action shows the time to wait and keeps the input."""

from playwright.async_api import expect

from tests.browser.person import RUSSIAN
from tests.browser.world import World

SETTINGS = {
    "posts_per_visitor": "2/1h",
    "new_rooms_per_visitor": "2/1h",
    "joins_per_visitor": "2/1h",
}


async def test_rate_limited_message_stays_in_the_input_with_the_time_to_wait(
    world: World, room: str
) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.post_messages("one", "two")
    await ann.send_message("three")
    await ann.expect_alert("That was too often. Please try again in 1")
    await expect(ann.message_input).to_have_value("three")
    await bob.post_messages("four")
    await ann.expect_messages("one", "two", "four")


async def test_rate_limited_room_creation_is_refused_beside_the_field(world: World) -> None:
    ann = await world.visitor("Ann")
    for name in ("one", "two"):
        await ann.open_room(world.name(name))
        await ann.open_path("/")
    await ann.room_search.fill(world.name("three"))
    await ann.room_search.press("Enter")
    await ann.expect_alert("That was too often. Please try again in 1")
    await expect(ann.room_search).to_have_value(world.name("three"))


async def test_rate_limit_error_is_in_the_language_of_the_visitor(world: World, room: str) -> None:
    (olga,) = await world.members(room, "Olga", words=RUSSIAN, locale="ru-RU")
    await olga.post_messages("раз", "два")
    await olga.send_message("три")
    await olga.expect_alert("Слишком часто. Попробуйте снова через 1")


async def test_rate_limited_dialog_shows_the_error_and_can_be_submitted_again(
    world: World,
) -> None:
    ann = await world.visitor("Ann")
    for name in ("one", "two"):
        await ann.open_room(world.name(name))
        await ann.open_path("/")
    await ann.button("New room").click()
    await ann.textbox("Name").fill(world.name("three"))
    for _ in range(2):
        await ann.button("Create the room").click()
        await ann.expect_alert("That was too often. Please try again in 1")
        await expect(ann.page.locator("form[aria-busy]")).to_have_count(0)
    await expect(ann.textbox("Name")).to_be_focused()


async def test_rate_limited_join_shows_the_error(world: World) -> None:
    rooms = [world.name(name) for name in ("one", "two", "three")]
    paths = []
    for room in rooms:
        owner = await world.visitor(f"Owner of {room}"[:20])
        await owner.open_room(room)
        paths.append(owner.page.url.removeprefix(owner.home))
    ann = await world.visitor("Ann")
    for path in paths[:2]:
        await ann.open_path(path)
        await ann.join_room()
    await ann.open_path(paths[2])
    await ann.button("Join room").click()
    await ann.expect_alert("That was too often. Please try again in 1")

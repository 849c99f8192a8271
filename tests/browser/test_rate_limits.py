"""A rate-limited action shows the time to wait and keeps the input."""

from playwright.async_api import Locator, expect

from tests.browser.person import RUSSIAN, Person
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
    ann = await _visitor_who_has_created_two_rooms(world)
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
    ann = await _visitor_who_has_created_two_rooms(world)
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


async def test_rate_limit_of_messages_counts_down_and_goes_away(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await ann.send_message("three")
    await _assert_counts_down(ann)
    await expect(ann.message_input).to_have_value("three")


async def test_typing_does_not_hide_how_long_to_wait(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await ann.send_message("three")
    await ann.expect_alert("That was too often")
    await ann.message_input.press("End")
    await ann.page.keyboard.type(" and more")
    await ann.expect_alert("That was too often")
    await expect(ann.message_input).to_have_value("three and more")


async def test_rate_limit_of_the_room_search_counts_down_and_goes_away(world: World) -> None:
    ann = await _visitor_who_has_created_two_rooms(world)
    await ann.room_search.fill(world.name("three"))
    await ann.room_search.press("Enter")
    await _assert_counts_down(ann)
    await expect(ann.room_search).to_have_value(world.name("three"))


async def test_rate_limit_of_a_dialog_counts_down_and_goes_away_each_time(world: World) -> None:
    ann = await _visitor_who_has_created_two_rooms(world)
    await ann.button("New room").click()
    await ann.textbox("Name").fill(world.name("three"))
    for _ in range(2):
        await ann.button("Create the room").click()
        await _assert_counts_down(ann)
    await expect(ann.textbox("Name")).to_have_value(world.name("three"))


async def _visitor_who_has_created_two_rooms(world: World) -> Person:
    person = await world.visitor("Ann")
    for name in ("one", "two"):
        await person.open_room(world.name(name))
        await person.open_path("/")
    return person


async def _assert_counts_down(person: Person) -> None:
    """Assert that the only alert counts down, quietly for screen readers, and disappears."""
    alert = person.alert("That was too often. Please try again in 1")
    timer = alert.get_by_role("timer")
    first = int(await timer.text_content() or "")
    await _advance(person, seconds=60)
    await person.expect_eventually(lambda: _is_lower(timer, first), True)
    await _advance(person, seconds=first)
    await expect(person.alert("That was too often")).to_have_count(0)


async def _advance(person: Person, *, seconds: int) -> None:
    """Set the clock of the page forward."""
    script = "(ms) => { const now = Date.now; Date.now = () => now() + ms; }"
    await person.page.evaluate(script, seconds * 1_000)


async def _is_lower(timer: Locator, first: int) -> bool:
    return int(await timer.text_content() or "") <= first - 60

"""Whoever does something too often reads when it will be possible again, and loses nothing."""

from playwright.async_api import expect

from tests.browser.person import RUSSIAN
from tests.browser.world import World

SETTINGS = {"posts_per_visitor": "2/1h", "new_rooms_per_visitor": "2/1h"}


async def test_a_text_that_came_too_soon_stays_in_the_box_with_the_time_to_wait(
    world: World, room: str
) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.says("one", "two")
    await ann.sends("three")
    await ann.is_told("That was too often. Please try again in 1")
    await expect(ann.box).to_have_value("three")
    await bob.says("four")
    await ann.has_heard("one", "two", "four")


async def test_a_room_that_came_too_soon_is_refused_beside_its_box(world: World) -> None:
    ann = await world.visitor("Ann")
    for name in ("one", "two"):
        await ann.opens(world.name(name))
        await ann.goes_to("/")
    await ann.finder.fill(world.name("three"))
    await ann.finder.press("Enter")
    await ann.is_told("That was too often. Please try again in 1")
    await expect(ann.finder).to_have_value(world.name("three"))


async def test_it_is_told_in_the_language_of_the_reader(world: World, room: str) -> None:
    (olga,) = await world.members(room, "Olga", words=RUSSIAN, locale="ru-RU")
    await olga.says("раз", "два")
    await olga.sends("три")
    await olga.is_told("Слишком часто. Попробуйте снова через 1")

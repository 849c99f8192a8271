"""Each list is one tab stop, and the arrow keys move between its rows."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World

_ROOMS = 17
_STOPS = """(root) => [...root.querySelectorAll("a, button, input, textarea, [tabindex]")]
    .filter((node) => node.tabIndex >= 0 && node.checkVisibility()).length"""


async def _member_of_rooms(world: World, count: int) -> tuple[Person, list[str]]:
    """Create a member of several rooms with the last one open; return their names, last first."""
    ann = await world.visitor("Ann")
    names = [world.name(f"room {number}") for number in range(count)]
    for name in names:
        await ann.enter_room(name)
    await expect(ann.region("Your rooms").get_by_role("listitem")).to_have_count(count)
    await ann.expect_connected()
    return ann, names[::-1]


async def _count_stops(root: Locator) -> int:
    stops: int = await root.evaluate(_STOPS)
    return stops


async def _press(person: Person, *keys: str) -> None:
    for key in keys:
        await person.page.keyboard.press(key)


async def test_each_list_is_one_tab_stop_however_long_it_is(world: World) -> None:
    ann, rooms = await _member_of_rooms(world, _ROOMS)
    await expect(ann.members.get_by_role("listitem")).to_have_count(1)
    for found in (ann.region("Your rooms"), ann.members):
        assert await _count_stops(found) == 1
    await ann.open_path("/")
    await expect(ann.public_room(rooms[0])).to_be_visible()
    await ann.expect_connected()
    for name in ("Your rooms", "Public rooms"):
        assert await _count_stops(ann.region(name)) == 1


async def test_arrow_keys_move_through_the_own_rooms(world: World) -> None:
    ann, rooms = await _member_of_rooms(world, 3)
    link = ann.own_room(rooms[0]).get_by_role("link")
    await link.focus()
    await _press(ann, "ArrowDown", "ArrowDown")
    await expect(ann.own_room(rooms[2]).get_by_role("link")).to_be_focused()
    await _press(ann, "Home", "End", "ArrowUp", "ArrowRight")
    await expect(ann.button(f"Leave “{rooms[1]}”")).to_be_focused()
    await _press(ann, "ArrowLeft", "Enter")
    await ann.expect_room(rooms[1])


async def test_focus_moves_to_the_neighbour_of_a_room_that_is_left(world: World) -> None:
    ann, rooms = await _member_of_rooms(world, 3)
    await ann.own_room(rooms[1]).get_by_role("link").focus()
    await _press(ann, "ArrowRight", "Enter")
    await expect(ann.own_room(rooms[1])).to_have_count(0)
    await expect(ann.own_room(rooms[2]).get_by_role("link")).to_be_focused()
    assert await _count_stops(ann.region("Your rooms")) == 1


async def test_focus_stays_in_a_list_whose_last_row_goes(world: World) -> None:
    ann = await world.visitor("Ann")
    room = world.name("the only room")
    await ann.enter_room(room)
    await ann.open_path("/")
    await ann.expect_connected()
    await ann.own_room(room).get_by_role("link").focus()
    await _press(ann, "ArrowRight", "Enter")
    await expect(ann.own_room(room)).to_have_count(0)
    await expect(ann.region("Your rooms").get_by_role("list")).to_be_focused()


async def test_members_are_reached_by_the_arrow_keys(world: World, room: str) -> None:
    ann, mira, timur = await world.members(room, "Ann", "Mira", "Timur")
    await ann.page.set_viewport_size({"width": 1440, "height": 800})
    rows = ann.members.get_by_role("listitem")
    await expect(rows).to_have_count(3)
    await rows.first.focus()
    await _press(ann, "End")
    await expect(rows.filter(has_text=timur.nickname)).to_be_focused()
    await _press(ann, "ArrowUp")
    await expect(rows.filter(has_text=mira.nickname)).to_be_focused()
    await mira.leave_room()
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text=timur.nickname)).to_be_focused()
    assert await _count_stops(ann.members) == 1


@pytest.mark.parametrize(("key", "expected"), [("Home", "one"), ("End", "four")])
async def test_home_and_end_reach_the_first_and_the_last_message(
    world: World, room: str, key: str, expected: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two", "three", "four")
    await ann.message("two").focus()
    await _press(ann, key)
    await expect(ann.message(expected)).to_be_focused()

"""Whom a browser has met in a room: who is new there, the same, or has only the same name."""

from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World

_MOVE_TO_YESTERDAY = """() => {
    const met = JSON.parse(localStorage.met);
    for (const people of Object.values(met.rooms))
        for (const days of Object.values(people))
            for (const index of [2, 3, 4]) days[index] -= days[index] ? 1 : 0;
    localStorage.met = JSON.stringify(met);
}"""


async def test_who_comes_later_is_new_and_the_same_on_the_next_day(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    (bob,) = await world.members(room, "Bob")
    await expect(_find_member(ann, bob)).to_contain_text("new here")
    await expect(_find_member(bob, mira)).not_to_contain_text("new here")
    await expect(_find_member(bob, bob)).not_to_contain_text("new here")
    await ann.page.reload()
    await expect(_find_member(ann, bob)).to_contain_text("new here")
    await ann.page.evaluate(_MOVE_TO_YESTERDAY)
    await ann.page.reload()
    await expect(_find_member(ann, bob)).to_contain_text("same as yesterday")
    await bob.open_path("/")
    await expect(_find_member(ann, bob)).to_contain_text("away")
    await expect(_find_member(ann, bob)).to_contain_text("same as yesterday")
    assert bob.nickname not in str(await ann.page.evaluate("localStorage.met"))


async def test_another_person_with_the_same_name_is_told_apart(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await expect(_find_member(ann, mira)).to_be_visible()
    await mira.forget_me()
    await expect(_find_member(ann, mira)).to_be_hidden()
    (other,) = await world.members(room, "Mira")
    assert other.nickname == mira.nickname
    await expect(_find_member(ann, other)).to_contain_text("new person, same name")


async def test_whom_a_browser_has_met_is_forgotten_with_the_room_and_the_visitor(
    world: World, room: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await expect(_find_member(mira, ann)).to_be_visible()
    rooms = "Object.keys(JSON.parse(localStorage.met).rooms).length"
    before = await mira.page.evaluate(rooms)
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await expect(mira.page.get_by_text("This room was burnt.")).to_be_visible()
    await mira.expect_eventually(lambda: mira.page.evaluate(rooms), before - 1)
    await mira.forget_me()
    await mira.expect_path("/login")
    assert await mira.page.evaluate("localStorage.length") == 0


def _find_member(person: Person, member: Person) -> Locator:
    return person.members.get_by_role("listitem").filter(has_text=member.nickname)

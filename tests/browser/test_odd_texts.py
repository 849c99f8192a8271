"""Texts that go up, down and backwards keep to their place on the screen."""

import pytest

from tests.browser.person import Person
from tests.browser.world import World

_PILE = "\u0300\u0316\u0489\u0361\u0337"
_MARGIN = 2  # pixels: how far fonts differ in the same line


async def _box(person: Person, text: str, part: str) -> dict[str, float]:
    row = person.log.locator("[data-key]").filter(has_text=text)
    box: dict[str, float] | None = await row.locator(part).first.bounding_box()
    assert box
    return box


async def test_piles_of_marks_stay_on_their_line(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("plain words")
    await ann.sends("piled " + "".join(letter + _PILE * 60 for letter in "words"))
    await ann.eventually(lambda: ann.log.locator("[data-key]").count(), 2)
    plain, piled = await _box(ann, "plain", ".text"), await _box(ann, "piled", ".text")
    assert piled["height"] <= 2 * plain["height"] + _MARGIN
    said = (await ann.hears())[-1]
    assert len(said) <= len("piled ") + 5 * 5, "four marks on each letter at most"


async def test_marks_beside_one_another_never_widen_the_page(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.says("\u0939" + "\u093e" * 3_000)
    assert await ann.log.evaluate("log => log.scrollWidth - log.clientWidth") <= 0
    assert await ann.page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize("name", ["\u202eAnn", "\u05d0\u05d1\u05d2", "\u0645\u0631\u062d"])
async def test_a_name_that_runs_backwards_turns_nothing_else_around(
    world: World, room: str, name: str
) -> None:
    ann = await world.person("Ann")
    ann.nickname = world.name(name)
    await ann.comes_in()
    await ann.opens(room)
    await ann.says("\u202ebackwards\u2066 \u05d0", "forwards")
    whole = await _box(ann, "backwards", ".who")
    time = await _box(ann, "backwards", "time")
    assert whole["x"] + whole["width"] <= time["x"] + _MARGIN
    seat = ann.members.get_by_role("listitem").first
    initials, who = seat.locator(".initials"), seat.locator(".who")
    first, second = await initials.bounding_box(), await who.bounding_box()
    assert first
    assert second
    assert first["x"] + first["width"] <= second["x"] + _MARGIN
    shown = await who.inner_text()
    assert "\u202e" not in shown
    direction = "e => getComputedStyle(e).unicodeBidi"
    assert await who.evaluate(direction) == "isolate"
    text = ann.log.locator("[data-key] .text").last
    assert await text.evaluate("e => getComputedStyle(e).direction") == "ltr"

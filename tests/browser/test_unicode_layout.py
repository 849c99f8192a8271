"""Combining marks and right-to-left text do not disturb the layout."""

import pytest

from tests.browser.person import Person
from tests.browser.world import World

_MARKS = "\u0300\u0316\u0489\u0361\u0337"
_TOLERANCE = 2  # pixels of difference between fonts in the same line


async def _bounding_box(person: Person, text: str, part: str) -> dict[str, float]:
    row = person.log.locator("[data-key]").filter(has_text=text)
    box: dict[str, float] | None = await row.locator(part).first.bounding_box()
    assert box
    return box


async def test_stacked_combining_marks_stay_on_their_line(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("plain words")
    await ann.send_message("piled " + "".join(letter + _MARKS * 60 for letter in "words"))
    await ann.expect_eventually(lambda: ann.log.locator("[data-key]").count(), 2)
    plain, piled = (
        await _bounding_box(ann, "plain", ".text"),
        await _bounding_box(ann, "piled", ".text"),
    )
    assert piled["height"] <= 2 * plain["height"] + _TOLERANCE
    text = (await ann.message_texts())[-1]
    assert len(text) <= len("piled ") + 5 * 5, "at most four marks per letter"


async def test_spacing_marks_do_not_widen_the_page(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("\u0939" + "\u093e" * 3_000)
    assert await ann.log.evaluate("log => log.scrollWidth - log.clientWidth") <= 0
    assert await ann.page.evaluate("document.documentElement.scrollWidth") <= 1280


@pytest.mark.parametrize("name", ["\u202eAnn", "\u05d0\u05d1\u05d2", "\u0645\u0631\u062d"])
async def test_right_to_left_nickname_does_not_reorder_other_text(
    world: World, room: str, name: str
) -> None:
    ann = await world.person("Ann")
    ann.nickname = world.name(name)
    await ann.sign_in()
    await ann.open_room(room)
    await ann.post_messages("\u202ebackwards\u2066 \u05d0", "forwards")
    author = await _bounding_box(ann, "backwards", ".who")
    time = await _bounding_box(ann, "backwards", "time")
    assert author["x"] + author["width"] <= time["x"] + _TOLERANCE
    member = ann.members.get_by_role("listitem").first
    initials, nickname = member.locator(".initials"), member.locator(".who")
    initials_box, nickname_box = await initials.bounding_box(), await nickname.bounding_box()
    assert initials_box
    assert nickname_box
    assert initials_box["x"] + initials_box["width"] <= nickname_box["x"] + _TOLERANCE
    shown_nickname = await nickname.inner_text()
    assert "\u202e" not in shown_nickname
    direction = "e => getComputedStyle(e).unicodeBidi"
    assert await nickname.evaluate(direction) == "isolate"
    text = ann.log.locator("[data-key] .text").last
    assert await text.evaluate("e => getComputedStyle(e).direction") == "ltr"

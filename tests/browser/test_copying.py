"""What is copied from the message list."""

import pytest
from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World

_SELECT = """(log, [from, start, to, end]) => {
    const texts = [...log.querySelectorAll("[data-key] .text")];
    const find = (text) => texts.find((node) => node.textContent === text).firstChild;
    const point = (text, offset) => [find(text), offset];
    document.getSelection().setBaseAndExtent(...point(from, start), ...point(to, end));
}"""
_TIMES = """(log) => [...log.querySelectorAll("time")].map((time) => time.textContent)"""


async def _paste(person: Person) -> str:
    """Copy the selection and return what the message box contains after pasting it."""
    await person.page.keyboard.press("ControlOrMeta+c")
    await person.fill_message("")
    await person.message_input.press("ControlOrMeta+v")
    return await person.message_input.input_value()


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (["first words", 0, "third", 5], ["Ann: first words", "Ann: second", "Bob: third"]),
        (["first words", 6, "third", 2], ["Ann: words", "Ann: second", "Bob: th"]),
        (["first words", 11, "third", 0], ["second"]),
        (["first words", 2, "first words", 7], ["rst w"]),
    ],
    ids=["whole", "from and to the middle", "only one touched", "within one"],
)
async def test_copied_messages_are_lines_with_name_and_time(
    world: World, room: str, selection: list[object], expected: list[str]
) -> None:
    ann, bob = await world.members(room, "Ann", "Bob")
    await ann.post_messages("first words", "second")
    await bob.post_messages("third")
    await ann.expect_message("third")
    times: list[str] = await ann.log.evaluate(_TIMES)
    lines = []
    for line in expected:
        name, _, text = line.rpartition(": ")
        person = {"Ann": ann, "Bob": bob}.get(name)
        time = times[2] if person is bob else times[0] if "words" in line else times[1]
        lines.append(f"{person.nickname}, {time}: {text}" if person else text)
    await ann.log.evaluate(_SELECT, selection)
    assert await _paste(ann) == "\n".join(lines)


async def test_select_all_copies_every_message_and_nothing_else(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("first", "second")
    times: list[str] = await ann.log.evaluate(_TIMES)
    await ann.log.press("ControlOrMeta+a")
    pasted = await _paste(ann)
    assert pasted == f"{ann.nickname}, {times[0]}: first\n{ann.nickname}, {times[1]}: second"


async def test_text_of_the_message_box_is_copied_as_it_is(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("first")
    await ann.fill_message("half a thought")
    await ann.message_input.press("ControlOrMeta+a")
    assert await _paste(ann) == "half a thought"
    await expect(ann.message_input).to_be_focused()


async def test_copied_link_is_confirmed_for_a_moment(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.button("Invite").click()
    await ann.button("Copy the link").click()
    await expect(ann.button("Copied")).to_be_visible()
    await expect(ann.button("Copy the link")).to_be_visible()

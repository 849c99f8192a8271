"""Phone viewport: no overflow, no small touch targets, every action possible."""

import pytest
from playwright.async_api import expect

from tests.browser.person import ENGLISH, RUSSIAN, Person, Words
from tests.browser.world import World

_CUT_PLACEHOLDERS = """() => [...document.querySelectorAll("[placeholder]")]
    .filter((box) => box.checkVisibility() && !box.value)
    .filter((box) => {
        const { font, paddingLeft, paddingRight } = getComputedStyle(box);
        const context = document.createElement("canvas").getContext("2d");
        context.font = font;
        const width = context.measureText(box.placeholder).width;
        return width > box.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
    })
    .map((box) => box.placeholder)"""
PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}
_SMALL_TARGETS = """() => [
    ...document.querySelectorAll("a, button, input, textarea, select, summary")]
    .filter((node) => node.checkVisibility({visibilityProperty: true, opacityProperty: true}))
    .filter((node) => !node.closest(".text") && !node.closest("[inert]"))
    .map((node) => [node, (node.closest(".field, .switch") || node).getBoundingClientRect()])
    .filter(([, box]) => box.width > 2 && box.height > 2 && (box.height < 39.5 || box.width < 39.5))
    .map(([node, box]) => `${node.outerHTML.slice(0, 90)} is ${box.width} x ${box.height}`)"""
both_languages = pytest.mark.parametrize(
    ("words", "locale"), [(ENGLISH, "en-GB"), (RUSSIAN, "ru-RU")], ids=["en", "ru"]
)


async def _assert_fits_viewport(person: Person) -> None:
    """Assert that nothing overflows the width and that every touch target is large enough."""
    await expect(person.page.get_by_role("heading").first).to_be_visible()
    overflowing: list[str] = await person.page.evaluate(
        """() => document.documentElement.scrollWidth <= 360 ? [] :
        [...document.querySelectorAll("body *")]
        .filter((node) => node.getBoundingClientRect().right > 360.5)
        .map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert overflowing == []
    assert await person.page.evaluate(_SMALL_TARGETS) == []
    assert await person.page.evaluate(_CUT_PLACEHOLDERS) == []


@both_languages
async def test_every_page_fits_a_phone(world: World, room: str, words: Words, locale: str) -> None:
    ann = await world.person("Ann", words=words, locale=locale, **PHONE)
    await ann.open_path("/login")
    await _assert_fits_viewport(ann)
    await ann.page.locator("summary").click()
    await _assert_fits_viewport(ann)
    await ann.open_path("/privacy")
    await _assert_fits_viewport(ann)
    await ann.open_path("/login")
    ann.nickname = "W" * 20 + ann.nickname[-3:]
    await ann.sign_in()
    await _assert_fits_viewport(ann)
    await ann.button(words.new_room).click()
    await expect(ann.dialog).to_be_visible()
    await _assert_fits_viewport(ann)
    await ann.close_dialog()
    await ann.open_settings()
    await _assert_fits_viewport(ann)
    await ann.close_dialog()
    long = f"{'Wide' * 11} {room[:15]}"
    await ann.open_room(long)
    await ann.post_messages("https://example.org/" + "a" * 500, "ы" * 300, "word " * 100 + "end")
    await _assert_fits_viewport(ann)
    await ann.open_invitation()
    await _assert_fits_viewport(ann)
    await ann.close_dialog()
    address = ann.page.url
    await ann.open_path("/")
    await expect(ann.own_room(long)).to_be_visible()
    await _assert_fits_viewport(ann)
    await ann.page.goto(address)
    await ann.expect_room(long)
    await ann.leave_room()
    await ann.page.goto(address)
    await expect(ann.button(words.join)).to_be_visible()
    await _assert_fits_viewport(ann)


@both_languages
async def test_every_action_is_possible_on_a_phone(
    world: World, room: str, words: Words, locale: str
) -> None:
    ann = await world.person("Ann", words=words, locale=locale, **PHONE)
    await ann.open_path("/login")
    await ann.textbox(words.nickname).fill(ann.nickname)
    await ann.button(words.enter).tap()
    await ann.expect_path("/")
    await ann.room_search.fill(room)
    await ann.button(words.open).tap()
    await ann.expect_room(room)
    (mira,) = await world.members(room, "Mira")
    for number in range(15):
        await mira.send_message(f"line {number}")
    await expect(ann.message("line 14")).to_be_in_viewport()
    await ann.message_input.fill("from my pocket")
    await ann.button(words.send).tap()
    await mira.expect_message("from my pocket")
    await expect(ann.message("from my pocket")).to_be_in_viewport()
    await expect(ann.message_input).to_be_in_viewport(ratio=1)
    await expect(ann.button(words.send)).to_be_in_viewport(ratio=1)
    await expect(ann.button(words.leave)).to_be_in_viewport(ratio=1)

    await expect(ann.members).to_be_hidden()
    await ann.button(words.members).tap()
    await expect(ann.members.get_by_role("listitem").filter(has_text=mira.nickname)).to_be_visible()
    await (
        ann.button(words.members)
        .or_(ann.button("Close" if words is ENGLISH else "Закрыть"))
        .last.tap()
    )
    await expect(ann.members).to_be_hidden()
    await ann.button(words.invite).tap()
    await expect(ann.dialog.get_by_role("textbox")).to_have_value(ann.page.url)
    await ann.dialog.get_by_role("button").first.tap()
    await ann.page.get_by_role("link", name=_lobby_link(words), exact=True).tap()
    await ann.expect_path("/")
    await expect(ann.own_room(room)).to_be_visible()
    await ann.own_room(room).get_by_role("button").tap()
    await expect(ann.own_room(room)).to_have_count(0)
    await ann.forget_me()
    await ann.expect_path("/login")


def _lobby_link(words: Words) -> str:
    return "Back to the lobby" if words is ENGLISH else "Назад к комнатам"

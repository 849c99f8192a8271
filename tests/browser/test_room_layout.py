"""The layout of a room: nothing covered, nothing squeezed, nothing that jumps."""

import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, ENGLISH, RUSSIAN, SECONDS, Words
from tests.browser.world import World

_WIDTHS = [360, 768, 800, 1100, 1440]


@pytest.mark.parametrize("width", _WIDTHS)
async def test_room_opens_with_its_last_line_in_view(world: World, room: str, width: int) -> None:
    ann = await world.visitor("Ann", width=width, height=640)
    await ann.open_room(room)
    await ann.post_messages(*(f"line {number}" for number in range(16)))
    await ann.page.reload()
    await expect(ann.page.locator(".feed-facts .chip").first).to_be_visible()
    await ann.expect_connected()
    end = "(list) => Math.round(list.scrollHeight - list.scrollTop - list.clientHeight)"
    await ann.expect_eventually(lambda: ann.log.evaluate(end), 0)
    await expect(ann.message("line 15")).to_be_in_viewport(ratio=1)


@pytest.mark.parametrize("width", [768, 900, 1199])
async def test_members_lie_over_the_conversation_of_a_narrow_window(
    world: World, room: str, width: int
) -> None:
    (ann,) = await world.members(room, "Ann", width=width)
    before = await ann.log.bounding_box()
    await ann.button("Members").click()
    await expect(ann.members).to_be_visible()
    assert await ann.log.bounding_box() == before
    panel = await ann.page.locator("#members").bounding_box()
    assert panel and panel["x"] + panel["width"] == width and panel["height"] == 800
    await ann.button("Close").click()
    await expect(ann.members).to_be_hidden()
    await expect(ann.button("Members")).to_be_focused()


@pytest.mark.parametrize(("words", "locale"), [(ENGLISH, "en-GB"), (RUSSIAN, "ru-RU")])
@pytest.mark.parametrize("width", _WIDTHS)
async def test_connection_status_covers_nothing(
    world: World, room: str, width: int, words: Words, locale: str
) -> None:
    (ann,) = await world.members(
        room, "Ann", width=width, words=words, locale=locale, ignored_errors=CONNECTION_ERRORS
    )
    for path in (ann.page.url.removeprefix(ann.home), "/"):
        await ann.open_path(path)
        await ann.expect_connected()
        await ann.context.set_offline(True)
        await expect(ann.page.get_by_role("status")).to_be_visible(timeout=30 * SECONDS)
        assert await ann.page.evaluate(_COVERED) == []
        if path != "/":
            await expect(ann.message_input).to_be_in_viewport(ratio=1)
        await ann.context.set_offline(False)
        await ann.expect_connected()


_COVERED = """() => {
    const banner = document.querySelector(".connection").getBoundingClientRect();
    return [...document.querySelectorAll("h1, header a, header button")]
        .filter((node) => node.checkVisibility({ visibilityProperty: true }))
        .filter((node) => node.getBoundingClientRect().top < banner.bottom)
        .map((node) => node.outerHTML.slice(0, 90));
}"""

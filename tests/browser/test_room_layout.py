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
    panel = await ann.page.get_by_role("complementary").bounding_box()
    assert panel and panel["x"] + panel["width"] == width and panel["height"] == 800
    await ann.button("Close").click()
    await expect(ann.members).to_be_hidden()
    await expect(ann.button("Members")).to_be_focused()


@pytest.mark.parametrize(("words", "locale"), [(ENGLISH, "en-GB"), (RUSSIAN, "ru-RU")])
@pytest.mark.parametrize("width", _WIDTHS)
async def test_connection_status_covers_nothing(
    world: World, room: str, width: int, words: Words, locale: str
) -> None:
    (ann,) = await world.members(room, "Ann", width=width, words=words, locale=locale)
    ann.ignored_errors = CONNECTION_ERRORS
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
_TOPS = """(log) => {
    window.tops = [];
    const texts = () => [...log.querySelectorAll(".text")];
    new MutationObserver((changes) => {
        const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
        if (!added.some((node) => node.querySelector?.(".text")?.textContent === "second")) return;
        const { bottom } = log.getBoundingClientRect();
        window.tops.push(texts().map((text) => text.getBoundingClientRect().top - bottom));
    }).observe(log, { childList: true });
}"""


async def test_second_message_in_a_row_does_not_jump(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("first")
    await ann.log.evaluate(_TOPS)
    await ann.post_messages("second")
    pending, stored = await ann.page.evaluate("window.tops")
    assert len(pending) == 2
    assert pending == stored


async def test_pending_messages_share_one_heading(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    ann.ignored_errors = CONNECTION_ERRORS
    await mira.post_messages("from somebody else")
    await ann.expect_message("from somebody else")
    await ann.context.set_offline(True)
    await ann.send_message("one")
    await ann.send_message("two")
    name = ann.page.get_by_text(ann.nickname)
    sizes = "(node) => node.querySelector('.initials').getBoundingClientRect().height"
    assert await ann.pending("one").filter(has=name).evaluate(sizes) > 0
    assert await ann.pending("two").evaluate(sizes) == 0
    await ann.context.set_offline(False)
    await mira.expect_messages("from somebody else", "one", "two")

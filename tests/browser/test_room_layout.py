"""The layout of a room: nothing covered, nothing squeezed, nothing that jumps."""

import pytest
from playwright.async_api import expect

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

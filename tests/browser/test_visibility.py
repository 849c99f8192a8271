"""What can be seen: in forced colours, with weak eyes, with larger letters."""

from typing import Literal

import pytest
from playwright.async_api import expect

from tests.browser.world import World

_CONTRAST = """([one, other]) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const linear = (value) =>
    value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = (color) => {
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(linear);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  const [a, b] = [luminance(one), luminance(other)];
  return Math.max(a, b) / Math.min(a, b);
}"""
_SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


@pytest.mark.parametrize("scheme", _SCHEMES)
async def test_icons_are_seen_in_forced_colours(
    world: World, room: str, scheme: Literal["light", "dark"]
) -> None:
    ann = await world.visitor("Ann", forced_colors="active", color_scheme=scheme)
    await ann.open_room(room)
    await expect(ann.page.locator(".feed-facts .icon").first).to_be_visible()
    unseen = []
    for icon in await ann.page.locator(".icon, .dots i").all():
        if not await icon.is_visible():
            continue
        color = await icon.evaluate("""(icon) => {
            let ground = icon.parentElement;
            const color = (node) => getComputedStyle(node).backgroundColor;
            while (color(ground).endsWith(", 0)")) ground = ground.parentElement;
            return [color(icon), color(ground)];
        }""")
        if await ann.page.evaluate(_CONTRAST, color) < 3:
            unseen.append(await icon.evaluate("(icon) => icon.parentElement.outerHTML"))
    assert unseen == []


async def test_states_are_marked_in_forced_colours(world: World, room: str) -> None:
    ann = await world.visitor("Ann", forced_colors="active")
    await ann.open_room(room)
    await ann.open_room(f"{room} too")
    look = """(node) => {
        const { backgroundColor, outlineStyle, borderColor } = getComputedStyle(node);
        return [backgroundColor, outlineStyle, borderColor].join();
    }"""
    links = ann.region("Your rooms").get_by_role("link")
    assert await links.nth(0).evaluate(look) != await links.nth(1).evaluate(look)
    await ann.open_path("/")
    await ann.room_search.fill(room)
    options = ann.page.get_by_role("option")
    await expect(options).not_to_have_count(0)
    await ann.room_search.press("ArrowDown")
    chosen = ann.page.get_by_role("option", selected=True)
    other = ann.page.get_by_role("option", selected=False)
    assert await chosen.evaluate(look) != await other.first.evaluate(look)

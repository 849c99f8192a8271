"""What can be seen: in forced colours, with weak eyes, with larger letters."""

from typing import Literal

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import Person
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
# The colour that marks a node: of its outline, else of what is seen behind its text.
_MARK = """(node) => {
    const { outlineStyle, outlineColor } = getComputedStyle(node);
    if (outlineStyle !== "none") return outlineColor;
    const color = (ground) => getComputedStyle(ground).backgroundColor;
    for (let ground = node; ground; ground = ground.parentElement) {
        if (!color(ground).endsWith(", 0)")) return color(ground);
    }
    return "Canvas";
}"""
_STYLES = "(node, names) => names.map((name) => getComputedStyle(node)[name])"
_SCHEMES: list[Literal["light", "dark"]] = ["light", "dark"]


@pytest.mark.parametrize("scheme", _SCHEMES)
async def test_icons_are_seen_in_forced_colours(
    world: World, room: str, scheme: Literal["light", "dark"]
) -> None:
    ann = await world.visitor("Ann", forced_colors="active", color_scheme=scheme)
    await ann.open_room(room)
    await expect(ann.page.locator(".feed-facts .icon").first).to_be_visible()
    await ann.expect_eventually(lambda: _list_unseen_icons(ann), [])


async def _list_unseen_icons(person: Person) -> list[str]:
    """Return the elements around visible icons that are hardly seen."""
    unseen = []
    for icon in await person.page.locator(".icon, .icon-only:empty, .mark").all():
        if not await icon.is_visible():
            continue
        color = await icon.evaluate("""(icon) => {
            let ground = icon.parentElement;
            const color = (node) => getComputedStyle(node).backgroundColor;
            while (ground && color(ground).endsWith(", 0)")) ground = ground.parentElement;
            if (!ground) return null; // removed meanwhile
            const pseudo = icon.matches(".icon") ? undefined : "::before";
            return [getComputedStyle(icon, pseudo).backgroundColor, color(ground)];
        }""")
        if color and await person.page.evaluate(_CONTRAST, color) < 3:
            unseen.append(await icon.evaluate("(icon) => icon.parentElement.outerHTML"))
    return unseen


async def test_states_are_marked_in_forced_colours(world: World, room: str) -> None:
    ann = await world.visitor("Ann", forced_colors="active")
    await ann.open_room(room)
    await ann.open_room(f"{room} too")

    async def contrast(chosen: Locator, other: Locator) -> float:
        colors = [await each.evaluate(_MARK) for each in (chosen, other)]
        seen: float = await ann.page.evaluate(_CONTRAST, colors)
        return seen

    current = ann.own_room(f"{room} too").get_by_role("link")
    assert await contrast(current, ann.own_room(room).get_by_role("link")) > 1.5
    await ann.open_path("/")
    await ann.room_search.fill(room)
    options = ann.page.get_by_role("option")
    await expect(options).not_to_have_count(0)
    await ann.room_search.press("ArrowDown")
    chosen = ann.page.get_by_role("option", selected=True)
    other = ann.page.get_by_role("option", selected=False)
    assert await contrast(chosen, other.first) > 1.5


@pytest.mark.parametrize("scheme", _SCHEMES)
async def test_borders_of_fields_have_contrast(
    world: World, room: str, scheme: Literal["light", "dark"]
) -> None:
    ann = await world.visitor("Ann", color_scheme=scheme)
    await ann.open_room(room)
    await ann.page.evaluate("document.activeElement.blur()")
    fields = ann.page.locator(".field:not(dialog *)")
    await expect(fields).to_have_count(2)
    for field in await fields.all():
        colors = await field.evaluate(_STYLES, ["borderTopColor", "backgroundColor"])
        assert await ann.page.evaluate(_CONTRAST, colors) >= 3


@pytest.mark.parametrize("scheme", _SCHEMES)
async def test_initials_of_an_absent_member_have_contrast(
    world: World, room: str, scheme: Literal["light", "dark"]
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", color_scheme=scheme)
    await mira.open_path("/")
    initials = ann.page.locator(".member.away .initials")
    await expect(initials).to_be_visible()
    color, ground, opacity = await initials.evaluate(
        _STYLES, ["color", "backgroundColor", "opacity"]
    )
    assert opacity == "1"
    assert await ann.page.evaluate(_CONTRAST, [color, ground]) >= 4.5


async def test_letters_follow_the_size_that_the_browser_is_set_to(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=700)
    await ann.post_messages("hello")
    await ann.page.add_style_tag(content="html { font-size: 32px }")
    fixed = await ann.page.evaluate("""() => [...document.querySelectorAll("*")]
        .filter((node) => [...node.childNodes].some((child) => child.data?.trim()))
        .filter((node) => node.checkVisibility() && !node.closest(".q-notifications"))
        .filter((node) => {
            const before = getComputedStyle(node).fontSize;
            document.documentElement.style.fontSize = "16px";
            const after = getComputedStyle(node).fontSize;
            document.documentElement.style.fontSize = "";
            return before === after && parseFloat(before) > 1;
        })
        .map((node) => node.outerHTML.slice(0, 90))""")
    assert fixed == []

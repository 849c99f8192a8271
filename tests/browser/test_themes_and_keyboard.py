"""Colour themes and keyboard operation."""

from typing import Literal

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World

_BACKGROUND = "getComputedStyle(document.body).backgroundColor"

_ACCENTS = ["#000", "#fff", "#808080", *(f"hsl({hue} 100% 50%)" for hue in range(0, 360, 20))]
_TEXTS = [  # each colour of a text, with the colours behind it
    ("--on-accent", ["--accent", "--accent-strong"]),
    ("--accent-text", ["--paper", "--surface", "--sunken", "--hover", "--accent-soft"]),
    ("--ink", ["--accent-soft"]),
    ("--ink-soft", ["--accent-soft"]),
]
_CONTRASTS = """([accents, texts]) => {
  const probe = document.body.appendChild(document.createElement("span"));
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const linear = (value) =>
    value <= 10.31 ? value / 3294.6 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = (name) => {
    probe.style.color = `var(${name})`;
    canvas.fillStyle = getComputedStyle(probe).color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map(linear);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
  };
  return accents.flatMap((accent) => {
    document.documentElement.style.setProperty("--accent-base", accent);
    return texts.flatMap(([text, grounds]) => grounds.map((ground) => {
      const [one, other] = [luminance(text), luminance(ground)];
      return [Math.max(one, other) / Math.min(one, other), accent, text, ground];
    }));
  });
}"""

_FOREIGN_STYLES = """() => {
  const style = document.createElement("style");
  style.textContent = "@layer quasar { input::placeholder { opacity: 0 } }";
  document.head.append(style);
  const add = (name) => document.body.appendChild(document.createElement(name));
  const [paragraph, list, input] = ["p", "ul", "input"].map(add);
  input.placeholder = "x";
  return [
    getComputedStyle(paragraph).display,
    getComputedStyle(list).listStyleType,
    getComputedStyle(input, "::placeholder").opacity,
  ];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_text_has_contrast_with_every_accent_colour(
    world: World, scheme: Literal["light", "dark"]
) -> None:
    ann = await world.person("Ann", color_scheme=scheme)
    await ann.open_path("/login")
    contrasts = await ann.page.evaluate(_CONTRASTS, [_ACCENTS, _TEXTS])
    assert len({accent for _, accent, *_ in contrasts}) == len(_ACCENTS)
    assert len({contrast for contrast, *_ in contrasts}) > len(_ACCENTS), "the accent has no effect"
    assert min(contrasts)[0] >= 4.5, min(contrasts)


async def test_light_and_dark_themes_differ_and_can_be_chosen(world: World) -> None:
    ann = await world.visitor("Ann", color_scheme="light")
    mira = await world.visitor("Mira", color_scheme="dark")
    light, dark = await ann.page.evaluate(_BACKGROUND), await mira.page.evaluate(_BACKGROUND)
    assert light != dark
    await ann.open_settings()
    await ann.button("dark").click()
    await ann.expect_eventually(lambda: ann.page.evaluate(_BACKGROUND), dark)
    await ann.open_path("/privacy")
    await ann.expect_eventually(lambda: ann.page.evaluate(_BACKGROUND), dark)
    await ann.open_path("/")
    await ann.open_settings()
    await ann.button("same as the system").click()
    await ann.expect_eventually(lambda: ann.page.evaluate(_BACKGROUND), light)


async def test_theme_of_quasar_is_the_chosen_one(world: World) -> None:
    ann = await world.person("Ann", color_scheme="light")
    for theme, expected in (("dark", True), ("light", False), ("", False)):
        await ann.context.add_cookies(
            [{"name": "theme", "value": theme, "url": world.server_process.url}]
        )
        await ann.open_path("/login")
        await expect(ann.textbox("Nickname")).to_be_visible()
        is_dark = "document.body.classList.contains('body--dark')"
        assert await ann.page.evaluate(is_dark) is expected


async def test_elements_outside_our_screens_are_not_styled(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await expect(ann.textbox("Nickname")).to_be_visible()
    display, list_style, opacity = await ann.page.evaluate(_FOREIGN_STYLES)
    assert display == "block", "Quasar measures the scrollbar with an empty paragraph"
    assert list_style == "disc"
    assert opacity == "0", "Quasar hides a placeholder under a label"


async def test_every_action_is_possible_by_keyboard(world: World, room: str) -> None:
    (mira,) = await world.members(room, "Mira")
    ann = await world.person("Ann")
    keys = ann.page.keyboard
    await ann.open_path("/login")
    await _tab_to(ann, ann.textbox("Nickname"))
    await keys.type(ann.nickname)
    await _tab_to(ann, ann.button("Enter"))
    await keys.press("Enter")
    await ann.expect_path("/")

    await _tab_to(ann, ann.room_search)
    await keys.type(room)
    await expect(ann.page.get_by_role("option").filter(has_text=room)).to_be_visible()
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await ann.expect_room(room)
    await _tab_to(ann, ann.message_input)
    await keys.type("no mouse")
    await keys.press("Enter")
    await mira.expect_message("no mouse")
    await _tab_to(ann, ann.log)
    await keys.press("ArrowUp")
    await expect(ann.message("no mouse")).to_be_focused()
    await _tab_to(ann, ann.button("Invite"))
    await keys.press("Enter")
    await expect(ann.dialog).to_be_visible()
    await keys.press("Escape")
    await expect(ann.button("Invite")).to_be_focused()
    await _tab_to(ann, ann.button("Leave room"))
    await keys.press("Space")
    await ann.expect_path("/")

    await _move_to(ann, ann.public_room(room).get_by_role("link"), "ArrowRight")
    await keys.press("Enter")
    await _tab_to(ann, ann.button("Join room"))
    await keys.press("Enter")
    await ann.expect_room(room)
    await ann.open_path("/")
    await _move_to(ann, ann.button(f"Leave “{room}”"), "ArrowRight")
    await keys.press("Enter")
    await expect(ann.own_room(room)).to_have_count(0)
    await _tab_to(ann, ann.button("New room"))
    await keys.press("Enter")
    await expect(ann.textbox("Name")).to_be_focused()
    await keys.type(f"{room} again")
    await keys.press("Enter")
    await ann.expect_room(f"{room} again")
    await _tab_to(ann, ann.button("Settings"))
    await keys.press("Enter")
    await expect(ann.dialog).to_be_visible()
    await _tab_to(ann, ann.dialog.locator("summary"))
    await keys.press("Enter")
    await _tab_to(ann, ann.button("Yes, forget me now"))
    await keys.press("Enter")
    await ann.expect_path("/login")


async def _tab_to(person: Person, target: Locator) -> None:
    """Press Tab until the target has the focus; fail if it is not reachable."""
    await expect(target).to_have_count(1)
    for _ in range(60):
        if await target.evaluate("(node) => node === document.activeElement"):
            return
        await person.page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reachable with the Tab key")


async def _move_to(person: Person, target: Locator, key: str) -> None:
    """Press Tab until the list of the target has the focus, and then `key` until the target has."""
    rows = target.locator("xpath=ancestor::ul")
    await _tab_to(person, rows.locator("[tabindex='0']"))
    for _ in range(200):
        if await target.evaluate("(node) => node === document.activeElement"):
            return
        await person.page.keyboard.press(key)
    raise AssertionError(f"{target} is not reachable with {key}")


async def test_arrow_keys_move_from_inside_a_row_to_its_neighbour(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two https://example.org", "three", "four")
    link = ann.log.get_by_role("link")
    for key, neighbour in (("ArrowUp", "one"), ("ArrowDown", "three")):
        await link.focus()
        await ann.page.keyboard.press(key)
        await expect(ann.message(neighbour)).to_be_focused()

"""The theme of the site, and the one that a visitor chooses."""

from collections.abc import AsyncIterator
from typing import Literal

import pytest
from playwright.async_api import Locator, Route, expect

from anonchat import Theme
from tests.browser.person import CONNECTION_ERRORS, RUSSIAN, Person
from tests.browser.test_accessibility import find_faults
from tests.browser.world import World
from tests.fakes import THEMES

SETTINGS = {"theme": "forest", "accent": "#0a6b4f", "log_level": "debug"}

_PAPER = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
  canvas.fillRect(0, 0, 1, 1);
  const hex = (value) => value.toString(16).padStart(2, "0");
  return `#${[...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(hex).join("")}`;
}"""
_COLORS = """(tokens) => {
  const probe = document.body.appendChild(document.createElement("span"));
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  return tokens.map((token) => {
    probe.style.color = `var(--${token})`;
    canvas.fillStyle = getComputedStyle(probe).color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  });
}"""
_THEME = "document.getElementById('theme-style').dataset.theme"
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_TOKENS = [
    *("paper", "surface", "sunken", "hover", "line", "field-line", "ink", "ink-soft", "ink-faint"),
    *("accent", "accent-strong", "on-accent", "accent-soft", "accent-text"),
    *("ember", "ember-soft", "danger", "fresh"),
]
_PAINTED_PATHS = ("/login", "/privacy", "/nowhere")


async def _choose(ann: Person, theme: str) -> None:
    """Keep a theme in the browser, as the settings do."""
    await ann.context.add_cookies([{"name": "look", "value": theme, "url": ann.home}])


async def _expect_paper(ann: Person, theme: str, scheme: str = "light") -> None:
    expected = _hex_color(THEMES[theme], "paper", scheme)
    await ann.expect_eventually(lambda: ann.page.evaluate(_PAPER), expected)


def _hex_color(theme: Theme, token: str, scheme: str) -> str:
    return theme.hex_color(token, scheme, accent=SETTINGS["accent"])


def _option(ann: Person, title: str) -> Locator:
    return ann.dialog.get_by_role("radio", name=title, exact=True)


@pytest.mark.parametrize("path", _PAINTED_PATHS)
async def test_pages_have_the_theme_of_the_site(world: World, path: str) -> None:
    ann = await world.person("Ann", color_scheme="light")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_path(path)
    await _expect_paper(ann, "forest")


@pytest.mark.parametrize("path", _PAINTED_PATHS)
async def test_chosen_theme_is_seen_before_scripts_run(world: World, path: str) -> None:
    ann = await world.person("Ann", color_scheme="dark", java_script_enabled=False)
    ann.ignored_errors = CONNECTION_ERRORS
    await _choose(ann, "terminal")
    await ann.page.goto(f"{ann.home}{path}", wait_until="commit")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_visible()
    await _expect_paper(ann, "terminal", "dark")
    font = await ann.page.evaluate("getComputedStyle(document.body).fontFamily")
    assert "monospace" in font


async def test_unknown_theme_in_the_cookie_is_that_of_the_site(world: World) -> None:
    ann = await world.person("Ann", color_scheme="light")
    for theme in ("gone", "</style><script>alert(1)</script>", ""):
        await _choose(ann, theme)
        await ann.open_path("/login")
        await _expect_paper(ann, "forest")


async def test_choice_changes_the_page_at_once_and_is_remembered(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", color_scheme="light")
    await ann.page.evaluate("window.sameDocument = true")
    await ann.fill_message("half a thought")
    await ann.open_settings()
    await expect(_option(ann, "Forest")).to_be_checked()
    await _option(ann, "Carnival").check()
    await _expect_paper(ann, "carnival")
    border = ann.page.locator(".talk > header")
    await expect(border).to_have_css("border-bottom-width", "3px")  # of its style sheet
    color = ann.page.locator("meta[name=theme-color]").first
    await expect(color).to_have_attribute(
        "content", _hex_color(THEMES["carnival"], "paper", "light")
    )
    await _option(ann, "Ink").check()
    await _expect_paper(ann, "ink")
    await expect(border).to_have_css("border-bottom-width", "1px")
    await ann.close_dialog()
    await ann.open_settings()
    await expect(_option(ann, "Ink")).to_be_checked()
    await ann.close_dialog()
    assert await ann.page.evaluate("window.sameDocument")
    await expect(ann.message_input).to_have_value("half a thought")
    await ann.page.reload()
    await _expect_paper(ann, "ink")
    await ann.open_settings()
    await expect(_option(ann, "Ink")).to_be_checked()


async def test_last_choice_is_shown_though_the_sheet_of_another_comes_late(world: World) -> None:
    ann = await world.visitor("Ann", color_scheme="light")
    held: list[Route] = []
    await ann.page.route("**/assets/themes/**/*.css*", lambda route: held.append(route))
    await ann.open_settings()
    for number, title in enumerate(("Carnival", "High contrast"), 1):
        await _option(ann, title).check()
        await ann.expect_eventually(lambda: _count(held), number)
    carnival, contrast = held
    await carnival.continue_()
    sheet = ann.page.locator("head .theme-css")
    await expect(sheet).to_have_count(1)  # that of the other is gone once it has come
    assert await ann.page.evaluate(_THEME) == "forest"
    await contrast.continue_()
    await ann.expect_eventually(lambda: ann.page.evaluate(_THEME), "contrast")
    await expect(sheet).to_have_count(1)


async def _count(things: list[Route]) -> int:
    return len(things)


async def test_choice_keeps_light_and_dark(world: World) -> None:
    ann = await world.person("Ann", color_scheme="light")
    await ann.context.add_cookies([{"name": "theme", "value": "dark", "url": ann.home}])
    await ann.start_session()
    await ann.open_path("/")
    await _expect_paper(ann, "forest", "dark")
    await ann.open_settings()
    await _option(ann, "Terminal").check()
    await _expect_paper(ann, "terminal", "dark")


async def test_arrow_keys_show_one_theme_after_the_other(world: World) -> None:
    ann = await world.visitor("Ann", color_scheme="light")
    await ann.open_settings()
    await ann.dialog.get_by_role("radiogroup", name="Theme").wait_for()
    await _option(ann, "Forest").focus()
    for title, name in (("Paper", "paper"), ("Ink", "ink"), ("Terminal", "terminal")):
        await ann.page.keyboard.press("ArrowRight")
        await expect(_option(ann, title)).to_be_focused()
        await _expect_paper(ann, name)
    await ann.page.keyboard.press("ArrowLeft")
    await _expect_paper(ann, "ink")


async def test_themes_are_chosen_by_touch_in_russian(world: World) -> None:
    mira = await world.visitor(
        "Mira",
        words=RUSSIAN,
        locale="ru-RU",
        width=360,
        height=740,
        has_touch=True,
        color_scheme="light",
    )
    await mira.open_settings()
    choice = mira.dialog.get_by_role("radiogroup", name="Тема")
    names = await choice.get_by_role("radio").evaluate_all(
        "(radios) => radios.map((radio) => radio.parentElement.innerText)"
    )
    assert names == ["Лес", "Бумага", "Чернила", "Терминал", "Высокий контраст", "Карнавал"]
    for option in await choice.locator("label").all():
        box = await option.bounding_box()
        assert box and box["height"] >= 44 and box["x"] >= 0 and box["x"] + box["width"] <= 360
    await choice.get_by_text("Чернила").tap()
    await _expect_paper(mira, "ink")


async def test_login_page_says_the_headline_of_the_theme(world: World) -> None:
    mira = await world.person("Mira", locale="ru-RU")
    await _choose(mira, "carnival")
    await mira.open_path("/login")
    await expect(mira.page.get_by_role("heading", level=1)).to_have_text(
        "Надень маску. Танцуй. Исчезни."
    )


async def test_logo_of_the_theme_stands_beside_the_name(world: World) -> None:
    ann = await world.person("Ann")
    await _choose(ann, "carnival")
    async with ann.page.expect_response("**/assets/themes/carnival/carnival.svg?v=*") as logo:
        await ann.open_path("/login")
    assert (await logo.value).status == 200
    assert "max-age=31536000" in (await logo.value).headers["cache-control"]


@pytest.mark.parametrize("scheme", _SCHEMES)
@pytest.mark.parametrize("name", THEMES)
async def test_browsers_show_the_colours_that_are_checked(
    world: World, name: str, scheme: Literal["light", "dark"]
) -> None:
    ann = await world.person("Ann", color_scheme=scheme)
    await _choose(ann, name)
    await ann.open_path("/login")
    shown = await ann.page.evaluate(_COLORS, _TOKENS)
    for token, color in zip(_TOKENS, shown, strict=True):
        checked = bytes.fromhex(_hex_color(THEMES[name], token, scheme)[1:])
        assert max(abs(a - b) for a, b in zip(checked, color, strict=True)) <= 1, token


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("name", THEMES)
async def test_themes_have_no_fault(world: World, room: str, name: str, width: int) -> None:
    mira, ann = await world.members(room, "Mira", "Ann", width=width)
    await _choose(ann, name)
    await mira.post_messages("a link: https://example.org", "🌧️")
    rules = {"color-contrast-enhanced": {"enabled": name == "contrast"}}
    assert await find_faults(_visit(ann), ann, rules=rules) == []


async def _visit(ann: Person) -> AsyncIterator[str]:
    await ann.page.reload()
    await ann.expect_message("🌧️")
    yield "room"
    await ann.open_path("/gallery")
    await expect(ann.page.get_by_role("cell", name="quiet corner")).to_be_visible()
    yield "gallery"
    await ann.open_path("/")
    await ann.open_settings()
    await ann.dialog.locator("summary").last.click()
    yield "settings"
    await ann.context.clear_cookies(name="anonchat")
    await ann.open_path("/login")
    await expect(ann.textbox("Nickname")).to_be_visible()
    yield "login"

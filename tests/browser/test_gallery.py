"""NiceGUI's own elements in the page's colours, under its content security policy."""

import re

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import HOLD_NOTICES, Person
from tests.browser.world import World

SETTINGS = {"log_level": "debug"}

_RECORD_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
});
"""
_COLOURS = (
    "(element) => [getComputedStyle(element).backgroundColor, getComputedStyle(element).color]"
)
_THEMES = ["light", "dark"]


async def _open_gallery(world: World, theme: str) -> Person:
    ann = await world.person("Ann", color_scheme=theme, init_script=HOLD_NOTICES)
    await ann.page.add_init_script(_RECORD_VIOLATIONS)
    await ann.open_path("/gallery")
    await ann.page.wait_for_function("window.did_handshake && window.socket.connected")
    # What is drawn late sends the page again, and with it the fields as they were.
    await expect(ann.page.get_by_role("cell", name="quiet corner")).to_be_visible()
    await expect(ann.page.locator(".gallery svg text").first).to_be_visible()  # of the plot
    return ann


def _notification(ann: Person, text: str) -> Locator:
    return ann.page.get_by_role("alert").filter(has_text=text)


@pytest.mark.parametrize("theme", _THEMES)
async def test_elements_of_nicegui_cause_no_violation(world: World, theme: str) -> None:
    ann = await _open_gallery(world, theme)
    await ann.button("Menu").click()
    await ann.page.locator(".q-menu").get_by_text("First", exact=True).click()
    await expect(_notification(ann, "First was chosen")).to_be_visible()
    await ann.page.get_by_role("tab", name="Second").click()
    await expect(ann.page.get_by_text("The second panel")).to_be_visible()
    await ann.button("Tooltip").hover()
    await expect(ann.page.get_by_text("What it does")).to_be_visible()
    await ann.button("Dialog").click()
    await ann.page.get_by_role("dialog", name="Sure?").get_by_role("button", name="Yes").click()
    await expect(_notification(ann, "The answer is yes")).to_be_visible()
    assert await ann.page.evaluate("window.violations") == []


@pytest.mark.parametrize("theme", _THEMES)
async def test_elements_of_nicegui_have_the_colours_of_the_page(world: World, theme: str) -> None:
    ann = await _open_gallery(world, theme)
    for ours, theirs in (("Ours", "NiceGUI’s"), ("Danger", "Negative")):
        colours = await ann.page.get_by_role("button", name=ours, exact=True).evaluate(_COLOURS)
        background, _ = await ann.page.get_by_role("button", name=theirs).evaluate(_COLOURS)
        assert background == colours[0]


async def test_elements_follow_the_chosen_theme(world: World) -> None:
    ann = await world.person("Ann", color_scheme="light")
    await ann.page.context.add_cookies([{"name": "theme", "value": "dark", "url": ann.home}])
    await ann.open_path("/gallery")
    await expect(ann.page.locator("body")).to_have_class(re.compile("body--dark"))


async def test_bindings_to_a_plain_object_are_shown(world: World) -> None:
    ann = await _open_gallery(world, "light")
    await ann.page.get_by_label("Topic").fill("ferries")
    await expect(ann.page.get_by_text("The topic is ferries.")).to_be_visible()
    await ann.page.get_by_role("switch", name="Listed").click()
    await expect(ann.page.get_by_text("This room is listed.")).to_be_hidden()
    await ann.page.get_by_label("Room", exact=True).click()
    await ann.page.get_by_role("option", name="tea").click()
    await expect(ann.button("Open tea")).to_be_visible()

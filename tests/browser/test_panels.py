"""Panels of plugins beside a room."""

from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import RUSSIAN, Person
from tests.browser.plugin_server import PluginServer, serve_plugin
from tests.browser.world import World

__all__ = ["serve_plugin"]  # the fixture `server_process`

PHONE = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
_AXE = Path(__file__).parents[1] / "observatory/node_modules/axe-core/axe.min.js"
_RUN_AXE = """async () => {
    await Promise.allSettled(document.getAnimations().map((animation) => animation.finished));
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}"""
_RECORD_VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`);
});
"""


def tab(person: Person, name: str) -> Locator:
    return person.page.get_by_role("tab", name=name, exact=True)


def panel(person: Person, name: str) -> Locator:
    return person.page.get_by_role("tabpanel", name=name, exact=True)


async def vote(person: Person, drink: str) -> None:
    await panel(person, "Votes").get_by_label("Drink").click()
    await person.page.get_by_role("option", name=drink, exact=True).click()


async def test_panel_is_shown_to_two_people_and_follows_the_state(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob", width=1440, init_script=_RECORD_VIOLATIONS)
    for person in (ann, bob):
        await expect(person.page.get_by_text("tea: 0")).to_have_count(0)  # not built yet
        await tab(person, "Votes").click()
        await expect(panel(person, "Votes").get_by_text("tea: 0")).to_be_visible()
        await expect(person.members).to_be_hidden()
    await vote(ann, "tea")
    for person in (ann, bob):
        await expect(panel(person, "Votes").get_by_text("tea: 1")).to_be_visible()
    await vote(bob, "coffee")
    for person in (ann, bob):
        await expect(panel(person, "Votes").get_by_text("coffee: 1")).to_be_visible()
    await tab(ann, "Members").click()
    await expect(ann.members).to_be_visible()
    await vote(bob, "tea")
    await tab(ann, "Votes").click()  # it was kept
    await expect(panel(ann, "Votes").get_by_text("tea: 2")).to_be_visible()
    for person in (ann, bob):
        assert await person.page.evaluate("window.violations") == []


async def test_open_tab_is_kept_in_another_room(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=1440)
    await tab(ann, "Votes").click()
    await vote(ann, "tea")
    await expect(panel(ann, "Votes").get_by_text("tea: 1")).to_be_visible()
    await ann.open_room(world.name("another room"))
    await expect(tab(ann, "Votes")).to_have_attribute("aria-selected", "true")
    await expect(panel(ann, "Votes").get_by_text("tea: 0")).to_be_visible()
    await ann.own_room(room).get_by_role("link").click()
    await ann.expect_room(room)
    await expect(panel(ann, "Votes").get_by_text("tea: 1")).to_be_visible()


async def test_arrow_keys_move_between_the_tabs(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=1440)
    await tab(ann, "Members").focus()
    for key, name in (
        ("ArrowRight", "Votes"),
        ("ArrowLeft", "Members"),
        ("ArrowLeft", "Broken"),
        ("Home", "Members"),
        ("End", "Broken"),
    ):
        await ann.page.keyboard.press(key)
        await expect(tab(ann, name)).to_be_focused()
        await expect(tab(ann, name)).to_have_attribute("aria-selected", "true")
        await expect(panel(ann, name)).to_be_visible()
    await ann.page.keyboard.press("Tab")
    await expect(panel(ann, "Broken")).to_be_focused()


async def test_failing_panel_shows_one_line_and_the_room_works(
    world: World, room: str, server_process: PluginServer
) -> None:
    (ann,) = await world.members(room, "Ann", width=1440)
    await tab(ann, "Broken").click()
    line = panel(ann, "Broken").get_by_role("alert")
    await expect(line).to_have_text("That did not work. Please try again.")
    await expect(ann.page.get_by_text("a half")).to_have_count(0)
    await ann.post_messages("still here")
    await tab(ann, "Votes").click()
    await expect(panel(ann, "Votes").get_by_text("tea: 0")).to_be_visible()
    assert any("panel Broken failed" in line for line in server_process.plugin_errors)
    assert "what somebody wrote" not in server_process.log


@pytest.mark.parametrize("button", ["Fail", "Fail later"])
async def test_failing_handler_is_logged_with_the_plugin_and_the_visitor_sees_a_notice(
    world: World, room: str, server_process: PluginServer, button: str
) -> None:
    (ann,) = await world.members(room, "Ann", width=1440)
    await tab(ann, "Votes").click()
    before = len(server_process.plugin_errors)
    await ann.button(button).click()
    await ann.expect_alert("That did not work. Please try again.")
    await vote(ann, "tea")
    await expect(panel(ann, "Votes").get_by_text("tea: 1")).to_be_visible()
    (line,) = server_process.plugin_errors[before:]
    assert "plugin sample: a page event failed" in line
    assert "what somebody wrote" not in server_process.log


async def test_panel_is_opened_in_the_sheet_of_a_phone(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    await expect(tab(ann, "Votes")).to_be_hidden()
    await ann.button("Members").tap()
    await tab(ann, "Votes").tap()
    await expect(panel(ann, "Votes").get_by_text("tea: 0")).to_be_visible()
    assert await ann.page.evaluate("document.documentElement.scrollWidth") == 360
    await ann.button("Close").tap()
    await expect(panel(ann, "Votes")).to_be_hidden()
    await ann.post_messages("back in the room")


async def test_panel_of_a_closed_sheet_is_built_when_it_is_opened(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    await ann.button("Members").tap()
    await tab(ann, "Votes").tap()
    await ann.button("Close").tap()
    await ann.page.get_by_role("link", name="Back to the lobby").tap()
    await ann.open_room(world.name("other"))
    await expect(ann.page.get_by_text("tea: 0")).to_have_count(0)
    await ann.button("Members").tap()
    await expect(panel(ann, "Votes").get_by_text("tea: 0")).to_be_visible()


async def test_tabs_are_named_in_the_language_of_the_page(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", words=RUSSIAN, locale="ru-RU", width=1440)
    await tab(ann, "Голоса").click()
    await expect(panel(ann, "Голоса").get_by_text("tea: 0")).to_be_visible()


async def test_style_sheet_of_a_plugin_is_linked_and_cached(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=1440)
    await tab(ann, "Votes").click()
    styled = ann.page.get_by_text("nothing chosen")
    await expect(styled).to_have_css("text-transform", "uppercase")
    href = await ann.page.locator('link[href*="assets/plugins/sample.css"]').get_attribute("href")
    assert href and "?v=" in href
    response = await ann.context.request.get(f"{ann.home}/{href}")
    assert "max-age=31536000" in response.headers["cache-control"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_fault_in_the_tabs(world: World, room: str, scheme: str) -> None:
    (ann,) = await world.members(room, "Ann", width=1440, color_scheme=scheme)
    await ann.page.evaluate(_AXE.read_text())
    for name, text in (("Votes", "tea: 0"), ("Broken", "That did not work.")):
        await tab(ann, name).click()
        await expect(panel(ann, name).get_by_text(text)).to_be_visible()
        assert await ann.page.evaluate(_RUN_AXE) == []

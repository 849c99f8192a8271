"""What a page shows before its scripts have run, and that they take it over without a jump."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.browser.person import Person
from tests.browser.world import World

# What closed `details` hide has no box, or the one of its last layout.
_BOXES = """() => Object.fromEntries(
    [...document.querySelectorAll("#app :is(.paper, .login) [id]")]
        .filter((element) => element.checkVisibility())
        .map((element) => [element.id, JSON.stringify(element.getBoundingClientRect())])
)"""


@pytest.mark.parametrize("path", ["/privacy", "/login", "/nowhere"])
async def test_page_is_readable_without_scripts(world: World, path: str) -> None:
    ann = await world.person("Ann", java_script_enabled=False)
    ann.ignored_errors = "404"
    await ann.page.goto(f"{ann.home}{path}")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_visible()
    await expect(ann.page.get_by_role("link", name=re.compile("Back|keep"))).to_be_visible()
    await expect(ann.page.locator("p:visible").last).to_be_visible()
    for text in ("Your browser does not support", "This page needs JavaScript"):
        await expect(ann.page.get_by_text(text)).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", ["/privacy", "/login"])
async def test_scripts_take_over_the_first_paint_without_a_jump(
    world: World, path: str, width: int
) -> None:
    ann = await world.person("Ann", width=width)
    run_scripts = await _open_without_scripts(ann, path)
    before: dict[str, Any] = await ann.page.evaluate(_BOXES)
    await run_scripts()
    after: dict[str, Any] = await ann.page.evaluate(_BOXES)
    assert len(before) > 10
    assert {id: after.get(id) for id in before} == before


async def test_scripts_fill_in_what_changes(world: World) -> None:
    ann = await world.person("Ann")
    run_scripts = await _open_without_scripts(ann, "/privacy")
    await run_scripts()
    await expect(ann.page.get_by_role("listitem")).to_have_count(4)
    await expect(ann.page.get_by_text("Next round in")).to_be_visible()


async def test_scripts_keep_what_was_typed_opened_and_focused(world: World) -> None:
    ann = await world.person("Ann")
    run_scripts = await _open_without_scripts(ann, "/login")
    await expect(ann.textbox("Nickname")).to_be_focused()
    await ann.page.keyboard.type(ann.nickname)
    await ann.page.locator("summary").click()
    await ann.textbox("Secret phrase").fill("correct battery")
    for _ in "battery":
        await ann.page.keyboard.press("ArrowLeft")
    await run_scripts()
    await ann.page.keyboard.type("horse ")
    await expect(ann.textbox("Nickname")).to_have_value(ann.nickname)
    await expect(ann.textbox("Secret phrase")).to_have_value("correct horse battery")


async def test_button_clicked_before_the_scripts_acts_once_they_have_run(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    ben = await world.visitor("Ben")
    run_scripts = await _open_without_scripts(ben, ann.page.url.removeprefix(ann.home))
    await ben.button("Join room").click()
    await run_scripts()
    await expect(ben.message_input).to_be_visible()


async def test_message_typed_before_the_scripts_can_be_sent(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    run_scripts = await _open_without_scripts(ann, ann.page.url.removeprefix(ann.home))
    await ann.message_input.fill("first")
    await run_scripts()
    await expect(ann.message_input).to_have_value("first")
    await expect(ann.button("Send")).to_be_enabled()
    await ann.button("Send").click()
    await ann.expect_messages("first")


async def test_room_name_entered_before_the_scripts_opens_once_they_have_run(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    run_scripts = await _open_without_scripts(ann, ann.page.url.removeprefix(ann.home))
    search = ann.textbox("Find or create a room")
    await search.fill(f"{room} too")
    await search.press("Enter")
    await run_scripts()
    await ann.expect_room(f"{room} too")


async def _open_without_scripts(ann: Person, path: str) -> Callable[[], Awaitable[None]]:
    """Open a page whose scripts are held; return a function that lets them run."""
    may_run = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_run.wait()
        await route.continue_()

    async def run_scripts() -> None:
        may_run.set()
        await ann.expect_connected()

    await ann.page.route("**/nicegui.js", hold)
    await ann.page.goto(f"{ann.home}{path}", wait_until="commit")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_visible()
    await expect(ann.page.locator("#app").get_by_role("button").last).to_be_visible()
    return run_scripts

"""What a page shows before its scripts have run, and that they take it over without a jump."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.browser.world import World

_BOXES = """() => Array.from(
    document.querySelectorAll("#app .paper [id]"),
    (element) => [element.id, JSON.stringify(element.getBoundingClientRect())]
)"""


@pytest.mark.parametrize("path", ["/privacy", "/nowhere"])
async def test_page_is_readable_without_scripts(world: World, path: str) -> None:
    ann = await world.person("Ann", java_script_enabled=False)
    ann.ignored_errors = "404"
    await ann.page.goto(f"{ann.home}{path}")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_visible()
    await expect(ann.page.get_by_role("link", name="Back")).to_be_visible()
    await expect(ann.page.locator("p").last).to_be_visible()
    for text in ("Your browser does not support", "This page needs JavaScript"):
        await expect(ann.page.get_by_text(text)).to_be_hidden()


@pytest.mark.parametrize("width", [360, 1280])
async def test_scripts_take_over_the_first_paint_without_a_jump(world: World, width: int) -> None:
    ann = await world.person("Ann", width=width)
    may_run = asyncio.Event()

    async def hold(route: Route) -> None:
        await may_run.wait()
        await route.continue_()

    await ann.page.route("**/nicegui.js", hold)
    await ann.page.goto(f"{ann.home}/privacy", wait_until="commit")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_visible()
    await expect(ann.page.get_by_role("button", name="English")).to_be_visible()
    before: list[Any] = await ann.page.evaluate(_BOXES)
    may_run.set()
    await ann.expect_connected()
    assert len(before) > 10
    assert await ann.page.evaluate(_BOXES) == before
    await expect(ann.page.get_by_role("listitem")).to_have_count(4)
    await expect(ann.page.get_by_text("Next round in")).to_be_visible()

"""Pages of a site whose operator changes words and adds a language."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.world import World

SETTINGS = {"locale_dir": str(Path(__file__).parent / "locale")}


async def test_words_of_the_operator_are_shown(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await expect(ann.button("Step inside")).to_be_visible()
    await expect(ann.textbox("Nickname")).to_be_visible()


async def test_added_language_is_offered_by_its_name_and_sets_the_direction(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await expect(ann.page.locator("html")).to_have_attribute("dir", "ltr")
    await ann.button("עברית").click()
    await expect(ann.button("כניסה")).to_be_visible()
    html = ann.page.locator("html")
    await expect(html).to_have_attribute("lang", "he")
    await expect(html).to_have_attribute("dir", "rtl")
    await ann.open_path("/privacy")
    await expect(ann.page.locator("html")).to_have_attribute("dir", "rtl")


@pytest.mark.parametrize("has_scripts", [True, False])
async def test_added_language_is_chosen_by_the_browser(world: World, has_scripts: bool) -> None:
    ann = await world.person("Ann", locale="he-IL", java_script_enabled=has_scripts)
    await ann.open_path("/login")
    await expect(ann.button("כניסה")).to_be_visible()
    await expect(ann.page.locator("html")).to_have_attribute("dir", "rtl")

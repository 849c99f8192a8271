"""What a page says in browsers that run no scripts or store nothing."""

import pytest
from playwright.async_api import expect

from tests.browser.world import World

_BLOCKED_STORAGE = """Object.defineProperty(window, "sessionStorage", {
    get() { throw new DOMException("Access is denied for this document.", "SecurityError"); } });"""
_BLOCKED_COOKIES = """Object.defineProperty(navigator, "cookieEnabled", { value: false });"""


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en-GB", "This page needs JavaScript."), ("ru-RU", "Этой странице нужен JavaScript.")],
    ids=["en", "ru"],
)
async def test_page_without_scripts_says_what_it_needs(
    world: World, locale: str, text: str
) -> None:
    ann = await world.visitor("Ann", locale=locale, java_script_enabled=False)
    await ann.expect_alert(text)
    await expect(ann.page.get_by_text("ES modules")).to_be_hidden()


@pytest.mark.parametrize(
    ("locale", "text"),
    [("en-GB", "needs cookies and site data"), ("ru-RU", "нужны файлы cookie и данные сайта")],
)
@pytest.mark.parametrize("block", [_BLOCKED_STORAGE, _BLOCKED_COOKIES], ids=["storage", "cookies"])
async def test_page_without_storage_says_what_it_needs(
    world: World, block: str, locale: str, text: str
) -> None:
    ann = await world.person("Ann", locale=locale)
    ann.ignored_errors = "Access is denied|Lang|Quasar is not defined"  # NiceGUI does not start
    await ann.page.add_init_script(block)
    await ann.open_path("/login")
    await ann.expect_alert(text)


async def test_page_with_scripts_and_storage_shows_no_requirements(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await expect(ann.textbox("Nickname")).to_be_visible()
    await expect(ann.page.get_by_text("This page needs")).to_be_hidden()

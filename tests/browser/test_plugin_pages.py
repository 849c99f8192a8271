"""Pages of plugins, in our frame."""

import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, RUSSIAN
from tests.browser.plugin_server import PluginServer, serve_plugin
from tests.browser.world import World

__all__ = ["serve_plugin"]  # the fixture `server_process`

PHONE = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}


async def test_page_is_public_and_leads_home(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/about")
    await ann.expect_connected()
    await expect(ann.page).to_have_title("About · anonchat")
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text("About")
    await expect(ann.page.locator("strong")).to_have_text("forget")  # of ui.markdown
    await ann.page.keyboard.press("Tab")
    await expect(ann.page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await ann.page.keyboard.press("Enter")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_focused()
    await ann.page.get_by_role("link", name="anonchat").click()
    await ann.expect_path("/login")


async def test_pictures_of_a_file_and_in_a_url_are_shown(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/about")
    await ann.expect_connected()
    for title in ("of a file", "in a URL"):
        picture = ann.page.get_by_alt_text(title)
        await expect(picture).to_have_js_property("complete", True)
        assert await picture.evaluate("(image) => image.naturalWidth") > 0


async def test_page_that_asks_for_the_visitor_leads_to_the_login_and_back(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/mine")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/mine")
    await expect(ann.page.get_by_text(f"Hello, {ann.nickname}")).to_be_visible()


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
async def test_links_are_in_the_sidebar_and_in_the_settings(
    world: World, options: dict[str, object]
) -> None:
    ann = await world.visitor("Ann", **options)
    link = ann.page.get_by_role("link", name="About")
    await expect(link).to_be_visible()
    await ann.open_settings()
    await ann.dialog.get_by_role("link", name="About").click()
    await ann.expect_path("/about")
    await ann.open_path("/")
    await link.click()
    await ann.expect_path("/about")
    await expect(ann.page.get_by_role("link", name="Mine")).to_have_count(0)


async def test_newcomers_find_the_page(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/login")
    await ann.page.get_by_role("link", name="About").click()
    await ann.expect_path("/about")


async def test_page_is_in_the_language_of_the_reader(world: World) -> None:
    ann = await world.visitor("Ann", words=RUSSIAN, locale="ru-RU")
    await ann.page.get_by_role("link", name="О сайте").click()
    await expect(ann.page).to_have_title("О сайте · anonchat")
    await ann.button("English").click()
    await expect(ann.page).to_have_title("About · anonchat")


async def test_failing_handler_shows_a_notice(world: World, server_process: PluginServer) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/about")
    await ann.expect_connected()
    before = len(server_process.plugin_errors)
    await ann.button("Fail").click()
    await ann.expect_alert("That did not work. Please try again.")
    assert len(server_process.plugin_errors) == before + 1


@pytest.mark.parametrize(
    ("path", "status", "title"),
    [("/broken-plugin", 500, "Something went wrong here."), ("/closed", 403, "Closed today")],
)
async def test_failing_page_is_an_error_page(
    world: World, path: str, status: int, title: str
) -> None:
    ann = await world.person("Ann")
    ann.ignored_errors = CONNECTION_ERRORS
    response = await ann.page.goto(f"{ann.home}{path}")
    assert response and response.status == status
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text(title)

"""A site without rooms, and pages that need no room."""

from playwright.async_api import expect

from tests.browser.world import World


async def test_lobby_without_rooms_shows_hints(world: World) -> None:
    ann = await world.visitor("Ann")
    await expect(ann.region("Your rooms")).to_contain_text("You are in no room yet.")
    await expect(ann.region("Public rooms")).to_contain_text("No public room yet.")
    await expect(ann.region("Public rooms")).to_contain_text("0 rooms")
    tab = ann.page
    await ann.open_tab_beside()
    await ann.open_path("/")
    await ann.open_room("the first")
    await expect(ann.log).to_be_visible()
    await ann.switch_to_tab(tab)
    await expect(ann.public_room("the first")).to_be_visible()
    await expect(ann.page.get_by_text("No public room yet.")).to_be_hidden()
    await expect(ann.page.get_by_text("You are in no room yet.")).to_be_hidden()
    await expect(ann.region("Public rooms")).to_contain_text("1 room")


async def test_unknown_path_shows_an_error_page(world: World) -> None:
    ann = await world.person("Ann")
    ann.ignored_errors = "404"
    await ann.open_path("/no/such/page")
    await expect(ann.page.get_by_role("heading")).to_contain_text("nothing at this address")
    await ann.page.get_by_role("link", name="Back to the lobby").click()
    await ann.expect_path("/login")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/")
    await ann.open_path("/r/never-was")
    await expect(ann.page.get_by_role("heading")).to_contain_text("There is no such room")


async def test_privacy_page_needs_no_sign_in(world: World) -> None:
    ann = await world.person("Ann")
    await ann.open_path("/privacy")
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text("What we keep")
    await expect(ann.page.get_by_text("janitor")).to_be_visible()

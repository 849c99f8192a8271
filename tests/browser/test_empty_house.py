"""The very first visitor."""

from playwright.async_api import expect

from tests.browser.world import World


async def test_the_first_visitor_is_told_what_to_do(world: World) -> None:
    ann = await world.visitor("Ann")
    await expect(ann.region("Your rooms")).to_contain_text("You are in no room yet.")
    await expect(ann.region("Public rooms")).to_contain_text("No public room yet.")
    await expect(ann.region("Public rooms")).to_contain_text("0 rooms")
    tab = ann.page
    await ann.opens_tab()
    await ann.goes_to("/")
    await ann.opens("the first")
    await expect(ann.log).to_be_visible()
    await ann.turns_to(tab)
    await expect(ann.public_room("the first")).to_be_visible()
    await expect(ann.page.get_by_text("No public room yet.")).to_be_hidden()
    await expect(ann.page.get_by_text("You are in no room yet.")).to_be_hidden()
    await expect(ann.region("Public rooms")).to_contain_text("1 room")


async def test_an_address_that_leads_nowhere_says_so(world: World) -> None:
    ann = await world.person("Ann")
    ann.forgives = "404"
    await ann.goes_to("/no/such/page")
    await expect(ann.page.get_by_role("heading")).to_contain_text("nothing at this address")
    await ann.page.get_by_role("link", name="Back to the lobby").click()
    await ann.is_at("/login")
    await ann.gives(ann.nickname)
    await ann.is_at("/")
    await ann.goes_to("/r/never-was")
    await expect(ann.page.get_by_role("heading")).to_contain_text("There is no such room")


async def test_the_privacy_page_is_for_everybody(world: World) -> None:
    ann = await world.person("Ann")
    await ann.goes_to("/privacy")
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text("What we keep")
    await expect(ann.page.get_by_text("janitor")).to_be_visible()

"""What our own plugins look like in a room."""

import re

from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World


async def say(person: Person, text: str) -> None:
    """Send a text, and wait until the box is empty again."""
    box = person.page.get_by_role("textbox", name="Message").last
    await box.fill(text)
    await box.press("Enter")
    await expect(box).to_have_value("")


def messages(person: Person, text: str) -> Locator:
    return person.page.locator(".message", has_text=text)


async def test_message_under_a_mask_has_a_heading_with_its_name(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=1280)
    for text in ("/masks on", "under a mask", "again", "/masks off", "as myself"):
        await say(ann, text)
    with_heading = re.compile(r"\bfirst\b")
    masked, back = messages(ann, "under a mask"), messages(ann, "The masks are off.")
    await expect(masked).to_have_class(with_heading)
    await expect(masked.locator(".who")).not_to_have_text(re.compile("^Ann"))
    await expect(messages(ann, "again")).not_to_have_class(with_heading)
    await expect(back).to_have_class(with_heading)
    await expect(back.locator(".who")).to_have_text(re.compile("^Ann"))
    await expect(messages(ann, "as myself")).not_to_have_class(with_heading)


async def test_poll_is_voted_on_by_two_people_and_its_result_is_posted(
    world: World, room: str
) -> None:
    ann, bob = await world.members(room, "Ann", "Bob", width=1280)
    await say(ann, '/poll "Tea or coffee?" tea "a cup of coffee"')
    for person in (ann, bob):
        await expect(messages(person, "Tea or coffee?")).to_be_visible()
        await person.page.get_by_role("tab", name="Polls").click()
        await person.page.get_by_role("button", name="a cup of coffee", exact=True).click()
    chosen = ann.page.get_by_role("button", name="a cup of coffee", exact=True)
    await expect(chosen).to_have_attribute("aria-pressed", "true")
    await expect(ann.page.get_by_role("tabpanel", name="Polls")).to_contain_text("2")
    await expect(bob.page.get_by_role("button", name="Close the poll")).to_have_count(0)
    await ann.page.get_by_role("button", name="Close the poll").click()
    result = messages(bob, "Tea or coffee?").last
    await expect(result.get_by_role("meter")).to_have_count(2)
    await expect(bob.page.get_by_text("No poll is open.")).to_be_visible()


async def test_dice_actions_and_warnings_are_shown(world: World, room: str) -> None:
    ann, bob = await world.members(room, "Ann", "Bob", width=1280)
    await say(ann, "/roll 3 20")
    await say(ann, "/me waves")
    await expect(bob.page.locator(".dice .die")).to_have_count(3)
    await expect(messages(bob, "waves").locator("em")).to_have_text(re.compile("^Ann.* waves$"))
    box = ann.page.get_by_role("textbox", name="Message").last
    await box.fill("my number is +49 171 2345678")
    await box.press("Enter")
    await expect(ann.page.get_by_text("This has a phone number in it.")).to_be_visible()
    await expect(messages(bob, "my number is")).to_have_count(0)
    await ann.page.get_by_role("button", name="Send anyway").click()
    await expect(messages(bob, "my number is")).to_be_visible()

"""Notices of who joins and leaves, in the log."""

from playwright.async_api import Locator, expect

from tests.browser.person import RUSSIAN, Person
from tests.browser.world import World

PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}
SWITCH = "Show who joins and leaves"


def notices(person: Person) -> Locator:
    """Find the notices between the messages."""
    return person.log.locator(".moves")


async def test_notices_are_condensed_until_a_message_comes_between(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    (ben,) = await world.members(room, "Ben")
    await expect(notices(ann)).to_have_text(f"{ben.nickname} joined")
    (mira,) = await world.members(room, "Mira")
    await expect(notices(ann)).to_have_text(f"{ben.nickname} and {mira.nickname} joined")
    await world.members(room, "Moe", "Zoe")
    await expect(notices(ann)).to_have_text(f"{ben.nickname} and 3 others joined")
    await expect(notices(ben)).to_contain_text(mira.nickname)
    await expect(notices(ben)).not_to_contain_text(ben.nickname)
    await ann.post_messages("two")
    await mira.leave_room()
    await expect(notices(ann)).to_have_text(
        [f"{ben.nickname} and 3 others joined", f"{mira.nickname} left"]
    )
    texts = ann.log.locator(":scope > .message .text, :scope > .moves")
    await expect(texts).to_have_text(
        ["one", f"{ben.nickname} and 3 others joined", "two", f"{mira.nickname} left"]
    )


async def test_coming_and_going_between_two_messages_leaves_no_notice(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    (ben,) = await world.members(room, "Ben")
    await expect(notices(ann)).to_have_text(f"{ben.nickname} joined")
    await ben.leave_room()
    await expect(notices(ann)).to_have_count(0)
    (mira,) = await world.members(room, "Mira")
    await expect(notices(ann)).to_have_text(f"{mira.nickname} joined")
    await mira.post_messages("one")
    await expect(ann.log.locator(".moves + .divider + .message")).to_have_count(1)


async def test_notice_goes_with_the_message_above_and_comes_back_not(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await world.members(room, "Ben")
    await expect(notices(ann)).to_have_count(1)
    await ann.delete_message("two")
    await expect(notices(ann)).to_have_count(0)
    await ann.button("Undo").click()
    await ann.post_messages("three")
    await ann.expect_messages("one", "two", "three")


async def test_notices_count_as_nothing_unread_and_keep_the_place(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", height=500)
    await ann.post_messages(*(f"line {number}" for number in range(20)))
    title = await ann.page.title()
    (ben,) = await world.members(room, "Ben")
    await expect(notices(ann)).to_be_in_viewport(ratio=1)  # the log stays at its end
    await ann.log.evaluate("(log) => log.scrollTo(0, 0)")
    await ann.expect_eventually(lambda: ann.log.evaluate("(log) => log.scrollTop"), 0)
    await ben.leave_room()
    await expect(notices(ann)).to_have_count(0)
    await world.members(room, "Mira")
    await expect(notices(ann)).to_have_count(1)
    assert await ann.log.evaluate("(log) => log.scrollTop") == 0
    assert await ann.page.title() == title
    await expect(ann.page.locator("[role=status]:not(dialog *)")).to_have_count(1)
    await expect(ann.log.get_by_role("status")).to_have_count(0)
    await ann.page.reload()
    await ann.expect_message("line 19")
    await expect(notices(ann)).to_have_count(0)


async def test_notices_can_be_hidden_in_this_browser(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    (ben,) = await world.members(room, "Ben")
    await expect(notices(ann)).to_have_count(1)
    await ann.open_settings()
    await ann.dialog.get_by_role("switch", name=SWITCH, exact=True).click()
    await expect(notices(ann)).to_have_count(0)
    await ann.close_dialog()
    await ann.page.reload()
    await ann.expect_connected()
    (mira,) = await world.members(room, "Mira")
    await mira.post_messages("one")
    await ann.expect_message("one")
    await expect(notices(ben)).to_have_text(f"{mira.nickname} joined")
    await expect(notices(ann)).to_have_count(0)
    await ann.open_settings()
    switch = ann.dialog.get_by_role("switch", name=SWITCH, exact=True)
    await expect(switch).not_to_be_checked()
    await switch.click()
    await ann.close_dialog()
    await world.members(room, "Moe")
    await expect(notices(ann)).to_have_count(1)


async def test_notices_are_in_the_language_of_the_reader(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Анна", words=RUSSIAN, locale="ru-RU", **PHONE)
    await ann.post_messages("привет")
    ben, _, zoe = await world.members(room, "Ben", "Mira", "Zoe")
    await expect(notices(ann)).to_have_text(f"{ben.nickname} и ещё 2 входят")
    await ann.post_messages("всем")
    await zoe.leave_room()
    await expect(notices(ann).last).to_have_text(f"{zoe.nickname} выходит")

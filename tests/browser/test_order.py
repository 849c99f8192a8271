"""Keeping order in a room, with three people: who is offered what, and what the others see."""

import pytest_asyncio
from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World

_FORGE = """([selector, act, author]) => {
    const list = document.querySelector(selector).closest("[id^=c]");
    getElement(Number(list.id.slice(1))).$emit("act", { act, author });
}"""
ACTS = ["Mute", "Delete all of theirs", "Remove", "Ban", "Who is banned"]


async def open_member_menu(person: Person, other: Person) -> None:
    """Open the menu of a member by keys: rows move, and are replaced, while people come and go."""
    while not await person.menu.is_visible():
        await member(person, other).press("Enter")


def member(person: Person, other: Person) -> Locator:
    """Return the row of a member as a person sees it."""
    return person.members.get_by_role("listitem").filter(has_text=other.nickname)


async def act(person: Person, other: Person, item: str) -> None:
    """Choose an item of the menu of a member."""
    await open_member_menu(person, other)
    await person.menu_item(item).click()


@pytest_asyncio.fixture(loop_scope="session")
async def people(world: World, room: str) -> tuple[Person, Person, Person]:
    """Return the owner of a room, a helper and an ordinary member."""
    ann, bob, cid = await world.members(room, "Ann", "Bob", "Cid", width=1440)
    for person in (ann, bob, cid):
        heading = person.page.get_by_role("heading", name="Members")
        await expect(heading).to_have_text("Members 3 · 3 here")
    await act(ann, bob, "Make helper")
    for person in (ann, bob, cid):
        await expect(member(person, bob)).to_contain_text("helper")
    return ann, bob, cid


People = tuple[Person, Person, Person]


async def test_menus_offer_what_each_may_do(people: People) -> None:
    ann, bob, cid = people
    for person, other, items in (
        (ann, bob, ["No longer a helper", "Make owner", *ACTS]),
        (ann, cid, ["Make helper", "Make owner", *ACTS]),
        (ann, ann, ["Who is banned"]),
        (bob, cid, ACTS),
        (bob, ann, ["Who is banned"]),
    ):
        await open_member_menu(person, other)
        await expect(person.menu.get_by_role("menuitem")).to_have_text(items)
        await person.page.keyboard.press("Escape")
    await member(cid, ann).hover()
    await expect(cid.members.get_by_role("button")).to_have_count(0)


async def test_helper_is_told_so_and_deletes_what_others_write(people: People) -> None:
    ann, bob, cid = people
    await expect(bob.page.get_by_role("status").filter(has_text="You are a helper")).to_be_visible()
    await cid.post_messages("by a member")
    await ann.post_messages("by the owner")
    await bob.show_actions("by the owner")
    await expect(bob.action("Delete")).to_have_count(0)
    await bob.open_menu("by a member")
    for item in ACTS[:-1]:
        await expect(bob.menu_item(item)).to_be_visible()
    await bob.page.keyboard.press("Escape")
    await bob.show_actions("by a member")
    await bob.action("Delete").click()
    await expect(cid.message("by a member")).to_have_count(0)
    await act(ann, bob, "No longer a helper")
    told = bob.page.get_by_role("status").filter(has_text="no longer a helper")
    await expect(told).to_be_visible()
    await expect(member(cid, bob)).not_to_contain_text("helper")


async def test_muted_member_sees_until_when_and_keeps_what_they_typed(people: People) -> None:
    ann, bob, cid = people
    await act(bob, cid, "Mute")
    await expect(bob.dialog).to_contain_text(f"Mute {cid.nickname}")
    await bob.dialog.get_by_role("button", name="10 min").click()
    await expect(bob.dialog).to_have_count(0)
    hush = cid.page.locator(".hush")
    await expect(hush).to_contain_text("You cannot write here: muted until ")
    await expect(member(ann, cid)).to_contain_text("muted for ")
    await cid.message_input.fill("let me talk")
    await cid.page.keyboard.press("Enter")
    await cid.expect_alert("You cannot write in this room for another ")
    await expect(cid.message_input).to_have_value("let me talk")
    await cid.page.reload()
    await expect(hush).to_contain_text("You cannot write here: muted until ")
    await act(ann, cid, "Let write again")
    await expect(hush).to_have_count(0)
    await expect(member(ann, cid)).not_to_contain_text("muted")
    await cid.message_input.fill("thanks")
    await cid.page.keyboard.press("Enter")
    await ann.expect_message("thanks")
    await act(ann, cid, "Mute")
    await ann.dialog.get_by_role("button", name="For good").click()
    await expect(hush).to_have_text("You cannot write in this room any more.")


async def test_removed_member_sees_a_page_that_says_so_and_may_come_back(people: People) -> None:
    ann, bob, cid = people
    await act(bob, cid, "Remove")
    await cid.expect_alert("has removed you from it")
    await expect(cid.message_input).to_have_count(0)
    await expect(member(ann, cid)).to_have_count(0)
    await cid.button("Join room").click()
    await expect(member(ann, cid)).to_be_visible()
    await cid.post_messages("back again")
    await ann.expect_message("back again")


async def test_removed_member_who_was_offline_sees_it_later(people: People) -> None:
    ann, _, cid = people
    cid.ignored_errors = "ERR_INTERNET_DISCONNECTED|WebSocket"
    await cid.context.set_offline(True)
    await cid.page.evaluate("window.socket.disconnect()")
    await act(ann, cid, "Remove")
    await expect(member(ann, cid)).to_have_count(0)
    await cid.context.set_offline(False)
    await cid.expect_alert("has removed you from it")


async def test_banned_member_cannot_come_back_until_the_ban_is_lifted(people: People) -> None:
    ann, bob, cid = people
    await act(bob, cid, "Ban")
    await cid.expect_alert("You cannot come into this room any more.")
    await expect(cid.button("Join room")).to_have_count(0)
    await cid.page.reload()
    await cid.expect_alert("You cannot come into this room any more.")
    await act(ann, ann, "Who is banned")
    bans = ann.dialog.get_by_role("list", name="Who is banned")
    await expect(bans.get_by_role("listitem")).to_contain_text(cid.nickname)
    await bans.get_by_role("button", name="Lift").click()
    await expect(bans.get_by_role("listitem")).to_have_count(0)
    await cid.page.reload()
    await cid.button("Join room").click()
    await expect(member(ann, cid)).to_be_visible()


async def test_all_that_somebody_wrote_is_deleted_after_a_question(people: People) -> None:
    ann, bob, cid = people
    await cid.post_messages("one", "two")
    await ann.post_messages("three")
    await ann.open_menu("one")
    await ann.menu_item("Delete all of theirs").click()
    await expect(ann.dialog).to_contain_text(f"Delete all that {cid.nickname} wrote?")
    await ann.button("Yes, delete all of it").click()
    for person in (ann, bob, cid):
        for text in ("one", "two"):
            await expect(person.message(text)).to_have_count(0)
        await person.expect_message("three")


async def test_new_owner_is_told_and_can_change_the_room(people: People) -> None:
    ann, _, cid = people
    await act(ann, cid, "Make owner")
    await expect(ann.dialog).to_contain_text(f"Make {cid.nickname} the owner?")
    await ann.button("Yes, give it away").click()
    told = cid.page.get_by_role("status").filter(has_text="This room is yours now")
    await expect(told).to_be_visible()
    await expect(cid.button("Room settings")).to_be_visible()
    await expect(ann.button("Room settings")).to_have_count(0)
    await expect(member(ann, cid)).to_contain_text("owner")
    await expect(member(cid, ann)).to_contain_text("helper")


async def test_room_of_an_owner_who_leaves_goes_to_the_helper(people: People) -> None:
    ann, bob, cid = people
    await ann.button("Leave room").click()
    told = bob.page.get_by_role("status").filter(has_text="This room is yours now")
    await expect(told).to_be_visible()
    await expect(member(cid, bob)).to_contain_text("owner")
    await expect(bob.button("Room settings")).to_be_visible()


async def test_owner_sets_the_rules_for_writing(people: People) -> None:
    ann, bob, cid = people
    await ann.button("Room settings").click()
    await ann.dialog.get_by_label("Slow mode").select_option("30s")
    await ann.dialog.get_by_label("Words not wanted").fill("casino, buy now")
    await ann.button("Save").click()
    await expect(ann.dialog).to_have_count(0)
    await cid.message_input.fill("the CASINO")
    await cid.page.keyboard.press("Enter")
    await cid.expect_alert("“casino” is not wanted in this room.")
    await cid.message_input.fill("hello")
    await cid.page.keyboard.press("Enter")
    await ann.expect_message("hello")
    await cid.message_input.fill("hello again")
    await cid.page.keyboard.press("Enter")
    await cid.expect_alert("This room is in slow mode.")
    await ann.button("Room settings").click()
    await expect(ann.dialog.get_by_label("Slow mode")).to_have_value("30s")
    await expect(ann.dialog.get_by_label("Words not wanted")).to_have_value("casino, buy now")
    await ann.dialog.get_by_label("Only helpers may write").check()
    await ann.button("Save").click()
    hush = cid.page.locator(".hush")
    await expect(hush).to_have_text("Only helpers may write in this room just now.")
    await expect(bob.page.locator(".hush")).to_have_count(0)
    await bob.post_messages("by a helper")
    await cid.expect_message("by a helper")
    await cid.page.reload()
    await expect(hush).to_be_visible()


async def test_forged_events_of_members_and_of_former_helpers_are_refused(people: People) -> None:
    ann, bob, cid = people
    await ann.post_messages("by the owner")
    await cid.expect_message("by the owner")
    for act in ("remove", "ban", "unmute", "member", "delete_all", "mute", "owner", "bans"):
        for selector in (".feed-members", ".feed-messages"):
            await cid.page.evaluate(_FORGE, [selector, act, await author_of(cid, bob)])
    await bob.page.evaluate(_FORGE, [".feed-members", "remove", await author_of(bob, ann)])
    await bob.expect_alert("Only the owner of the room may do that to a helper.")
    await bob.page.evaluate(_FORGE, [".feed-members", "owner", await author_of(bob, cid)])
    await bob.button("Yes, give it away").click()
    await bob.expect_alert("Only the owner of the room may do that.")
    await cid.post_messages("done")
    await ann.expect_message("done")
    await expect(member(ann, bob)).to_contain_text("helper")
    await expect(cid.dialog).to_have_count(0)


async def author_of(person: Person, other: Person) -> str | None:
    """Return the pseudonym of a member."""
    return await member(person, other).get_attribute("data-key")


async def test_member_menu_works_with_the_keyboard(people: People) -> None:
    ann, _, cid = people
    await member(ann, cid).focus()
    await ann.page.keyboard.press("Enter")
    await expect(ann.menu_item("Make helper")).to_be_focused()
    await ann.page.keyboard.press("End")
    await expect(ann.menu_item("Who is banned")).to_be_focused()
    await ann.page.keyboard.press("Escape")
    await expect(ann.menu).to_have_count(0)


async def test_long_press_on_a_phone_opens_the_menu_of_a_member(world: World, room: str) -> None:
    phone = {"width": 360, "height": 740, "has_touch": True, "is_mobile": True}
    (ann,) = await world.members(room, "Ann", **phone)
    (bob,) = await world.members(room, "Bob", width=1440)
    await ann.button("Members").click()
    await member(ann, bob).dispatch_event("pointerdown", {"pointerType": "touch"})
    await ann.menu_item("Mute").click()
    await ann.dialog.get_by_role("button", name="1 hr").click()
    await expect(bob.page.locator(".hush")).to_contain_text("muted until")
    await expect(member(ann, bob)).to_contain_text("muted for ")

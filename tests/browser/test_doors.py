"""The doors of a room: what visitors see of them, and how the owner changes them."""

from playwright.async_api import Locator, expect

from tests.browser.person import Person
from tests.browser.world import World


async def test_visitor_needs_the_password_and_a_member_does_not(world: World, room: str) -> None:
    ann, bob = await world.visitor("Ann"), await world.visitor("Bob")
    await ann.button("New room").click()
    await ann.textbox("Name").fill(room)
    await ann.textbox("Password (optional)").fill("sword fish")
    await ann.button("Create the room").click()
    await ann.expect_room(room)
    card = bob.public_room(room)
    await expect(card).to_contain_text("with a password")
    await card.click()
    await bob.textbox("Password").fill("sword")
    await bob.button("Join room").click()
    await bob.expect_alert("That is not the password.")
    await expect(bob.textbox("Password")).to_be_focused()
    await expect(bob.textbox("Password")).to_have_value("sword")
    await bob.textbox("Password").fill("sword fish")
    await bob.textbox("Password").press("Enter")
    await bob.expect_room(room)
    await bob.page.reload()
    await bob.expect_room(room)
    await bob.send_message("I am in")
    await ann.expect_message("I am in")


async def test_name_of_a_closed_room_leads_to_its_door(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await _change(ann, password="sword fish")
    bob = await world.visitor("Bob")
    await bob.room_search.fill(room)
    await expect(bob.page.get_by_role("option").first).to_contain_text(room)
    await bob.room_search.press("Enter")
    await expect(bob.textbox("Password")).to_be_visible()
    await expect(bob.page.get_by_role("heading", level=1)).to_have_text(room)


async def test_changed_doors_are_shown_to_who_stands_before_them(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    bob = await world.visitor("Bob", width=360, height=740)
    await bob.public_room(room).click()
    await expect(bob.button("Join room")).to_be_visible()
    await _change(ann, password="sword fish")
    await expect(bob.textbox("Password")).to_be_visible()
    await _change(ann, lock=True)
    await expect(bob.page.get_by_text("This room is locked")).to_be_visible()
    await expect(bob.textbox("Password")).to_have_count(0)
    await expect(bob.button("Join room")).to_have_count(0)
    await ann.button("Room settings").click()
    await ann.dialog.get_by_label("Lock").uncheck()
    await ann.dialog.get_by_label("Remove the password").check()
    await ann.button("Save").click()
    await expect(ann.dialog).to_have_count(0)
    await expect(bob.textbox("Password")).to_have_count(0)
    await bob.button("Join room").click()
    await bob.expect_room(room)


async def test_room_leaves_the_lobby_and_comes_back(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    sid = await world.visitor("Sid")
    await expect(sid.public_room(room)).to_be_visible()
    await _change(ann, listed="no")
    await expect(sid.public_room(room)).to_have_count(0)
    await expect(ann.page.locator(".feed-facts")).to_contain_text("by link")
    await _change(ann, listed="yes")
    await expect(sid.public_room(room)).to_be_visible()
    await _change(ann, password="sword fish")
    await expect(sid.public_room(room)).to_contain_text("with a password")


async def test_full_room_says_so(world: World, room: str) -> None:
    (ann, _ben) = await world.members(room, "Ann", "Ben")
    bob = await world.visitor("Bob")
    await ann.button("Room settings").click()
    await ann.textbox("Most members").fill("many")
    await ann.button("Save").click()
    await expect(ann.textbox("Most members")).to_have_attribute("aria-invalid", "true")
    await ann.textbox("Most members").fill("2")
    await ann.button("Save").click()
    await expect(ann.dialog).to_have_count(0)
    await bob.public_room(room).click()
    await bob.button("Join room").click()
    await bob.expect_alert("This room is full.")


async def _change(
    person: Person, *, password: str = "", lock: bool = False, listed: str = ""
) -> None:
    await person.button("Room settings").click()
    if password:
        await person.textbox("Password (optional)").fill(password)
    if lock:
        await person.dialog.get_by_label("Lock").check()
    if listed:
        await person.dialog.get_by_label("Who can find it").select_option(listed)
    await person.button("Save").click()
    await expect(person.dialog).to_have_count(0)


async def test_invitation_leads_past_password_and_lock(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await _change(ann, password="sword fish", lock=True)
    await ann.open_invitation()
    code = ann.dialog.get_by_role("img", name="QR code")
    await expect(ann.textbox("Link")).to_have_value(ann.page.url)
    before = await code.get_attribute("src")
    await ann.dialog.get_by_label("Expires after").select_option("1h")
    await ann.dialog.get_by_label("Can be used").select_option("5")
    await ann.button("Make an invitation").click()
    (row,) = await _invitations(ann, 1)
    await expect(row).to_contain_text("used 0 of 5 times")
    link = await ann.textbox("Link").input_value()
    assert "/i/" in link
    assert await code.get_attribute("src") != before
    bob = await world.person("Bob")
    await bob.page.goto(link)
    await bob.submit_login(bob.nickname)
    await expect(bob.page.get_by_role("heading", level=1)).to_have_text(room)
    await bob.button("Join room").click()
    await bob.expect_room(room)
    await expect(row).to_contain_text("used 1 of 5 times")
    await bob.page.goto(link)
    await bob.expect_room(room)
    await row.get_by_role("button", name="Revoke").click()
    await _invitations(ann, 0)
    cid = await world.visitor("Cid")
    cid.ignored_errors = "404"
    await cid.page.goto(link)
    await expect(cid.page.get_by_text("This invitation was used up or revoked")).to_be_visible()


async def test_ordinary_members_see_the_link_alone(world: World, room: str) -> None:
    ann, ben = await world.members(room, "Ann", "Ben", width=360, height=740)
    await ben.open_invitation()
    await expect(ben.textbox("Link")).to_have_value(ann.page.url)
    await expect(ben.button("Make an invitation")).to_have_count(0)
    await ann.open_invitation()
    await ann.button("Make an invitation").click()
    (row,) = await _invitations(ann, 1)
    shown = await ann.textbox("Link").input_value()
    await ann.button("Make an invitation").click()
    await _invitations(ann, 2)
    await expect(ann.textbox("Link")).not_to_have_value(shown)
    await row.get_by_role("button", name="Show").click()
    await expect(ann.textbox("Link")).to_have_value(shown)


async def _invitations(person: Person, count: int) -> list[Locator]:
    rows = person.dialog.get_by_role("list", name="Invitations").get_by_role("listitem")
    await expect(rows).to_have_count(count)
    return await rows.all()


async def test_owner_lets_in_who_asks_or_turns_them_away(world: World, room: str) -> None:
    ann, ben = await world.members(room, "Ann", "Ben")
    await ann.button("Room settings").click()
    await ann.dialog.get_by_label("Ask before letting in").check()
    await ann.button("Save").click()
    await expect(ann.dialog).to_have_count(0)
    bob = await world.visitor("Bob", width=360, height=740)
    cid = await world.visitor("Cid")
    for person in (bob, cid):
        await person.public_room(room).click()
        await person.button("Ask to come in").click()
        await expect(person.page.get_by_text("Wait here until you are let in")).to_be_visible()
    waiting = ann.page.get_by_role("list", name="Waiting").get_by_role("listitem")
    await expect(waiting).to_have_count(2)
    await expect(ben.page.get_by_role("list", name="Waiting")).to_have_count(0)
    await waiting.filter(has_text=bob.nickname).get_by_role("button", name="Let in").click()
    await bob.expect_room(room)
    await expect(waiting).to_have_count(1)
    await waiting.get_by_role("button", name="Turn away").click()
    await expect(cid.page.get_by_text("You were not let in.")).to_be_visible()
    await expect(ann.page.get_by_role("list", name="Waiting")).to_have_count(0)
    await bob.send_message("thank you")
    await ann.expect_message("thank you")


async def test_list_of_who_waits_is_shown_after_a_reload_on_a_phone(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann", width=360, height=740)
    await ann.button("Room settings").click()
    await ann.dialog.get_by_label("Ask before letting in").check()
    await ann.button("Save").click()
    await expect(ann.dialog).to_have_count(0)
    bob = await world.visitor("Bob")
    await bob.public_room(room).click()
    await bob.button("Ask to come in").click()
    waiting = ann.page.get_by_role("list", name="Waiting").get_by_role("listitem")
    await expect(waiting).to_have_count(1)
    await ann.page.reload()
    await expect(waiting).to_have_count(1)
    await ann.page.get_by_role("button", name="Let in").click()
    await bob.expect_room(room)

"""What a screen reader gets to know: names, states, announcements, titles."""

import re

from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, SECONDS
from tests.browser.world import World


async def test_unread_and_away_are_spoken(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.open_path("/")
    away = mira.members.get_by_role("listitem").filter(has_text=ann.nickname)
    await expect(away).to_match_aria_snapshot(f"- listitem: /{ann.nickname}.*away/")
    await mira.send_message("are you there?")
    await expect(ann.page.get_by_role("link", name=re.compile(f"{room} 1 unread"))).to_be_visible()


async def test_present_members_are_not_spoken_of_as_away(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    row = ann.members.get_by_role("listitem")
    await expect(row).to_contain_text(ann.nickname)
    await expect(row).not_to_contain_text("away")


async def test_link_of_the_open_room_is_the_current_page(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    link = ann.own_room(room).get_by_role("link")
    await expect(link).to_have_attribute("aria-current", "page")
    await ann.post_messages("the row is drawn again")
    await expect(link).to_contain_text("next fades")
    await expect(link).to_have_attribute("aria-current", "page")


async def test_own_message_is_announced_once(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.context.set_offline(True)
    await ann.send_message("waiting")
    await expect(ann.pending("waiting")).to_have_attribute("aria-live", "off")
    await ann.context.set_offline(False)
    await expect(ann.message("waiting")).to_have_count(1, timeout=30 * SECONDS)
    assert await ann.message("waiting").get_attribute("aria-live") is None


async def test_alerts_and_the_status_exist_before_they_speak(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.expect_connected()
    for role in ("alert", "status"):
        for box in await ann.page.locator(f"[role={role}]:not(dialog *)").all():
            style = await box.evaluate(
                "(box) => [getComputedStyle(box).display, box.hidden, box.offsetHeight]"
            )
            assert style[0] != "none", await box.evaluate("(box) => box.outerHTML")
            assert style[1:] == [False, 0], "an empty box takes no space"
    await ann.open_settings()
    await ann.button("Sign out").click()
    await expect(ann.button("Yes, sign out")).to_be_visible()
    assert await ann.dialog.locator("[role=alert]").evaluate("(box) => box.checkVisibility()")
    await expect(ann.dialog.locator("[role=alert]")).to_have_text("")


async def test_members_button_tells_whether_the_panel_is_open(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=1440)
    button = ann.button("Members")
    await expect(button).to_have_attribute("aria-expanded", "true")
    await button.click()
    await expect(button).to_have_attribute("aria-expanded", "false")
    await button.click()
    await expect(button).to_have_attribute("aria-expanded", "true")
    await ann.page.set_viewport_size({"width": 900, "height": 800})
    await expect(button).to_have_attribute("aria-expanded", "false")


async def test_error_of_the_lifetimes_belongs_to_their_fields(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    await ann.dialog.get_by_role("textbox", name="Name").fill(world.name("short lived"))
    messages = ann.dialog.get_by_role("combobox", name="Messages disappear after")
    await messages.select_option("30d")
    await ann.dialog.get_by_role("combobox", name="A quiet room ends after").select_option("1h")
    await ann.button("Create the room").click()
    await expect(messages).to_have_attribute("aria-invalid", "true")
    await expect(messages).to_have_accessible_description(re.compile("room"))
    await expect(messages).to_be_focused()


async def test_titles_tell_the_pages_apart(world: World, room: str) -> None:
    ann = await world.person("Ann")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_path("/login")
    titles = [await ann.page.title()]
    await ann.sign_in()
    titles.append(await ann.page.title())
    for path in ("/privacy", "/nothing-here", "/r/nothing-here"):
        await ann.open_path(path)
        titles.append(await ann.page.title())
    assert len({*titles}) == len(titles), titles
    assert titles[1] == "Rooms · anonchat"


async def test_skip_link_leads_past_the_sidebar(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    address = ann.page.url
    in_room = address.removeprefix(ann.home)
    for path, content in (
        ("/", ".hall"),
        (in_room, ".talk"),
        ("/?from=a%20friend&x", ".hall"),
        (f"{in_room}?from=%D1%8F", ".talk"),
    ):
        await ann.open_path(path)
        await expect(ann.own_room(room)).to_be_visible()
        await ann.expect_connected()
        skip = ann.page.get_by_role("link").first
        await expect(skip).to_have_text("Skip the rooms")
        await skip.focus()
        await expect(skip).to_be_in_viewport(ratio=1)
        await ann.page.keyboard.press("Enter")
        await expect(ann.page.locator(content)).to_be_focused()
        assert ann.page.url == f"{ann.home}{path}"

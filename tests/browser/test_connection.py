"""Disconnections, lost responses and server restarts: every page ends up complete."""

import asyncio
import itertools

import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, Person
from tests.browser.world import World

SETTINGS = {"page_size": "15"}
RECONNECTING = "Reconnecting"


async def test_page_catches_up_in_order_without_duplicates(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    await mira.post_messages("before")
    await ann.expect_message("before")
    await ann.fill_message("half a thought")
    wire.disconnect()
    await expect(ann.page.get_by_role("status")).to_contain_text(RECONNECTING)
    await mira.post_messages("one", "two", "three")
    await ann.expect_messages("before")
    wire.restore()
    await ann.expect_messages("before", "one", "two", "three")
    await ann.expect_connected()
    await expect(ann.message_input).to_have_value("half a thought")
    await mira.post_messages("four")
    await ann.message_input.press("Enter")
    await mira.expect_message("half a thought")
    for person in (ann, mira):
        await person.expect_eventually(
            lambda person=person: _sorted(person),
            sorted(["before", "one", "two", "three", "four", "half a thought"]),
        )


async def test_message_posted_while_disconnected_is_delivered_exactly_once(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    wire.disconnect()
    await expect(ann.page.get_by_role("status")).to_contain_text(RECONNECTING)
    await ann.send_message("into the void")
    await ann.send_message("and again")
    await expect(ann.pending("into the void")).to_be_visible()
    wire.restore()
    await mira.expect_messages("into the void", "and again")
    await ann.expect_messages("into the void", "and again")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)


async def test_message_posted_before_the_socket_opens_is_delivered_exactly_once(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    wire.hold_websockets()
    await ann.page.reload()
    await ann.send_message("am I early?")
    await expect(ann.pending("am I early?")).to_be_visible()
    await mira.post_messages("nobody here")
    wire.disconnect()
    wire.restore()
    await mira.expect_messages("nobody here", "am I early?")
    await ann.expect_messages("nobody here", "am I early?")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)


async def test_message_with_a_lost_response_is_delivered_exactly_once(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    wire.drop_responses()
    await ann.send_message("did you get that?")
    await mira.expect_message("did you get that?")
    await expect(ann.pending("did you get that?")).to_be_visible()
    wire.disconnect()
    await expect(ann.page.get_by_role("status")).to_contain_text(RECONNECTING)
    wire.restore()
    await ann.expect_messages("did you get that?")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await mira.post_messages("yes")
    await mira.expect_messages("did you get that?", "yes")
    await ann.expect_messages("did you get that?", "yes")


async def test_pending_message_survives_a_reload(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    wire.drop_responses()
    await ann.send_message("did you get that?")
    await mira.expect_message("did you get that?")
    wire.restore()
    await ann.page.reload()
    await ann.expect_messages("did you get that?")
    await expect(ann.log.locator("[data-pending]")).to_have_count(0)
    await mira.expect_messages("did you get that?")


async def test_page_shows_the_newest_after_missing_more_than_page_size(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    await mira.post_messages("before")
    await ann.expect_message("before")
    wire.disconnect()
    texts = ["before", *(f"line {number}" for number in range(40))]
    for text in texts[1:]:
        await mira.send_message(text)
    await mira.expect_messages(*texts)
    wire.restore()
    await ann.expect_message("line 39")
    rows = ann.log.locator("[data-key]")
    for _ in range(10):
        if await rows.count() == len(texts):
            break
        shown = await rows.count()
        await ann.log.evaluate("(log) => (log.scrollTop = 0)")
        await expect(rows.nth(shown)).to_be_attached()
    await ann.expect_messages(*texts)


async def test_visitor_forgotten_while_disconnected_is_removed(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    await ann.post_messages("mine")
    await mira.post_messages("hers")
    await ann.expect_messages("mine", "hers")
    wire.disconnect()
    await mira.forget_me()
    await mira.expect_path("/login")
    wire.restore()
    await ann.expect_messages("mine")
    await expect(ann.members).not_to_contain_text(mira.nickname)


async def test_member_who_left_while_disconnected_is_redirected_to_the_lobby(
    world: World, room: str
) -> None:
    wire = await world.wire()
    ann = await _connected_member(world, wire, room)
    wire.disconnect()
    (cookie,) = await ann.context.cookies()
    second_browser = await world.person("Ann")
    await second_browser.context.add_cookies([cookie])  # cookies ignore the port: the same visitor
    await second_browser.open_path("/")
    await second_browser.own_room(room).get_by_role("link").click()
    await second_browser.expect_room(room)
    await second_browser.leave_room()
    wire.restore()
    await ann.expect_path("/")


async def test_member_who_rejoined_while_disconnected_receives_all_messages(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    wire.disconnect()
    (cookie,) = await ann.context.cookies()
    second_browser = await world.person("Ann")
    await second_browser.context.add_cookies([cookie])  # cookies ignore the port: the same visitor
    await second_browser.open_path("/")
    await second_browser.own_room(room).get_by_role("link").click()
    await second_browser.expect_room(room)
    await second_browser.leave_room()
    await second_browser.open_room(room)
    await mira.post_messages("welcome back")
    wire.restore()
    await ann.expect_messages("welcome back")
    await mira.post_messages("are you there?")
    await ann.expect_messages("welcome back", "are you there?")


async def test_leaving_immediately_after_joining_leads_to_the_lobby(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    address = ann.page.url
    for _ in range(4):
        await ann.leave_room()
        await ann.page.goto(address)
        await ann.join_room()


async def test_short_disconnection_does_not_show_the_member_as_away(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    await mira.page.evaluate(
        """() => { window.awayTexts = []; new MutationObserver((changes) => {
        for (const node of changes.flatMap((change) => [...change.addedNodes]))
            if (node.classList?.contains("away")) awayTexts.push(node.textContent);
        }).observe(document.querySelector("[aria-label=Members].feed"), {childList: true}); }"""
    )
    wire.disconnect()
    wire.restore()
    await mira.post_messages("still there?")
    await ann.expect_messages("still there?")
    await ann.post_messages("yes")
    await mira.expect_message("yes")
    assert await mira.page.evaluate("awayTexts") == []


async def test_member_is_shown_as_away_during_a_long_disconnection(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    member = mira.members.get_by_role("listitem").filter(has_text=ann.nickname)
    await expect(member.get_by_text("away")).to_have_count(0)
    wire.disconnect()
    await expect(member.get_by_text("away")).to_have_count(1)
    wire.restore()
    await expect(member.get_by_text("away")).to_have_count(0)


async def test_repeated_disconnections_neither_lose_nor_duplicate_messages(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    # At most page_size messages, because a reloaded page shows only the newest ones.
    texts = [f"{number} by {name}" for number in range(7) for name in ("Ann", "Mira")]

    async def post(person: Person, own_texts: list[str]) -> None:
        for text in own_texts:
            await person.send_message(text)
            await person.page.wait_for_timeout(300)

    async def cut_repeatedly() -> None:
        for uptime in itertools.islice(itertools.cycle((0.15, 0.4, 0.05, 0.3)), 6):
            await asyncio.sleep(uptime)
            wire.disconnect()
            await asyncio.sleep(0.2)
            wire.restore()

    await asyncio.gather(post(ann, texts[::2]), post(mira, texts[1::2]), cut_repeatedly())
    for person in (ann, mira):
        await person.expect_eventually(lambda person=person: _sorted(person), sorted(texts))
        await expect(person.log.locator("[data-pending]")).to_have_count(0)
    assert await ann.message_texts() == await mira.message_texts()


@pytest.mark.parametrize("method", ["stop", "kill"])
async def test_server_restart_loses_no_message_and_no_draft(
    world: World, room: str, method: str
) -> None:
    server_process = world.server_process
    ann, mira = await world.members(room, "Ann", "Mira")
    ann.ignored_errors = mira.ignored_errors = CONNECTION_ERRORS
    await ann.post_messages("before the fall")
    await mira.expect_messages("before the fall")
    await ann.fill_message("half a thought")
    if method == "kill":
        server_process.kill()
    else:
        await server_process.stop()
    await expect(mira.page.get_by_role("status")).to_contain_text(RECONNECTING)
    await mira.send_message("is anybody there?")
    await expect(mira.pending("is anybody there?")).to_be_visible()
    await server_process.start()
    for person in (ann, mira):
        await person.expect_messages("before the fall", "is anybody there?")
        await expect(person.log.locator("[data-pending]")).to_have_count(0)
    await expect(ann.message_input).to_have_value("half a thought")
    await ann.message_input.press("Enter")
    await mira.expect_messages("before the fall", "is anybody there?", "half a thought")
    await expect(ann.members.get_by_role("listitem").get_by_text("away")).to_have_count(0)


async def test_lobby_catches_up_after_a_disconnection(world: World, room: str) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    own = world.name("own room")
    await ann.open_room(own)
    (mira,) = await world.members(own, "Mira")
    await ann.open_path("/")
    await expect(ann.own_room(own)).to_contain_text("1 here")
    wire.disconnect()
    await mira.post_messages("one", "two")
    await mira.open_path("/")
    await mira.open_room(room)
    await expect(ann.public_room(room)).to_have_count(0)
    wire.restore()
    await expect(ann.public_room(room)).to_contain_text("1 here")
    await expect(ann.own_room(own)).to_contain_text("2 unread")


async def test_page_catches_up_after_the_server_deleted_its_client(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await _connected_member(world, wire, room)
    await ann.post_messages("before")
    await ann.fill_message("half a thought")
    wire.disconnect()
    await mira.post_messages("one")
    await mira.page.wait_for_timeout(21_000)  # the server deletes a disconnected client after 20 s
    await mira.post_messages("two")
    wire.restore()
    await ann.expect_messages("before", "one", "two")
    await expect(ann.message_input).to_have_value("half a thought")
    await ann.post_messages("half a thought, and the rest")
    await mira.expect_messages("before", "one", "two", "half a thought, and the rest")


async def _connected_member(world: World, wire: object, room: str) -> Person:
    """Create a connected member behind the TCP proxy; connection errors are ignored."""
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(room)
    await ann.expect_connected()
    return ann


async def _sorted(person: Person) -> list[str]:
    return sorted(await person.message_texts())

"""Creating a room by its name: nobody publishes one unawares."""

import re

from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS
from tests.browser.world import World

_REPORT_EVENTS = """() => {
    const { emit } = window.socket;
    window.socket.emit = function (...packet) {
        const options = [...document.querySelectorAll("[role=option]")].map((o) => o.innerText);
        window.report([JSON.stringify(packet), options.join("; ")]);
        return emit.apply(this, packet);
    };
}"""
_FAIL_SEARCH = """(box, reason) => {
    const search = getElement(Number(box.closest("form").id.slice(1)));
    search.showFailure(box.value, reason);
}"""


async def test_enter_creates_a_room_only_after_that_was_shown(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.expect_connected()
    reports: list[list[str]] = []
    await ann.page.expose_function("report", lambda report: reports.append(report))
    await ann.page.evaluate(_REPORT_EVENTS)
    await ann.room_search.fill(room)
    await ann.room_search.press("Enter")
    await ann.expect_room(room)
    shown = [options for packet, options in reports if room in packet]
    assert len(shown) == 2, "the question what there is, then the command"
    assert shown[0] == ""
    assert f"Create “{room}”" in shown[1]


async def test_enter_works_again_after_a_search_that_failed(world: World, room: str) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.expect_connected()
    wire.drop_responses()
    await ann.room_search.fill(room)
    await ann.room_search.press("Enter")
    await ann.room_search.evaluate(_FAIL_SEARCH, "That was too often.")
    await ann.expect_alert("That was too often.")
    await expect(ann.room_search).to_be_focused()
    wire.disconnect()
    await ann.page.wait_for_function("!window.socket.connected")
    wire.restore()
    await ann.expect_connected()
    await ann.room_search.press("Enter")
    await ann.expect_room(room)


async def test_last_option_creates_a_public_room(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.room_search.press_sequentially(room)
    option = ann.page.get_by_role("option").last
    await expect(option).to_have_text(re.compile(f"^Create “{room}”.*public"))
    await ann.room_search.press("ArrowUp")
    await expect(option).to_have_attribute("aria-selected", "true")
    await option.click()
    await ann.expect_room(room)
    await expect(ann.page.locator(".feed-facts")).to_contain_text("public")


async def test_no_option_creates_a_room_that_exists(world: World, room: str) -> None:
    await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    options = mira.page.get_by_role("option")
    await mira.room_search.press_sequentially(room[:-1])
    await expect(options.filter(has_text="Create")).to_be_visible()
    await mira.room_search.press_sequentially(room[-1])
    await expect(options).to_have_count(1)
    await expect(options).to_contain_text("1 here")


async def test_room_by_link_says_so(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    await ann.textbox("Name").fill(room)
    await ann.dialog.get_by_label("Who can find it").select_option("no")
    await ann.button("Create the room").click()
    await ann.expect_room(room)
    await expect(ann.page.locator(".feed-facts")).to_contain_text("by link")

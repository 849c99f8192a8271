"""axe finds no fault on any page, in any of its states, themes and widths."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, HOLD_NOTICES, Person
from tests.browser.world import World

_SCRIPT = Path(__file__).parents[1] / "observatory/node_modules/axe-core/axe.min.js"
_RUN = """async (rules) => {
    const ends = ({ effect }) => isFinite(effect.getComputedTiming().endTime);
    for (const animation of document.getAnimations().filter(ends)) animation.finish();
    const { violations } = await axe.run(document, { resultTypes: ["violations"], rules });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
        `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}"""
_PHONE, _TABLET, _DESKTOP = 360, 900, 1440
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_UNREAD = 40

SETTINGS = {"plugins": str(Path(__file__).parents[1] / "plugins" / "examples" / "errands.py")}

pytestmark = pytest.mark.parametrize("width", [_PHONE, _TABLET, _DESKTOP])


async def find_faults(
    states: AsyncIterator[str],
    person: Person,
    *,
    rules: Mapping[str, object] = MappingProxyType({}),
) -> list[str]:
    """Return the faults of each state of a page, in light and dark; `rules` adds some of axe's."""
    faults = []
    async for state in states:
        await person.page.evaluate(_SCRIPT.read_text())
        for scheme in _SCHEMES:
            await person.page.emulate_media(color_scheme=scheme)
            found = await person.page.evaluate(_RUN, dict(rules))
            faults += [f"{state}, {scheme}: {fault}" for fault in found]
    return faults


async def test_pages_outside_rooms_have_no_fault(world: World, width: int) -> None:
    ann = await world.person("Ann", width=width)
    assert await find_faults(_visit_pages(ann), ann) == []


async def _visit_pages(ann: Person) -> AsyncIterator[str]:
    ann.ignored_errors = CONNECTION_ERRORS  # of the page that does not exist
    await ann.open_path("/login")
    await expect(ann.textbox("Nickname")).to_be_visible()
    yield "login"
    await ann.page.locator("summary").click()
    await ann.submit_login(ann.nickname, phrase="short")
    await expect(ann.page.get_by_role("alert").filter(has_text="characters")).to_be_visible()
    yield "login refused"
    await ann.start_session()
    for path in ("/privacy", "/nowhere", "/gallery"):
        await ann.open_path(path)
        await expect(ann.page.locator("h1")).to_be_visible()
        yield path


async def test_pages_without_scripts_have_no_fault(world: World, room: str, width: int) -> None:
    (mira,) = await world.members(room, "Mira")
    await mira.post_messages("hello there", "x" * 300)
    ann = await world.visitor("Ann", width=width)
    refreshing = {"meta-refresh": {"enabled": False}}  # what is typed is in another frame
    assert await find_faults(_visit_plain_pages(ann, room), ann, rules=refreshing) == []


async def _visit_plain_pages(ann: Person, room: str) -> AsyncIterator[str]:
    await ann.open_path("/lite")
    yield "lobby"
    await ann.page.get_by_role("link").filter(has_text=room).click()
    yield "join form"
    await ann.button("Join room").click()
    await expect(ann.page.frame_locator("iframe").get_by_text("there")).to_be_attached()
    yield "room"
    ann.ignored_errors = CONNECTION_ERRORS  # 404
    await ann.message_input.fill("/nosuchcommand")
    await ann.button("Send").click()
    await expect(ann.page.get_by_role("alert")).to_contain_text("no command")
    yield "refused message"
    await ann.page.goto(f"{ann.page.url}/messages")
    yield "messages"


async def test_lobby_has_no_fault(world: World, room: str, width: int) -> None:
    await world.members(room, "Mira")
    ann = await world.visitor("Ann", width=width)
    assert await find_faults(_visit_lobby(ann, room), ann) == []


async def _visit_lobby(ann: Person, room: str) -> AsyncIterator[str]:
    await expect(ann.public_room(room)).to_be_visible()
    await ann.expect_connected()
    yield "lobby"
    await ann.room_search.fill(room)
    await expect(ann.page.get_by_role("option").first).to_be_visible()
    await ann.page.keyboard.press("ArrowDown")
    yield "room search"
    await ann.room_search.fill("")
    await ann.button("New room").click()
    await expect(ann.dialog).to_be_visible()
    await ann.button("Create the room").click()
    await expect(ann.dialog.get_by_role("alert").first).not_to_be_empty()
    yield "new room refused"
    await ann.button("Close").click()
    await ann.open_settings()
    await ann.dialog.locator("summary").last.click()
    yield "settings"
    await ann.button("Sign out").click()
    await expect(ann.button("Yes, sign out")).to_be_visible()
    yield "sign out"
    await ann.button("Close").click()
    await ann.button("Settings").focus()
    await ann.page.keyboard.press("?")
    await expect(ann.page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    yield "keyboard"
    await ann.button("Close").click()
    await ann.public_room(room).get_by_role("link").click()
    await expect(ann.button("Join room")).to_be_visible()
    yield "join panel"


async def test_room_has_no_fault(world: World, room: str, width: int) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", width=width)
    assert await find_faults(_visit_room(ann, mira), ann) == []


async def _visit_room(ann: Person, mira: Person) -> AsyncIterator[str]:
    address = ann.page.url
    await expect(ann.message_input).to_be_visible()
    yield "empty room"
    await ann.post_messages("a link: https://example.org", "🌧️")
    yield "messages"
    await ann.send_message("/fetch 2")
    await ann.message_input.press_sequentially("/fetch")
    await expect(ann.page.get_by_role("option").first).to_be_visible()
    yield "list of commands"
    await ann.send_message("/fetch-rules")
    await expect(ann.notice("Be kind.")).to_be_visible()
    yield "told by a command"
    await ann.message_input.fill("")
    await ann.message_input.press_sequentially(":wav")
    await expect(ann.page.get_by_role("option").first).to_be_visible()
    yield "list of emoji"
    await ann.message_input.fill("")
    await ann.button("Emoji").click()
    await expect(ann.page.get_by_role("gridcell").first).to_be_visible()
    yield "emoji"
    await ann.page.get_by_role("searchbox", name="Search emoji").fill("xyzzy")
    await expect(ann.notice("No emoji found")).to_be_visible()
    yield "no emoji found"
    await ann.close_dialog()
    await ann.send_message("call 555")
    await expect(ann.button("Send anyway")).to_be_visible()
    yield "doubtful text"
    await ann.message_input.fill("")
    await ann.open_path("/")
    await mira.post_messages(*(f"message {number}" for number in range(_UNREAD)))
    await ann.page.goto(address)
    await expect(ann.page.locator(".divider.fresh")).to_be_visible()
    await expect(ann.to_latest).to_be_visible()
    yield "unread divider"
    await ann.to_latest.click()
    await ann.expect_message(f"message {_UNREAD - 1}")
    await ann.show_actions(f"message {_UNREAD - 1}")
    yield "actions of a message"
    await ann.open_menu(f"message {_UNREAD - 1}")
    yield "menu of a message"
    await ann.action("React").click()
    await expect(ann.page.get_by_role("dialog", name="React")).to_be_visible()
    yield "reactions"
    await ann.page.keyboard.press("Escape")
    await ann.delete_message(f"message {_UNREAD - 1}")
    await expect(ann.notice("Message deleted")).to_be_visible()
    yield "notice of a deletion"
    await ann.notice("Message deleted").get_by_role("button").click()
    is_covering = await ann.button("Members").get_attribute("aria-expanded") == "false"
    if is_covering:
        await ann.button("Members").click()
    await expect(ann.members.get_by_role("listitem")).to_have_count(2)
    yield "members"
    await ann.button("Notifications").click()
    await expect(ann.menu).to_be_visible()
    yield "notifications"
    await ann.page.keyboard.press("Escape")
    if is_covering:
        await ann.button("Close").click()
    await ann.button("Disappears after").click()
    await expect(ann.menu).to_be_visible()
    yield "menu of lifetimes"
    await ann.menu.get_by_role("menuitemradio", name="10 min").click()
    await mira.button("Disappears after").click()
    await mira.menu.get_by_role("menuitemradio", name="Once").click()
    await mira.send_message("a secret")
    await expect(ann.log.get_by_role("button", name="Open once")).to_be_visible()
    yield "message to be opened once"
    await ann.log.get_by_role("button", name="Open once").click()
    await expect(ann.dialog).to_contain_text("a secret")
    yield "opened message"
    await ann.close_dialog()
    for name in ("Invite", "Room settings", "Burn room"):
        if not await ann.button(name).is_visible():
            continue
        await ann.button(name).click()
        await expect(ann.dialog).to_be_visible()
        yield name
        await ann.button("Close").click()
        await expect(ann.dialog).to_have_count(0)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.context.set_offline(True)
    await ann.send_message("written offline")
    await expect(ann.page.locator(".connection")).not_to_be_empty()
    yield "offline"
    await ann.context.set_offline(False)
    await ann.expect_connected()


async def test_room_that_is_gone_has_no_fault(world: World, room: str, width: int) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", width=width, init_script=HOLD_NOTICES)
    await mira.fill_message("half a thought")
    assert await find_faults(_visit_gone_room(ann, mira), mira) == []


async def _visit_gone_room(owner: Person, member: Person) -> AsyncIterator[str]:
    await member.leave_room()
    await expect(member.button("Undo")).to_be_visible()
    yield "notice of a room that was left"
    await member.button("Undo").click()
    await expect(member.message_input).to_have_value("half a thought")
    await owner.button("Room settings").click()
    await expect(owner.dialog).to_be_visible()
    await owner.page.set_viewport_size({"width": _PHONE, "height": 740})
    await owner.button("Burn room").click()
    await owner.button("Yes, burn it now").click()
    await expect(member.page.get_by_text("This room was burnt.")).to_be_visible()
    yield "room that has ended"

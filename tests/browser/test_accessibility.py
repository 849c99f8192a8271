"""axe finds no fault on any page, in any of its states, themes and widths."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, Person
from tests.browser.world import World

_SCRIPT = Path(__file__).parents[1] / "observatory/node_modules/axe-core/axe.min.js"
_RUN = """async () => {
    await Promise.all(document.getAnimations().map((animation) => animation.finished));
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
        `${id}: ${html.slice(0, 200)} ${failureSummary}`));
}"""
_PHONE, _TABLET, _DESKTOP = 360, 900, 1440
_UNREAD = 40

MATRIX = [
    pytest.param(scheme, width, id=f"{scheme}-{width}")
    for scheme in ("light", "dark")
    for width in (_PHONE, _TABLET, _DESKTOP)
]


async def _find_faults(states: AsyncIterator[str], person: Person) -> list[str]:
    faults = []
    async for state in states:
        await person.page.evaluate(_SCRIPT.read_text())
        faults += [f"{state}: {fault}" for fault in await person.page.evaluate(_RUN)]
    return faults


@pytest.mark.parametrize(("scheme", "width"), MATRIX)
async def test_pages_outside_rooms_have_no_fault(
    world: World, scheme: Literal["light", "dark"], width: int
) -> None:
    ann = await world.person("Ann", color_scheme=scheme, width=width)
    assert await _find_faults(_visit_pages(ann), ann) == []


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


@pytest.mark.parametrize(("scheme", "width"), MATRIX)
async def test_lobby_has_no_fault(
    world: World, room: str, scheme: Literal["light", "dark"], width: int
) -> None:
    await world.members(room, "Mira")
    ann = await world.visitor("Ann", color_scheme=scheme, width=width)
    assert await _find_faults(_visit_lobby(ann, room), ann) == []


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


@pytest.mark.parametrize(("scheme", "width"), MATRIX)
async def test_room_has_no_fault(
    world: World, room: str, scheme: Literal["light", "dark"], width: int
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", color_scheme=scheme, width=width)
    assert await _find_faults(_visit_room(ann, mira), ann) == []


async def _visit_room(ann: Person, mira: Person) -> AsyncIterator[str]:
    address = ann.page.url
    await expect(ann.message_input).to_be_visible()
    yield "empty room"
    await ann.post_messages("a link: https://example.org", "🌧️")
    yield "messages"
    await ann.open_path("/")
    await mira.post_messages(*(f"message {number}" for number in range(_UNREAD)))
    await ann.page.goto(address)
    await expect(ann.page.locator(".divider.fresh")).to_be_visible()
    await expect(ann.to_latest).to_be_visible()
    yield "unread divider"
    await ann.to_latest.click()
    await ann.expect_message(f"message {_UNREAD - 1}")
    await ann.open_menu(f"message {_UNREAD - 1}")
    yield "menu of a message"
    await ann.menu_item("Delete").click()
    await expect(ann.notice("Message deleted")).to_be_visible()
    yield "notice of a deletion"
    await ann.notice("Message deleted").get_by_role("button").click()
    if await ann.button("Members").get_attribute("aria-expanded") == "false":
        await ann.button("Members").click()
    await expect(ann.members.get_by_role("listitem")).to_have_count(2)
    yield "members"
    for name in ("Invite", "Room settings", "Burn room"):
        if not await ann.button(name).is_visible():
            continue
        await ann.button(name).click()
        await expect(ann.dialog).to_be_visible()
        yield name
        await ann.button("Close").click()
        await expect(ann.dialog).to_have_count(0)

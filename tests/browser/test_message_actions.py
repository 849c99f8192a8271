"""The actions of a message, by mouse, touch and keyboard."""

from dataclasses import dataclass

import pytest
from playwright.async_api import CDPSession, expect

from tests.browser.person import HOLD_NOTICES, RUSSIAN, Person
from tests.browser.world import World

PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}
TABLET = {"width": 820, "height": 1180, "has_touch": True, "is_mobile": True}
_IS_WITHIN = """(group) => {
    const [inner, outer] = [group, group.closest("[role=log]")].map((node) =>
        node.getBoundingClientRect());
    return inner.top >= outer.top && inner.bottom <= outer.bottom && inner.right <= outer.right;
}"""
_REFUSE_CLIPBOARD = """() => { navigator.clipboard.writeText = async () => {
    throw new DOMException("", "NotAllowedError"); }; }"""


async def test_author_and_owner_are_offered_the_deletion(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("by the owner")
    await mira.post_messages("by a guest")
    await mira.expect_message("by the owner")
    await ann.expect_message("by a guest")
    order = ["Mute", "Delete all of theirs", "Remove", "Ban"]
    for person, text, names in (
        (ann, "by a guest", ["React", "Reply", "Delete", "More"]),
        (ann, "by the owner", ["React", "Reply", "Edit", "Delete", "More"]),
        (mira, "by a guest", ["React", "Reply", "Edit", "Delete", "More"]),
        (mira, "by the owner", ["React", "Reply", "More"]),
    ):
        await person.show_actions(text)
        await expect(person.actions.get_by_role("button")).to_have_count(len(names))
        for index, name in enumerate(names):
            await expect(person.actions.get_by_role("button").nth(index)).to_have_accessible_name(
                name
            )
        await person.open_menu(text)
        items = ["Copy text", "Copy link"]
        if person is ann and text == "by a guest":
            items += order
        await expect(person.menu.get_by_role("menuitem")).to_have_text(items)
        await person.page.keyboard.press("Escape")
        await expect(person.menu).to_have_count(0)


async def test_one_group_moves_with_the_pointer_within_the_log(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await ann.message_input.hover()
    await expect(ann.actions).to_have_count(0)
    for text in ("one", "two"):
        await ann.message(text).hover()
        await expect(ann.actions).to_have_count(1)
        await expect(ann.message(text).get_by_role("group")).to_be_visible()
        assert await ann.actions.evaluate(_IS_WITHIN)
    await ann.message_input.hover()
    await expect(ann.actions).to_have_count(0)


async def test_actions_of_a_row_that_is_partly_scrolled_away_are_in_view(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("x" + 40 * "\nx")
    await ann.log.hover()
    await expect(ann.actions).to_have_count(1)
    assert await ann.log.evaluate("(log) => log.scrollTop") > 0
    assert await ann.actions.evaluate(_IS_WITHIN)
    await ann.action("More").click()
    await expect(ann.menu).to_be_visible()


@pytest.mark.parametrize("way", ["Escape", "Tab", "button", "click", "scroll"])
async def test_menu_closes_and_returns_the_focus(world: World, room: str, way: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await ann.open_menu("one")
    await expect(ann.action("More")).to_have_attribute("aria-expanded", "true")
    match way:
        case "button":
            await ann.action("More").click()
        case "click":
            await ann.message_input.click()
        case "scroll":
            await ann.page.mouse.wheel(0, 100)
        case _:
            await ann.page.keyboard.press(way)
    await expect(ann.menu).to_have_count(0)
    if way == "click":
        await expect(ann.message_input).to_be_focused()
    else:
        await expect(ann.action("More")).to_be_focused()
        await expect(ann.action("More")).to_have_attribute("aria-expanded", "false")
    await ann.message("two").hover()
    await expect(ann.message("two").get_by_role("group")).to_be_visible()
    await ann.expect_messages("one", "two")


async def test_action_is_done_while_the_menu_is_open(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    await ann.open_menu("one")
    await ann.action("Edit").click()
    await expect(ann.menu).to_have_count(0)
    await expect(ann.message_input).to_have_value("one")


@pytest.mark.parametrize("key", ["Enter", "ContextMenu", "Shift+F10"])
async def test_actions_are_usable_by_keyboard(world: World, room: str, key: str) -> None:
    (ann,) = await world.members(room, "Ann", init_script=HOLD_NOTICES)
    await ann.post_messages("one", "two", "three")
    keys = ann.page.keyboard
    await ann.log.focus()
    await keys.press("ArrowUp")
    await keys.press("ArrowUp")
    await keys.press(key)
    await expect(ann.action("React")).to_be_focused()
    for press, name in (
        ("ArrowRight", "Reply"),
        ("End", "More"),
        ("ArrowRight", "React"),
        ("ArrowLeft", "More"),
        ("Home", "React"),
        ("ArrowLeft", "More"),
        ("ArrowLeft", "Delete"),
    ):
        await keys.press(press)
        await expect(ann.action(name)).to_be_focused()
    await keys.press("Escape")
    await expect(ann.message("two")).to_be_focused()
    await keys.press(key)
    await keys.press("End")
    await keys.press("ArrowLeft")
    await keys.press("Enter")
    await ann.expect_messages("one", "three")
    await expect(ann.message("three")).to_be_focused()
    await ann.button("Undo").press("Enter")
    await expect(ann.message("two")).to_be_focused()
    await ann.expect_messages("one", "two", "three")


async def test_menu_is_usable_by_keyboard(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    keys = ann.page.keyboard
    await ann.log.focus()
    for key in ("ArrowUp", "Enter", "End", "Enter"):
        await keys.press(key)
    await expect(ann.menu_item("Copy text")).to_be_focused()
    for press, item in (
        ("ArrowDown", "Copy link"),
        ("ArrowDown", "Copy text"),
        ("End", "Copy link"),
        ("Home", "Copy text"),
    ):
        await keys.press(press)
        await expect(ann.menu_item(item)).to_be_focused()
    await keys.press("Escape")
    await expect(ann.action("More")).to_be_focused()
    await keys.press("Escape")
    await expect(ann.message("two")).to_be_focused()


async def test_actions_are_one_tab_stop_after_their_row(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await ann.log.focus()
    await ann.log.press("ArrowUp")
    await ann.page.keyboard.press("Tab")
    await expect(ann.message("two").get_by_role("button", name="React")).to_be_focused()
    await ann.page.keyboard.press("ArrowUp")
    await expect(ann.message("one")).to_be_focused()
    await expect(ann.message("one").get_by_role("group")).to_be_visible()
    await ann.page.keyboard.press("Tab")
    await expect(ann.message("one").get_by_role("button", name="React")).to_be_focused()
    await ann.page.keyboard.press("Tab")
    await expect(ann.log.locator(":focus")).to_have_count(0)


async def test_focus_stays_on_an_action_while_its_message_changes(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("one")
    await mira.show_actions("one")
    await mira.action("Reply").focus()
    await ann.show_actions("one")
    await ann.action("React").click()
    await ann.page.get_by_role("dialog").get_by_role("button").first.click()
    await expect(mira.message("one").locator(".reaction")).to_have_count(1)
    await expect(mira.action("Reply")).to_be_focused()


async def test_enter_on_a_link_follows_it(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages(f"see {ann.home}/privacy")
    async with ann.context.expect_page() as opened:
        await ann.log.get_by_role("link").press("Enter")
    await (await opened.value).close()
    await expect(ann.menu).to_have_count(0)


async def test_long_press_shows_the_actions_of_a_message(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", init_script=HOLD_NOTICES, **TABLET)
    await ann.post_messages("one", "two")
    finger = await _touch(ann, "one")
    await expect(ann.action("Delete")).to_be_visible()
    await finger.release()
    await expect(ann.action("Delete")).to_be_visible()
    await ann.action("Delete").tap()
    await ann.expect_messages("two")
    await expect(ann.actions).to_have_count(0)
    await ann.button("Undo").tap()
    await ann.expect_messages("one", "two")


async def test_actions_fit_on_a_phone_and_lead_to_the_menu(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    await ann.post_messages("one", "two")
    finger = await _touch(ann, "two")
    await expect(ann.actions).to_be_visible()
    await finger.release()
    for button in await ann.actions.get_by_role("button").all():
        box = await button.bounding_box()
        assert box
        assert box["width"] >= 44
        assert box["height"] >= 44
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    await ann.action("More").tap()
    await expect(ann.actions).to_have_count(0)
    for item in await ann.menu.get_by_role("menuitem").all():
        box = await item.bounding_box()
        assert box
        assert box["height"] >= 44
    await ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ann.menu_item("Copy text").tap()
    await expect(ann.notice("Copied")).to_be_visible()
    await expect(ann.menu).to_have_count(0)


async def test_touch_outside_closes_the_actions_and_leaves_nothing(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **TABLET)
    await ann.post_messages("one", "two")
    finger = await _touch(ann, "one")
    await expect(ann.actions).to_be_visible()
    await finger.release()
    await ann.message("two").tap()
    await expect(ann.actions).to_have_count(0)
    await ann.expect_messages("one", "two")


async def test_scrolling_by_touch_shows_no_actions(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **TABLET)
    for number in range(60):
        await ann.send_message(f"line {number}")
    await ann.expect_message("line 59")
    before = await ann.log.evaluate("(log) => log.scrollTop")
    finger = await _touch(ann, "line 50")
    for _ in range(4):
        await finger.move(40)
    await ann.page.wait_for_function(
        "(top) => document.querySelector('[role=log]').scrollTop < top", arg=before
    )
    await ann.page.wait_for_timeout(700)  # longer than a long press
    await finger.release()
    await expect(ann.actions).to_have_count(0)


async def test_text_of_a_message_is_copied(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.send_message("first line\nsecond https://example.org")
    for is_refused in (False, True):
        if is_refused:
            await ann.page.evaluate(_REFUSE_CLIPBOARD)
        else:
            await ann.context.grant_permissions(["clipboard-read", "clipboard-write"])
        row = ann.log.locator("[data-key]")
        await row.hover()
        await row.get_by_role("button", name="More").click()
        await ann.menu_item("Copy text").click()
        await expect(ann.notice("Copied")).to_be_visible()
        await ann.fill_message("")
        await ann.message_input.press("ControlOrMeta+v")
        await expect(ann.message_input).to_have_value("first line\nsecond https://example.org")
        await expect(ann.notice("Copied")).to_have_count(0)


async def test_menu_of_a_message_that_goes_closes(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("one", "two")
    await mira.open_menu("one")
    await ann.expect_message("two")
    await ann.delete_message("one")
    await mira.expect_messages("two")
    await expect(mira.menu).to_have_count(0)
    await expect(mira.message("two")).to_be_focused()


async def test_actions_are_named_in_russian(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", words=RUSSIAN, locale="ru-RU")
    await ann.post_messages("раз")
    await ann.show_actions("раз")
    for name in ("Отреагировать", "Ответить", "Изменить", "Удалить", "Ещё"):
        await expect(ann.action(name)).to_be_visible()
    await ann.delete_message("раз")


@dataclass
class _Finger:
    """A finger on the screen."""

    session: CDPSession
    x: float
    y: float

    async def move(self, pixels: float) -> None:
        """Move it down."""
        self.y += pixels
        await self.send("touchMove")

    async def release(self) -> None:
        """Lift it."""
        await self.session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    async def send(self, kind: str) -> None:
        """Send an event of this kind at the place of the finger."""
        points = [{"x": self.x, "y": self.y}]
        await self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


async def _touch(person: Person, text: str) -> _Finger:
    """Put a finger on a message."""
    box = await person.message(text).bounding_box()
    assert box
    session = await person.context.new_cdp_session(person.page)
    finger = _Finger(session, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    await finger.send("touchStart")
    return finger

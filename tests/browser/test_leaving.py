"""Leaving a room can be undone for ten seconds."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.person import HOLD_NOTICES, Person
from tests.browser.world import World

PHONE: dict[str, Any] = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}

_IS_ON_TOP = """(notice) => {
    const { left, width, top, height } = notice.getBoundingClientRect();
    return [0.05, 0.3, 0.6, 0.95].every((share) =>
        notice.contains(document.elementFromPoint(left + share * width, top + height / 2)));
}"""


async def _create_room_by_link(person: Person, room: str) -> str:
    await person.button("New room").click()
    await person.textbox("Name").fill(room)
    await person.dialog.get_by_label("Who can find it").select_option("no")
    await person.button("Create the room").click()
    await person.expect_room(room)
    return person.page.url


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
async def test_leaving_a_room_by_link_can_be_undone(
    world: World, room: str, options: dict[str, int]
) -> None:
    ann = await world.visitor("Ann", init_script=HOLD_NOTICES, **options)
    address = await _create_room_by_link(ann, room)
    await ann.leave_room()
    await expect(ann.page.get_by_text(f"You left “{room}”.")).to_be_in_viewport(ratio=1)
    await ann.button("Undo").click()
    await ann.expect_room(room)
    await expect(ann.page).to_have_url(address)
    await expect(ann.button("Room settings")).to_be_visible()  # still the owner


async def test_leaving_from_the_sidebar_can_be_undone(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", init_script=HOLD_NOTICES)
    await ann.open_path("/")
    await ann.own_room(room).hover()
    await ann.button(f"Leave “{room}”").click()
    await expect(ann.own_room(room)).to_have_count(0)
    await ann.button("Undo").click()
    await ann.expect_room(room)
    await ann.expect_connected()
    assert await ann.button("Undo").count() == 0


async def test_undo_is_offered_for_ten_seconds(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.leave_room()
    await expect(ann.button("Undo")).to_be_visible()
    await expect(ann.button("Undo")).to_have_count(0)
    await ann.page.reload()
    await expect(ann.region("Your rooms")).to_be_visible()
    await ann.expect_connected()
    await expect(ann.button("Undo")).to_have_count(0)


async def test_notice_lies_above_the_messages_of_another_room(world: World, room: str) -> None:
    ann = await world.person("Ann", init_script=HOLD_NOTICES, **PHONE)
    await ann.start_session()
    await ann.enter_room(f"{room} too")
    await ann.send_message("\n".join(str(number) for number in range(60)))
    await ann.enter_room(room)
    await ann.leave_room()
    await ann.own_room(f"{room} too").get_by_role("link").click()
    await ann.expect_room(f"{room} too")
    await expect(ann.button("Undo")).to_be_visible()
    assert await ann.page.locator(".left-room").evaluate(_IS_ON_TOP)


@pytest.mark.parametrize("aim", ["hover", "focus"])
async def test_undo_stays_under_the_pointer_and_with_the_focus(
    world: World, room: str, aim: str
) -> None:
    ann = await world.person("Ann", init_script=HOLD_NOTICES)
    await ann.sign_in()
    await ann.open_room(room)
    await ann.open_path("/")
    await ann.expect_connected()
    await ann.own_room(room).hover()
    await ann.button(f"Leave “{room}”").click()
    await expect(ann.button("Undo")).to_be_visible()
    await getattr(ann.button("Undo"), aim)()
    await ann.end_notices()
    assert await ann.button("Undo").is_visible()
    await ann.room_search.hover()
    await ann.room_search.focus()
    await ann.end_notices()
    await expect(ann.button("Undo")).to_have_count(0)


async def test_displaced_member_is_not_told_that_they_left(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.open_path("/")
    await ann.expect_connected()
    await ann.own_room(room).evaluate("""(row) => {
        const news = [{ left: row.dataset.room, requested: false }];
        for (const listen of window.socket.listeners("feed")) listen({ channel: "sidebar", news });
    }""")
    assert await ann.page.get_by_text("You left").count() == 0


async def test_undo_tells_that_the_room_has_ended(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.leave_room()
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await expect(ann.page.get_by_text("This room was burnt.")).to_be_visible()
    await mira.button("Undo").click()
    await expect(mira.page.get_by_text("There is no such room, or it has ended.")).to_be_visible()

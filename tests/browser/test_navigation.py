"""Going from room to room without loading the page again."""

from playwright.async_api import Request, expect

from tests.browser.person import CONNECTION_ERRORS, Person
from tests.browser.world import World


def _watch_loads(person: Person) -> list[str]:
    """Return a list that grows with each page that is loaded from now on."""
    loads: list[str] = []

    def note(request: Request) -> None:
        if request.is_navigation_request():
            loads.append(request.url)

    person.page.on("request", note)
    return loads


async def _enter(person: Person, room: str) -> None:
    await person.own_room(room).get_by_role("link").click()
    await person.expect_room(room)


async def test_rooms_and_lobby_are_opened_without_a_load(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    other = f"{room} too"
    loads = _watch_loads(ann)
    await ann.open_room(other)
    await ann.post_messages("said in the other room")
    await _enter(ann, room)
    await expect(ann.page).to_have_title(f"{room} · anonchat")
    await ann.expect_no_message("said in the other room")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_focused()
    await ann.page.go_back()
    await ann.expect_room(other)
    await ann.expect_message("said in the other room")
    await ann.page.go_forward()
    await ann.expect_room(room)
    await ann.page.get_by_role("navigation").get_by_role("link", name="anonchat").click()
    await ann.expect_path("/")
    await expect(ann.page.get_by_role("heading", level=1)).to_be_focused()
    await expect(ann.page).to_have_title("Rooms · anonchat")
    assert loads == []
    await _enter(ann, other)
    await ann.page.reload()
    await ann.expect_room(other)


async def test_room_opened_without_a_load_is_live(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.open_path("/")
    loads = _watch_loads(ann)
    await _enter(ann, room)
    await mira.post_messages("is it live?")
    await ann.expect_message("is it live?")
    await ann.post_messages("it is")
    await mira.expect_message("it is")
    await expect(mira.members.get_by_role("listitem").filter(has_text="away")).to_have_count(0)
    await ann.open_room(f"{room} too")
    await expect(mira.members.get_by_role("listitem").filter(has_text="away")).to_have_count(1)
    await mira.post_messages("are you there?")
    await expect(ann.own_room(room)).to_contain_text("1 unread")
    await expect(ann.page).to_have_title(f"(1) {room} too · anonchat")
    await _enter(ann, room)
    await ann.expect_message("are you there?")
    await expect(ann.page).to_have_title(f"{room} · anonchat")
    assert loads == []


async def test_draft_and_panel_stay_as_they_were(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", width=1440)
    await ann.fill_message("not finished")
    await ann.button("Members").click()
    await expect(ann.members).to_be_hidden()
    await ann.open_room(f"{room} too")
    await expect(ann.members).to_be_hidden()
    await expect(ann.message_input).to_have_value("")
    await _enter(ann, room)
    await expect(ann.message_input).to_have_value("not finished")


async def test_link_keeps_what_is_shown_while_offline(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(f"{room} too")
    await ann.expect_connected()
    await ann.context.set_offline(True)
    await expect(ann.page.get_by_role("status")).to_contain_text("Reconnecting")
    await ann.own_room(room).get_by_role("link").click()
    await ann.expect_room(f"{room} too")
    await ann.context.set_offline(False)
    await ann.expect_connected()
    await _enter(ann, room)


async def test_room_that_has_ended_is_opened_with_its_reason(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    address = mira.page.url
    await mira.open_room(f"{room} too")
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await expect(mira.own_room(room)).to_have_count(0)
    mira.ignored_errors = "404"
    await mira.page.go_back()
    await expect(mira.page.get_by_role("heading", level=1)).to_have_text(
        "There is no such room, or it has ended."
    )
    await expect(mira.page).to_have_url(address)

"""Search and creation of rooms, and the room lists of the lobby."""

import re

from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World
from tests.hostile_texts import VALID_EMOJI

SETTINGS = {"language": "en"}


async def test_enter_creates_a_new_room_or_joins_an_existing_one(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await expect(mira.members.get_by_role("listitem")).to_have_count(2)
    await ann.post_messages("so this is yours too")
    await mira.expect_message("so this is yours too")


async def test_open_button_opens_a_room(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.room_search.fill(room)
    await ann.button("Open").click()
    await ann.expect_room(room)


async def test_empty_room_search_opens_nothing(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.button("Open").click()
    await expect(ann.room_search).to_be_focused()
    await ann.expect_path("/")


async def test_invalid_room_name_is_refused_beside_the_field(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.room_search.fill("a" * 61)
    await ann.room_search.press("Enter")
    await ann.expect_alert("60 characters at most")
    await expect(ann.room_search).to_have_value("a" * 61)
    await expect(ann.room_search).to_be_focused()


async def test_room_search_limits_the_length_of_its_text(world: World) -> None:
    ann = await world.visitor("Ann")
    await expect(ann.room_search).to_have_attribute("maxlength", "1000")


async def test_room_name_of_the_longest_emoji_is_not_truncated(world: World) -> None:
    name = VALID_EMOJI["kiss in two skins"] * 56 + world.name("")
    ann = await world.visitor("Ann")
    await ann.room_search.focus()
    await ann.page.keyboard.insert_text(name)  # respects the maxlength of the input
    await expect(ann.room_search).to_have_value(name)
    await ann.room_search.press("Enter")
    await ann.expect_room(name)


async def test_room_search_result_is_chosen_by_keyboard(world: World) -> None:
    first, second = world.name("garden of one"), world.name("garden of two")
    ann = await world.visitor("Ann")
    for name in (first, second):
        await ann.open_room(name)
        await ann.open_path("/")
    mira = await world.visitor("Mira")
    await mira.room_search.press_sequentially("GARDEN of")
    options = mira.page.get_by_role("option")
    await expect(options.filter(has_text=first)).to_be_visible()
    await expect(options.filter(has_text=second)).to_be_visible()
    await mira.room_search.press("ArrowUp")
    await mira.room_search.press("ArrowDown")
    await expect(options.first).to_have_attribute("aria-selected", "true")
    chosen_name = await options.first.locator("bdi").inner_text()
    await mira.room_search.press("Enter")
    await mira.expect_room(chosen_name)


async def test_enter_does_not_recreate_a_chosen_room_that_ended(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    prefix = room[:-1]
    await mira.room_search.press_sequentially(prefix)
    option = mira.page.get_by_role("option").filter(has_text=room)
    await expect(option).to_be_visible()
    while await option.get_attribute("aria-selected") != "true":
        await mira.room_search.press("ArrowDown")
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await expect(option).to_have_count(0)
    await mira.room_search.press("Enter")
    await mira.expect_alert("There is no such room, or it has ended.")
    await mira.expect_path("/")
    await mira.room_search.press("Enter")
    await mira.expect_room(prefix)


async def test_second_submit_of_the_new_room_dialog_is_ignored(world: World, room: str) -> None:
    ann = await world.person("Ann")
    sent: list[str | bytes] = []
    ann.page.on(
        "websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame))
    )
    await ann.sign_in()
    await ann.button("New room").click()
    await ann.textbox("Name").fill(room)
    await ann.button("Create the room").dblclick()
    await ann.expect_room(room)
    assert sum("message_ttl" in str(frame) for frame in sent) == 1


async def test_ime_composition_keys_choose_and_open_nothing(world: World, room: str) -> None:
    await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    await mira.room_search.press_sequentially(room)
    option = mira.page.get_by_role("option").filter(has_text=room)
    await expect(option).to_be_visible()
    keys = await mira.page.context.new_cdp_session(mira.page)
    for key, text in (("ArrowDown", ""), ("Enter", "\r")):
        await keys.send(
            "Input.dispatchKeyEvent",
            {"type": "keyDown", "key": key, "windowsVirtualKeyCode": 229, "text": text},
        )
    await expect(option).to_have_attribute("aria-selected", "false")
    await mira.expect_path("/")
    await mira.room_search.press("Enter")
    await mira.expect_room(room)


async def test_room_search_result_is_chosen_by_mouse(world: World, room: str) -> None:
    await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    await mira.room_search.press_sequentially(room.upper())
    await mira.page.get_by_role("option").filter(has_text=room).click()
    await mira.expect_room(room)


async def test_room_search_results_close_on_escape_and_empty_query(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.open_path("/")
    option = ann.page.get_by_role("option").filter(has_text=room)
    await ann.room_search.press_sequentially(room)
    await expect(option).to_be_visible()
    await ann.room_search.press("Escape")
    await expect(option).to_be_hidden()
    await ann.room_search.press_sequentially(" ")
    await expect(option).to_be_visible()
    await ann.room_search.fill("")
    await expect(option).to_be_hidden()


async def test_new_room_dialog_applies_all_options(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    await ann.textbox("Name").fill(room)
    await ann.textbox("What is it about? (optional)").fill("windows and <rails>")
    await _select_option(ann, "Messages disappear after", "10 min")
    await _select_option(ann, "A quiet room ends after", "24 hr")
    await ann.button("Create the room").click()
    await ann.expect_room(room)
    await expect(ann.page.get_by_text("windows and <rails>")).to_be_visible()
    await expect(ann.page.get_by_text(re.compile("messages.* 10 min"))).to_be_visible()
    mira = await world.visitor("Mira")
    card = mira.public_room(room)
    await expect(card).to_contain_text("windows and <rails>")
    await expect(card).to_contain_text("10 min")
    await expect(card).to_contain_text("ends in 24 hr")


async def test_unlisted_room_is_reachable_only_by_its_link(world: World, room: str) -> None:
    watcher = await world.visitor("Watcher")
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    await ann.textbox("Name").fill(room)
    await _select_option(ann, "Who can find it", "Only those who have the link")
    await ann.button("Create the room").click()
    await ann.expect_room(room)
    link = await _read_invitation_link(ann)
    assert re.fullmatch(rf"{re.escape(ann.home)}/r/[a-z0-9]{{27}}", link)

    marker = world.name("beacon")  # shown later than the unlisted room would be
    await world.members(marker, "Mira")
    await expect(watcher.public_room(marker)).to_be_visible()
    await expect(watcher.public_room(room)).to_have_count(0)
    await watcher.room_search.press_sequentially("beacon")
    await expect(watcher.page.get_by_role("option").filter(has_text=marker)).to_be_visible()
    await watcher.room_search.fill(room)
    await watcher.room_search.press("Enter")
    await watcher.expect_room(room)  # a new public room with the same name
    await expect(watcher.members.get_by_role("listitem")).to_have_count(1)

    await watcher.page.goto(link)
    await watcher.join_room()
    await ann.post_messages("you have found us")
    await watcher.expect_message("you have found us")


async def test_taken_room_name_is_refused_in_the_dialog(world: World, room: str) -> None:
    await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    await mira.button("New room").click()
    await mira.textbox("Name").fill(room.upper())
    await mira.button("Create the room").click()
    await expect(mira.dialog.get_by_role("alert").first).to_contain_text("that name already")
    await expect(mira.textbox("Name")).to_have_value(room.upper())
    await expect(mira.textbox("Name")).to_be_focused()


async def test_room_name_similar_to_a_public_one_is_refused_beside_its_field(
    world: World, room: str
) -> None:
    await world.members(f"{room} w", "Ann")
    mira = await world.visitor("Mira")
    await mira.room_search.fill(f"{room} vv")
    await mira.room_search.press("Enter")
    await mira.expect_alert(f"looks the same: {room} w")
    await mira.button("New room").click()
    await mira.textbox("Name").fill(f"{room} vv")
    await mira.button("Create the room").click()
    await expect(mira.dialog.get_by_role("alert").first).to_contain_text(f"the same: {room} w")
    await expect(mira.textbox("Name")).to_be_focused()


async def test_dialog_closes_on_escape_and_restores_the_focus(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").focus()
    await ann.page.keyboard.press("Enter")
    await expect(ann.textbox("Name")).to_be_focused()
    await ann.page.keyboard.press("Escape")
    await expect(ann.dialog).to_be_hidden()
    await expect(ann.button("New room")).to_be_focused()


async def test_own_rooms_show_live_unread_and_presence_counts(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.open_path("/")
    await expect(ann.own_room(room)).to_contain_text("1 here")
    await expect(ann.own_room(room).get_by_text("unread")).to_be_hidden()
    await mira.post_messages("one", "two")
    await expect(ann.own_room(room)).to_contain_text("2 unread")
    await ann.page.reload()
    await expect(ann.own_room(room)).to_contain_text("2 unread")
    await ann.own_room(room).get_by_role("link").click()
    await ann.expect_room(room)
    await ann.expect_messages("one", "two")
    await expect(ann.own_room(room)).to_contain_text("2 here")
    await expect(ann.own_room(room).get_by_text("unread")).to_be_hidden()
    await ann.open_path("/")
    await expect(ann.own_room(room)).to_be_visible()
    await expect(ann.own_room(room).get_by_text("unread")).to_be_hidden()
    await mira.page.close()
    await expect(ann.own_room(room)).to_contain_text("nobody")


async def test_room_can_be_left_from_the_lobby(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.open_path("/")
    await ann.own_room(room).hover()
    await ann.button(f"Leave “{room}”").click()
    await expect(ann.own_room(room)).to_have_count(0)
    await expect(ann.region("Your rooms")).to_contain_text("You are in no room yet")
    await expect(mira.members).not_to_contain_text(ann.nickname)
    await ann.page.reload()
    await expect(ann.public_room(room)).to_be_visible()
    await expect(ann.own_room(room)).to_have_count(0)


async def test_room_joined_in_one_tab_appears_in_the_other(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    first = ann.page
    await ann.open_tab_beside()
    await ann.open_path("/")
    await ann.open_room(room)
    await ann.switch_to_tab(first)
    await expect(ann.own_room(room)).to_be_visible()


async def test_public_rooms_show_live_presence_counts(world: World, room: str) -> None:
    watcher = await world.visitor("Watcher")
    await expect(watcher.region("Public rooms")).to_be_visible()
    (ann,) = await world.members(room, "Ann")
    card = watcher.public_room(room)
    await expect(card).to_contain_text("1 here")
    (mira,) = await world.members(room, "Mira")
    await expect(card).to_contain_text("2 here")
    await ann.leave_room()
    await expect(card).to_contain_text("1 here")
    await mira.page.close()
    await expect(card).to_contain_text("nobody")
    await card.get_by_role("link").click()
    await expect(watcher.button("Join room")).to_be_visible()


async def test_room_card_update_keeps_the_focus(world: World, room: str) -> None:
    await world.members(room, "Ann")
    watcher = await world.visitor("Watcher")
    link = watcher.public_room(room).get_by_role("link")
    await expect(link).to_contain_text("1 here")
    await link.focus()
    await world.members(room, "Mira")
    await expect(link).to_contain_text("2 here")
    await expect(link).to_be_focused()


async def _select_option(person: Person, question: str, answer: str) -> None:
    await person.page.get_by_role("combobox", name=question, exact=True).select_option(label=answer)


async def _read_invitation_link(person: Person) -> str:
    await person.button("Invite").click()
    await expect(person.textbox("Link")).to_be_visible()
    link = await person.textbox("Link").input_value()
    await person.button("Close").click()
    return link


async def test_search_and_dialog_are_busy_until_the_server_answers(world: World, room: str) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    await ann.expect_connected()
    busy = ann.page.locator("form[aria-busy=true]")
    wire.hold()
    await ann.room_search.fill(room)
    await ann.room_search.press("Enter")
    await expect(busy.get_by_role("button", name="Open")).to_have_css("opacity", "0.6")
    wire.release()
    await ann.expect_room(room)
    await expect(busy).to_have_count(0)
    await ann.button("New room").click()
    await ann.textbox("Name").fill(f"{room} too")
    wire.hold()
    await ann.button("Create the room").click()
    await expect(busy.get_by_role("button", name="Create")).to_have_css("opacity", "0.6")
    wire.release()
    await ann.expect_room(f"{room} too")

"""Finding rooms, making rooms, and what the lobby shows of them."""

import re

from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World
from tests.nasty import GOOD_EMOJI

SETTINGS = {"language": "en"}


async def test_a_new_name_makes_a_room_by_enter_and_an_old_one_joins_it(
    world: World, room: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await expect(mira.members.get_by_role("listitem")).to_have_count(2)
    await ann.says("so this is yours too")
    await mira.sees("so this is yours too")


async def test_a_room_opens_by_the_button_too(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.finder.fill(room)
    await ann.button("Open").click()
    await ann.is_in(room)


async def test_an_empty_box_opens_nothing(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.button("Open").click()
    await expect(ann.finder).to_be_focused()
    await ann.is_at("/")


async def test_a_name_that_cannot_be_is_refused_beside_the_box(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.finder.fill("a" * 61)
    await ann.finder.press("Enter")
    await ann.is_told("60 characters at most")
    await expect(ann.finder).to_have_value("a" * 61)
    await expect(ann.finder).to_be_focused()


async def test_a_name_of_the_longest_emoji_is_kept_whole(world: World) -> None:
    name = GOOD_EMOJI["kiss in two skins"] * 56 + world.name("")
    ann = await world.visitor("Ann")
    await ann.finder.focus()
    await ann.page.keyboard.insert_text(name)  # which minds how much a box takes
    await expect(ann.finder).to_have_value(name)
    await ann.finder.press("Enter")
    await ann.is_in(name)


async def test_typing_finds_public_rooms_for_the_keyboard(world: World) -> None:
    first, second = world.name("garden of one"), world.name("garden of two")
    ann = await world.visitor("Ann")
    for name in (first, second):
        await ann.opens(name)
        await ann.goes_to("/")
    mira = await world.visitor("Mira")
    await mira.finder.press_sequentially("GARDEN of")
    options = mira.page.get_by_role("option")
    await expect(options.filter(has_text=first)).to_be_visible()
    await expect(options.filter(has_text=second)).to_be_visible()
    await mira.finder.press("ArrowUp")
    await mira.finder.press("ArrowDown")
    await expect(options.first).to_have_attribute("aria-selected", "true")
    chosen = await options.first.locator("bdi").inner_text()
    await mira.finder.press("Enter")
    await mira.is_in(chosen)


async def test_a_chosen_room_that_ends_is_not_made_anew_by_enter(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    fragment = room[:-1]
    await mira.finder.press_sequentially(fragment)
    option = mira.page.get_by_role("option").filter(has_text=room)
    await expect(option).to_be_visible()
    while await option.get_attribute("aria-selected") != "true":
        await mira.finder.press("ArrowDown")
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await expect(option).to_have_count(0)
    await mira.finder.press("Enter")
    await mira.is_told("There is no such room, or it has ended.")
    await mira.is_at("/")
    await mira.finder.press("Enter")
    await mira.is_in(fragment)


async def test_keys_that_compose_choose_and_open_nothing(world: World, room: str) -> None:
    await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    await mira.finder.press_sequentially(room)
    option = mira.page.get_by_role("option").filter(has_text=room)
    await expect(option).to_be_visible()
    keys = await mira.page.context.new_cdp_session(mira.page)
    for key, text in (("ArrowDown", ""), ("Enter", "\r")):
        await keys.send(
            "Input.dispatchKeyEvent",
            {"type": "keyDown", "key": key, "windowsVirtualKeyCode": 229, "text": text},
        )
    await expect(option).to_have_attribute("aria-selected", "false")
    await mira.is_at("/")
    await mira.finder.press("Enter")
    await mira.is_in(room)


async def test_typing_finds_public_rooms_for_the_mouse(world: World, room: str) -> None:
    await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    await mira.finder.press_sequentially(room.upper())
    await mira.page.get_by_role("option").filter(has_text=room).click()
    await mira.is_in(room)


async def test_what_is_found_goes_away_with_escape_and_without_words(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.goes_to("/")
    option = ann.page.get_by_role("option").filter(has_text=room)
    await ann.finder.press_sequentially(room)
    await expect(option).to_be_visible()
    await ann.finder.press("Escape")
    await expect(option).to_be_hidden()
    await ann.finder.press_sequentially(" ")
    await expect(option).to_be_visible()
    await ann.finder.fill("")
    await expect(option).to_be_hidden()


async def test_a_room_with_all_choices(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    await ann.textbox("Name").fill(room)
    await ann.textbox("What is it about? (optional)").fill("windows and <rails>")
    await _chooses(ann, "Messages disappear after", "10 min")
    await _chooses(ann, "A quiet room ends after", "24 hr")
    await ann.button("Create the room").click()
    await ann.is_in(room)
    await expect(ann.page.get_by_text("windows and <rails>")).to_be_visible()
    await expect(ann.page.get_by_text(re.compile("messages.* 10 min"))).to_be_visible()
    mira = await world.visitor("Mira")
    card = mira.public_room(room)
    await expect(card).to_contain_text("windows and <rails>")
    await expect(card).to_contain_text("10 min")
    await expect(card).to_contain_text("ends in 24 hr")


async def test_a_room_by_link_alone_is_found_by_nobody_without_it(world: World, room: str) -> None:
    watcher = await world.visitor("Watcher")
    ann = await world.visitor("Ann")
    await ann.button("New room").click()
    await ann.textbox("Name").fill(room)
    await _chooses(ann, "Who can find it", "Only those who have the link")
    await ann.button("Create the room").click()
    await ann.is_in(room)
    link = await _invitation(ann)
    assert re.fullmatch(rf"{re.escape(ann.home)}/r/[a-z0-9]{{27}}", link)

    beacon = world.name("beacon")  # once this has come, the other one would have come as well
    await world.members(beacon, "Mira")
    await expect(watcher.public_room(beacon)).to_be_visible()
    await expect(watcher.public_room(room)).to_have_count(0)
    await watcher.finder.press_sequentially("beacon")
    await expect(watcher.page.get_by_role("option").filter(has_text=beacon)).to_be_visible()
    await watcher.finder.fill(room)
    await watcher.finder.press("Enter")
    await watcher.is_in(room)  # a public room of that name is another room
    await expect(watcher.members.get_by_role("listitem")).to_have_count(1)

    await watcher.page.goto(link)
    await watcher.joins()
    await ann.says("you have found us")
    await watcher.sees("you have found us")


async def test_a_taken_name_is_refused_in_the_dialog(world: World, room: str) -> None:
    await world.members(room, "Ann")
    mira = await world.visitor("Mira")
    await mira.button("New room").click()
    await mira.textbox("Name").fill(room.upper())
    await mira.button("Create the room").click()
    await expect(mira.dialog.get_by_role("alert").first).to_contain_text("that name already")
    await expect(mira.textbox("Name")).to_have_value(room.upper())
    await expect(mira.textbox("Name")).to_be_focused()


async def test_a_name_that_looks_like_a_public_one_is_refused_where_it_was_typed(
    world: World, room: str
) -> None:
    await world.members(f"{room} w", "Ann")
    mira = await world.visitor("Mira")
    await mira.finder.fill(f"{room} vv")
    await mira.finder.press("Enter")
    await mira.is_told(f"looks the same: {room} w")
    await mira.button("New room").click()
    await mira.textbox("Name").fill(f"{room} vv")
    await mira.button("Create the room").click()
    await expect(mira.dialog.get_by_role("alert").first).to_contain_text(f"the same: {room} w")
    await expect(mira.textbox("Name")).to_be_focused()


async def test_the_dialog_closes_by_escape_and_gives_the_focus_back(world: World) -> None:
    ann = await world.visitor("Ann")
    await ann.button("New room").focus()
    await ann.page.keyboard.press("Enter")
    await expect(ann.textbox("Name")).to_be_focused()
    await ann.page.keyboard.press("Escape")
    await expect(ann.dialog).to_be_hidden()
    await expect(ann.button("New room")).to_be_focused()


async def test_your_rooms_show_live_what_is_unread_and_who_is_there(
    world: World, room: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.goes_to("/")
    await expect(ann.own_room(room)).to_contain_text("1 here")
    await expect(ann.own_room(room).get_by_text("unread")).to_be_hidden()
    await mira.says("one", "two")
    await expect(ann.own_room(room)).to_contain_text("2 unread")
    await ann.page.reload()
    await expect(ann.own_room(room)).to_contain_text("2 unread")
    await ann.own_room(room).get_by_role("link").click()
    await ann.is_in(room)
    await ann.has_heard("one", "two")
    await expect(ann.own_room(room)).to_contain_text("2 here")
    await expect(ann.own_room(room).get_by_text("unread")).to_be_hidden()
    await ann.goes_to("/")
    await expect(ann.own_room(room)).to_be_visible()
    await expect(ann.own_room(room).get_by_text("unread")).to_be_hidden()
    await mira.page.close()
    await expect(ann.own_room(room)).to_contain_text("nobody")


async def test_a_room_is_left_from_the_lobby(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.goes_to("/")
    await ann.own_room(room).hover()
    await ann.button(f"Leave “{room}”").click()
    await expect(ann.own_room(room)).to_have_count(0)
    await expect(ann.region("Your rooms")).to_contain_text("You are in no room yet")
    await expect(mira.members).not_to_contain_text(ann.nickname)
    await ann.page.reload()
    await expect(ann.public_room(room)).to_be_visible()
    await expect(ann.own_room(room)).to_have_count(0)


async def test_a_room_joined_in_one_tab_appears_in_the_other(world: World, room: str) -> None:
    ann = await world.visitor("Ann")
    first = ann.page
    await ann.opens_tab()
    await ann.goes_to("/")
    await ann.opens(room)
    await ann.turns_to(first)
    await expect(ann.own_room(room)).to_be_visible()


async def test_public_rooms_appear_and_count_who_is_there_by_themselves(
    world: World, room: str
) -> None:
    watcher = await world.visitor("Watcher")
    await expect(watcher.region("Public rooms")).to_be_visible()
    (ann,) = await world.members(room, "Ann")
    card = watcher.public_room(room)
    await expect(card).to_contain_text("1 here")
    (mira,) = await world.members(room, "Mira")
    await expect(card).to_contain_text("2 here")
    await ann.leaves()
    await expect(card).to_contain_text("1 here")
    await mira.page.close()
    await expect(card).to_contain_text("nobody")
    await card.get_by_role("link").click()
    await expect(watcher.button("Join room")).to_be_visible()


async def test_what_changes_in_a_card_does_not_take_the_focus_away(world: World, room: str) -> None:
    await world.members(room, "Ann")
    watcher = await world.visitor("Watcher")
    link = watcher.public_room(room).get_by_role("link")
    await expect(link).to_contain_text("1 here")
    await link.focus()
    await world.members(room, "Mira")
    await expect(link).to_contain_text("2 here")
    await expect(link).to_be_focused()


async def _chooses(person: Person, question: str, answer: str) -> None:
    await person.page.get_by_role("combobox", name=question, exact=True).select_option(label=answer)


async def _invitation(person: Person) -> str:
    await person.button("Invite").click()
    await expect(person.textbox("Link")).to_be_visible()
    link = await person.textbox("Link").input_value()
    await person.button("Close").click()
    return link

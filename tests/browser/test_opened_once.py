"""Messages that each reader can open once."""

from playwright.async_api import Locator, expect

from tests.browser.person import CONNECTION_ERRORS, RUSSIAN, Person
from tests.browser.world import World

SECRET = "the key is under the mat"


async def post_once(person: Person, text: str = SECRET) -> None:
    """Post a text that can be opened once."""
    await person.button("Disappears after").click()
    await person.menu.get_by_role("menuitemradio", name="Once", exact=True).click()
    await person.send_message(text)
    await expect(person.log.get_by_text("Once: opened by")).to_be_visible()


def opener(person: Person) -> Locator:
    """Find the buttons that open messages."""
    return person.log.get_by_role("button", name="Open once", exact=True)


async def expect_text_nowhere(person: Person, text: str = SECRET) -> None:
    """Expect that the page does not have the text anywhere, hidden parts included."""
    await expect(person.page.locator("dialog")).to_have_count(0)
    assert text not in await person.page.content()


async def test_message_is_opened_once_by_each_reader_and_then_gone(world: World, room: str) -> None:
    ann, mira, timur = await world.members(room, "Ann", "Mira", "Timur")
    await post_once(ann)
    for person in (mira, timur):
        await expect(opener(person)).to_be_visible()
    await expect(ann.log.get_by_text("Once: opened by 0 of 2")).to_be_visible()
    for person in (ann, mira, timur):
        await expect_text_nowhere(person)

    await opener(mira).click()
    await expect(mira.dialog).to_contain_text(SECRET)
    await expect(mira.dialog).to_have_accessible_name(f"From {ann.nickname}, once")
    await expect(ann.log.get_by_text("Once: opened by 1 of 2")).to_be_visible()
    await expect(mira.log.get_by_text("You have opened it.")).to_be_visible()
    for person in (ann, timur):
        await expect_text_nowhere(person)
    await mira.close_dialog()
    await expect_text_nowhere(mira)
    await expect(opener(mira)).to_have_count(0)

    await opener(timur).click()
    await expect(timur.dialog).to_contain_text(SECRET)
    for person in (ann, mira, timur):
        await person.expect_messages()
    await timur.dialog.get_by_role("button", name="Close").click()
    await expect(timur.dialog).to_have_count(0)
    await expect_text_nowhere(timur)


async def test_reload_shows_neither_the_text_nor_the_dialog_again(world: World, room: str) -> None:
    ann, mira, timur = await world.members(room, "Ann", "Mira", "Timur")
    await post_once(ann)
    await timur.page.reload()
    await expect(opener(timur)).to_be_visible()
    response = await timur.context.request.get(timur.page.url)
    assert SECRET not in await response.text()
    await opener(mira).click()
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.page.reload()
    await expect(mira.log.get_by_text("You have opened it.")).to_be_visible()
    await expect(mira.dialog).to_have_count(0)
    await expect_text_nowhere(mira)
    await ann.page.reload()
    await expect(ann.log.get_by_text("Once: opened by 1 of 2")).to_be_visible()
    await expect(ann.button("Disappears after: once each member has opened it")).to_be_visible()


async def test_second_opening_in_another_tab_is_refused(world: World, room: str) -> None:
    ann, mira, _ = await world.members(room, "Ann", "Mira", "Timur")
    await post_once(ann)
    await expect(opener(mira)).to_be_visible()
    await mira.page.evaluate(
        """() => {
            const { id } = document.querySelector(".feed-messages").parentElement;
            const list = getElement(id.slice(1));
            list.once.draw = () => {};  // keeps the button
            window.buttons = [...document.querySelectorAll(".open-once")];
        }"""
    )
    first = mira.page
    await mira.open_tab_beside()
    await mira.enter_room(room)
    await opener(mira).click()
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.switch_to_tab(first)
    await mira.page.evaluate("window.buttons[0].click()")
    await expect(mira.alert("You have opened it already.")).to_be_visible()
    await expect(mira.dialog).to_have_count(0)


async def test_those_who_come_later_cannot_open_it(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await post_once(ann)
    await expect(opener(mira)).to_be_visible()
    (timur,) = await world.members(room, "Timur")
    await expect(
        timur.log.get_by_text("For those who were here when it was posted")
    ).to_be_visible()
    await expect(opener(timur)).to_have_count(0)


async def test_menu_opens_it_and_offers_neither_copying_nor_editing(
    world: World, room: str
) -> None:
    ann, mira, _ = await world.members(room, "Ann", "Mira", "Timur")
    await post_once(ann)
    await mira.log.focus()
    for key in ("ArrowUp", "Enter", "End", "Enter"):
        await mira.page.keyboard.press(key)
    for person, names in ((mira, ["Open once", "Copy link"]), (ann, ["Delete", "Copy link"])):
        row = person.log.locator("[data-key]")
        if person is ann:
            await row.hover()
            await row.get_by_role("button", name="More").click()
        for name in names:
            await expect(person.menu_item(name)).to_be_visible()
        for name in ("Copy text", "Edit"):
            await expect(person.menu_item(name)).to_have_count(0)
    await mira.page.keyboard.press("Enter")
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.page.keyboard.press("Escape")
    await expect(mira.dialog).to_have_count(0)


async def test_button_is_reached_by_the_arrow_keys(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await post_once(ann)
    await expect(opener(mira)).to_be_visible()
    await mira.log.focus()
    for key in ("ArrowUp", "ArrowRight", "Enter"):
        await mira.page.keyboard.press(key)
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.page.keyboard.press("Escape")
    await expect(mira.log).to_be_focused()


async def test_answers_and_searches_show_no_text(world: World, room: str) -> None:
    ann, mira, timur = await world.members(room, "Ann", "Mira", "Timur")
    await post_once(ann)
    await opener(mira).click()
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.close_dialog()
    await mira.log.locator("[data-key]").hover()
    await mira.log.get_by_role("button", name="More").click()
    await mira.menu_item("Reply").click()
    await mira.post_messages("thanks")
    reply = timur.message("thanks").locator(".reply")
    await expect(reply).to_have_text(f"In reply to {ann.nickname} \u2068\u2069")
    await timur.button("Search").click()
    await timur.dialog.get_by_role("searchbox").fill("mat")
    await expect(timur.dialog.get_by_text("Nothing was found")).to_be_visible()
    await timur.close_dialog()
    await expect_text_nowhere(timur)


async def test_markdown_of_an_opened_message_is_drawn(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await post_once(ann, "**bold** <b>tag</b> ||hidden||")
    await opener(mira).click()
    await expect(mira.dialog.locator("strong")).to_have_text("bold")
    await expect(mira.dialog.get_by_text("<b>tag</b>")).to_be_visible()
    await mira.dialog.get_by_role("button", name="Spoiler").click()
    await expect(mira.dialog.get_by_text("hidden")).to_be_visible()


async def test_text_is_not_shown_after_a_way_back(world: World, room: str) -> None:
    ann, mira, _ = await world.members(room, "Ann", "Mira", "Timur")
    await post_once(ann)
    await opener(mira).click()
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.open_path("/privacy")
    await mira.page.go_back()
    await expect(mira.log.get_by_text("You have opened it.")).to_be_visible()
    await expect_text_nowhere(mira)


async def test_opened_text_disappears_at_the_end_of_the_message(world: World, room: str) -> None:
    # The context keeps the fake clock: no other test uses one with these options.
    mira = await world.visitor("Mira", timezone_id="Europe/Madrid")
    await mira.page.clock.install()
    # The fake clock knows no navigation, from which the page estimates the server's time.
    await mira.page.add_init_script("performance.getEntriesByType = () => [{ requestStart: 0 }]")
    await mira.open_room(room)
    ann, _ = await world.members(room, "Ann", "Timur")
    await post_once(ann)
    await opener(mira).click()
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.page.clock.fast_forward("23:50:00")
    await expect(mira.dialog).to_contain_text(SECRET)
    await mira.page.clock.fast_forward("00:11:00")
    await expect(mira.dialog).to_have_count(0)
    await expect_text_nowhere(mira)


async def test_lone_author_gets_the_text_back_with_the_reason(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.button("Disappears after").click()
    await ann.menu.get_by_role("menuitemradio", name="Once", exact=True).click()
    await ann.send_message(SECRET)
    await expect(ann.alert("Nobody else is in the room who could open it.")).to_be_visible()
    await expect(ann.message_input).to_have_value(SECRET)


async def test_message_sent_while_offline_can_be_opened(world: World, room: str) -> None:
    wire = await world.wire()
    (mira,) = await world.members(room, "Mira")
    ann = await world.person("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.start_session()
    await ann.enter_room(room)
    await ann.button("Disappears after").click()
    await ann.menu.get_by_role("menuitemradio", name="Once", exact=True).click()
    wire.disconnect()
    await ann.send_message(SECRET)
    wire.restore()
    await opener(mira).click()
    await expect(mira.dialog).to_contain_text(SECRET)


async def test_it_is_said_in_russian(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", words=RUSSIAN, locale="ru")
    await ann.button("Исчезает через").click()
    await ann.menu.get_by_role("menuitemradio", name="Один раз", exact=True).click()
    await ann.send_message(SECRET)
    await expect(ann.log.get_by_text("Один раз: открыли 0 из 1")).to_be_visible()
    await mira.log.get_by_role("button", name="Открыть один раз").click()
    await expect(mira.dialog).to_have_accessible_name(f"Один раз от {ann.nickname}")

"""Emoji: codes that are completed while typing, and the dialog in which one is chosen."""

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.browser.person import CONNECTION_ERRORS, RUSSIAN, Person
from tests.browser.world import World

PHONE = {"width": 360, "height": 640, "has_touch": True, "is_mobile": True}
_LABEL = "(element) => element.ariaLabel"


def codes(person: Person, name: str = "Emoji") -> Locator:
    """Find the list of emoji that complete what is typed."""
    return person.page.get_by_role("listbox", name=name, exact=True)


def dialog(person: Person, name: str = "Emoji") -> Locator:
    """Find the dialog in which an emoji is chosen."""
    return person.page.get_by_role("dialog", name=name, exact=True)


def cell(person: Person, name: str) -> Locator:
    """Find the button of an emoji."""
    return dialog(person).get_by_role("gridcell").get_by_role("button", name=name, exact=True)


def search(person: Person) -> Locator:
    """Find the search box of the dialog."""
    return dialog(person).get_by_role("searchbox", name="Search emoji", exact=True)


async def open_dialog(person: Person) -> None:
    """Open the dialog beside the message box, and wait until it shows emoji."""
    await person.button("Emoji").click()
    await expect(dialog(person).get_by_role("gridcell").first).to_be_visible()


async def focused_name(page: Page) -> str:
    """Return the name of the element that has the focus."""
    name: str = await page.locator(":focus").evaluate(_LABEL)
    return name


@pytest.mark.parametrize("key", ["Tab", "Enter"])
async def test_code_is_completed_while_typing(world: World, room: str, key: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.message_input.press_sequentially("hi :wav")
    await expect(codes(ann).get_by_role("option").first).to_have_text("👋:wave:waving hand")
    await ann.message_input.press(key)
    await expect(ann.message_input).to_have_value("hi 👋 ")
    await expect(codes(ann)).to_be_hidden()
    await ann.message_input.press("Enter")
    await ann.expect_messages("hi 👋")


async def test_whole_code_becomes_its_emoji(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.message_input.press_sequentially(":tada:")
    await expect(ann.message_input).to_have_value("🎉")
    await ann.message_input.press_sequentially(" and :not-a-code:")
    await expect(ann.message_input).to_have_value("🎉 and :not-a-code:")


async def test_code_is_chosen_by_arrows_and_left_by_escape(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.message_input.press_sequentially(":heart")
    second = codes(ann).get_by_role("option").nth(1)
    await ann.message_input.press("ArrowDown")
    await expect(second).to_have_attribute("aria-selected", "true")
    sign = await second.locator(".emoji").inner_text()
    await ann.message_input.press("Tab")
    await expect(ann.message_input).to_have_value(f"{sign} ")
    await ann.message_input.press_sequentially(":wav")
    await expect(codes(ann)).to_be_visible()
    await ann.message_input.press("Escape")
    await expect(codes(ann)).to_be_hidden()
    await expect(ann.message_input).to_have_value(f"{sign} :wav")


async def test_times_and_addresses_are_no_codes(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.message_input.press_sequentially(":wav")  # the emoji are there from now on
    await expect(codes(ann)).to_be_visible()
    for text in ("at 10:100:", "std::heart", "https://heart", "see :D"):
        await ann.message_input.fill("")
        await ann.message_input.press_sequentially(text)
        await expect(ann.message_input).to_have_value(text)
        await expect(codes(ann)).to_be_hidden()


async def test_chosen_emoji_goes_where_the_caret_is(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.fill_message("before after")
    for _ in range(len(" after")):
        await ann.message_input.press("ArrowLeft")
    await open_dialog(ann)
    await expect(search(ann)).to_be_focused()
    await search(ann).press_sequentially("hedgehog")
    await cell(ann, "hedgehog").click()
    await expect(dialog(ann)).to_have_count(0)
    await expect(ann.message_input).to_be_focused()
    await expect(ann.message_input).to_have_value("before🦔 after")
    await ann.page.keyboard.type("!")
    await expect(ann.message_input).to_have_value("before🦔! after")


async def test_enter_chooses_the_best_match(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await open_dialog(ann)
    await ann.page.keyboard.press("Enter")
    await expect(dialog(ann)).to_be_visible()
    await search(ann).press_sequentially("wave")
    await expect(dialog(ann).get_by_role("gridcell").first).to_have_text("👋")
    await ann.page.keyboard.press("Enter")
    await expect(ann.message_input).to_have_value("👋")
    await open_dialog(ann)
    await search(ann).fill("xyzzy")
    await expect(dialog(ann).get_by_role("status")).to_have_text("No emoji found")
    await expect(dialog(ann).get_by_role("gridcell")).to_have_count(0)


async def test_grid_is_usable_by_keyboard(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await open_dialog(ann)
    keys = ann.page.keyboard
    rows = dialog(ann).get_by_role("row")
    names = [
        await rows.nth(index).get_by_role("button").evaluate_all(f"(all) => all.map({_LABEL})")
        for index in (0, 1, -1)
    ]
    first, second, last = names
    for key, name in (
        ("ArrowDown", first[0]),
        ("ArrowRight", first[1]),
        ("ArrowDown", second[1]),
        ("End", second[-1]),
        ("ArrowRight", await rows.nth(2).get_by_role("button").first.evaluate(_LABEL)),
        ("ArrowLeft", second[-1]),
        ("Home", second[0]),
        ("ArrowUp", first[0]),
        ("Control+End", last[-1]),
        ("ArrowRight", last[-1]),
        ("Control+Home", first[0]),
        ("ArrowUp", "Search emoji"),
        ("ArrowDown", first[0]),
    ):
        await keys.press(key)
        assert await focused_name(ann.page) == name, key
    await keys.type("hedge")
    await expect(search(ann)).to_have_value("hedge")
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(ann.message_input).to_have_value("🦔")


async def test_grid_is_one_tab_stop(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await open_dialog(ann)
    await expect(dialog(ann).locator(".emoji-grid [tabindex='0']")).to_have_count(1)
    await ann.page.keyboard.press("ArrowDown")
    await ann.page.keyboard.press("ArrowRight")
    await expect(dialog(ann).locator(".emoji-grid [tabindex='0']")).to_be_focused()
    await expect(dialog(ann).locator(".emoji-grid [tabindex='0']")).to_have_count(1)


async def test_button_of_a_group_leads_to_its_emoji(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await open_dialog(ann)
    await dialog(ann).get_by_role("button", name="Food and drink", exact=True).click()
    group = dialog(ann).get_by_role("rowgroup", name="Food and drink", exact=True)
    await expect(group.get_by_role("button").first).to_be_focused()
    await expect(group.get_by_role("button").first).to_be_in_viewport()


@pytest.mark.parametrize("way", ["Escape", "click", "Close"])
async def test_dialog_closes_without_a_choice(world: World, room: str, way: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.fill_message("half a thought")
    await open_dialog(ann)
    await search(ann).fill("wave")
    match way:
        case "Escape":
            await ann.page.keyboard.press("Escape")
        case "click":
            await ann.page.mouse.click(400, 20)
        case _:
            await dialog(ann).get_by_role("button", name="Close").click()
    await expect(dialog(ann)).to_have_count(0)
    await expect(ann.button("Emoji")).to_be_focused()
    await expect(ann.message_input).to_have_value("half a thought")


async def test_emoji_that_cannot_be_loaded_are_asked_for_again(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    ann.ignored_errors = CONNECTION_ERRORS

    async def refuse(route: Route) -> None:
        await route.abort()

    await ann.page.route("**/emoji/*.json*", refuse)
    await ann.button("Emoji").click()
    await expect(dialog(ann).get_by_role("status")).to_contain_text("Please try again.")
    await ann.page.keyboard.press("Escape")
    await ann.message_input.press_sequentially(":wave:")
    await expect(ann.message_input).to_have_value(":wave:")
    await ann.page.unroute("**/emoji/*.json*")
    await open_dialog(ann)


async def test_emoji_are_chosen_by_touch_on_a_phone(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", **PHONE)
    await ann.button("Emoji").tap()
    first = dialog(ann).get_by_role("gridcell").get_by_role("button").first
    await expect(first).to_be_visible()
    await expect(search(ann)).not_to_be_focused()  # the keyboard would cover the emoji
    frame = await dialog(ann).bounding_box()
    assert frame
    assert frame["x"] == 0
    assert frame["width"] == 360
    assert frame["y"] + frame["height"] == 640
    for target in (first, *await dialog(ann).locator(".emoji-groups button").all()):
        shape = await target.bounding_box()
        assert shape
        assert shape["width"] >= 44
        assert shape["height"] >= 44
    await first.tap()
    await expect(ann.message_input).to_have_value("😀")
    await ann.button("Send").tap()
    await ann.expect_messages("😀")


async def test_emoji_are_found_by_russian_and_english_words(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", words=RUSSIAN, locale="ru-RU")
    await ann.message_input.press_sequentially(":ёж")
    await expect(codes(ann, "Эмодзи").get_by_role("option").first).to_have_text("🦔:hedgehog:еж")
    await ann.message_input.fill("")
    await ann.button("Эмодзи").click()
    box = dialog(ann, "Эмодзи").get_by_role("searchbox", name="Найти эмодзи", exact=True)
    for typed in ("привет", "hello"):
        await box.fill(typed)
        button = dialog(ann, "Эмодзи").get_by_role("button", name="машет рукой", exact=True)
        await expect(button).to_have_text("👋")


async def test_emoji_are_loaded_only_when_they_are_needed(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    asked: list[str] = []
    ann.page.on("request", lambda request: asked.append(request.url))
    await ann.page.reload()
    await ann.post_messages("no emoji here")
    assert not [url for url in asked if "emoji/en.json" in url or "emoji_dialog" in url]
    await open_dialog(ann)
    await expect(dialog(ann)).to_be_visible()
    assert [url for url in asked if "emoji/en.json" in url]

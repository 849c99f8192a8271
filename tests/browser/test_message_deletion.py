"""Deletion of messages and rooms, and the purge statistics."""

import httpx
from playwright.async_api import expect

from tests.browser.person import Person
from tests.browser.world import World

SETTINGS = {"janitor_interval": "2s"}

_HASTEN_REDIRECTS = """const start = window.setTimeout;
window.setTimeout = (run, delay, ...rest) => start(run, delay === 8_000 ? 0 : delay, ...rest);"""

_DROP_POSTS = """() => {
    const { emit } = window.socket;
    window.socket.emit = function (...packet) {
        return JSON.stringify(packet).includes("dedup") ? this : emit.apply(this, packet);
    };
}"""


async def _delete_message(person: Person, text: str) -> None:
    await person.message(text).hover()
    await person.message(text).get_by_role("button", name="Delete").click()
    await person.message(text).get_by_role("button", name="Delete for everybody?").click()


async def test_deleted_message_disappears_from_every_page(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("hello", "slip of the tongue", "bye")
    await ann.expect_messages("hello", "slip of the tongue", "bye")
    await _delete_message(mira, "slip of the tongue")
    await ann.expect_messages("hello", "bye")
    await mira.expect_messages("hello", "bye")
    await mira.page.reload()
    await mira.expect_messages("hello", "bye")


async def test_owner_can_delete_any_message_and_members_only_their_own(
    world: World, room: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("by the owner")
    await mira.post_messages("by a guest")
    await mira.expect_message("by the owner")
    await mira.message("by a guest").hover()
    await expect(mira.log.get_by_role("button", name="Delete")).to_be_visible()
    await mira.message("by the owner").hover()
    await expect(mira.log.get_by_role("button", name="Delete")).to_have_count(0)
    await ann.expect_message("by a guest")
    await _delete_message(ann, "by a guest")
    await mira.expect_messages("by the owner")


async def test_single_click_deletes_nothing(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await ann.message("one").hover()
    await ann.message("one").get_by_role("button", name="Delete").click()
    await ann.message("two").hover()
    await ann.message("two").get_by_role("button", name="Delete", exact=True).click()
    await ann.post_messages("three")
    await ann.expect_messages("one", "two", "three")


async def test_message_can_be_deleted_by_keyboard(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    await ann.log.focus()
    await ann.log.press("ArrowUp")
    await expect(ann.message("two")).to_be_focused()
    for key in ("Tab", "Enter", "Enter"):
        await ann.page.keyboard.press(key)
    await ann.expect_messages("one")


async def test_burnt_room_ends_on_every_page(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("good night")
    await ann.expect_message("good night")
    await expect(mira.button("Burn room")).to_have_count(0)
    outsider = await world.visitor("Outsider")
    await outsider.page.goto(ann.page.url)
    await expect(outsider.button("Join room")).to_be_visible()
    watcher = await world.visitor("Watcher")
    await expect(watcher.public_room(room)).to_be_visible()

    await ann.button("Burn room").click()
    await expect(ann.dialog).to_contain_text("This cannot be undone.")
    await ann.button("Yes, burn it now").click()
    for person in (ann, mira, outsider):
        await person.expect_alert("This room was burnt.")
        assert "good night" not in await person.page.content()
    await expect(watcher.public_room(room)).to_have_count(0)
    for person in (ann, mira, outsider):
        await person.page.get_by_role("link", name="Back to the lobby").last.click()
        await person.expect_path("/")
    await watcher.open_room(room)
    await watcher.post_messages("the name is free again")


async def test_burnt_room_stays_until_one_goes_and_keeps_what_was_written(
    world: World, room: str
) -> None:
    ann = await world.person("Ann")
    await ann.page.add_init_script(_HASTEN_REDIRECTS)
    await ann.sign_in()
    await ann.open_room(room)
    await ann.fill_message("half a thought")
    await ann.room_search.press_sequentially("half a name")
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await ann.expect_alert("This room was burnt.")
    await expect(ann.textbox("What you were writing")).to_have_value("half a thought")
    await expect(ann.room_search).to_have_value("half a name")
    await ann.page.get_by_role("link", name="Back to the lobby").last.click()
    await ann.expect_path("/")


async def test_burnt_room_keeps_what_was_sent_and_not_answered(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("stored and burnt")
    await ann.page.evaluate(_DROP_POSTS)
    for text in ("sent first", "sent second"):
        await ann.send_message(text)
    await ann.fill_message("half a thought")
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await ann.expect_alert("This room was burnt.")
    await expect(ann.textbox("What you were writing")).to_have_value(
        "sent first\nsent second\nhalf a thought"
    )


async def test_burnt_room_shows_no_box_where_nothing_was_written(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.button("Burn room").click()
    await ann.button("Yes, burn it now").click()
    await ann.expect_alert("This room was burnt.")
    await expect(ann.textbox("What you were writing")).to_be_hidden()


async def test_purge_statistics_update_without_a_reload(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two")
    reader = await world.person("Reader")
    await reader.open_path("/privacy")
    statistics = reader.page.get_by_role("list", name="The janitor")
    await expect(statistics).to_contain_text("The oldest message that is still kept was posted")
    before = await statistics.locator("li").first.text_content()
    await _delete_message(ann, "one")
    await expect(statistics.locator("li").first).not_to_have_text(before or "")
    await expect(statistics).to_contain_text("Last round this minute")
    await expect(statistics).to_contain_text("Next round in 0:0")


async def test_purge_statistics_reveal_only_counts(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("secret words")
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"{world.server_process.url}/privacy")).text
    assert "forgotten" in page
    for word in ("secret words", room, ann.nickname):
        assert word not in page

"""Deletion of messages and rooms, and the purge statistics."""

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.person import CONNECTION_ERRORS, HOLD_NOTICES
from tests.browser.world import World

DELETIONS = 3
SETTINGS = {"janitor_interval": "2s", "deletions_per_visitor": f"{DELETIONS}/1h"}

_HIDE = """() => {
    Object.defineProperty(document, "hidden", {get: () => true, configurable: true});
    document.dispatchEvent(new Event("visibilitychange"));
}"""

_HASTEN_REDIRECTS = """const start = window.setTimeout;
window.setTimeout = (run, delay, ...rest) => start(run, delay === 8_000 ? 0 : delay, ...rest);"""

_DROP_POSTS = """() => {
    const { emit } = window.socket;
    window.socket.emit = function (...packet) {
        return JSON.stringify(packet).includes("dedup") ? this : emit.apply(this, packet);
    };
}"""


async def test_deleted_message_disappears_at_once_here_and_then_everywhere(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    (mira,) = await world.members(room, "Mira", init_script=HOLD_NOTICES)
    await mira.post_messages("hello", "slip of the tongue", "bye")
    await ann.expect_messages("hello", "slip of the tongue", "bye")
    await mira.delete_message("slip of the tongue")
    await expect(mira.notice("Message deleted")).to_be_visible()
    await mira.expect_messages("hello", "bye")
    assert await ann.message_texts() == ["hello", "slip of the tongue", "bye"]
    await mira.end_notices()
    await ann.expect_messages("hello", "bye")
    await expect(mira.notice("Message deleted")).to_have_count(0)
    await mira.page.reload()
    await mira.expect_messages("hello", "bye")


async def test_deletion_can_be_undone(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    mira = await world.person("Mira", init_script=HOLD_NOTICES)
    await mira.sign_in()
    await mira.open_room(room)
    await mira.post_messages("one", "two", "three")
    await mira.delete_message("one")
    await mira.delete_message("two")
    await expect(mira.notice("Message deleted")).to_have_count(2)
    await mira.message("three").hover(trial=True)  # no notice covers it
    await mira.notice("Message deleted").first.get_by_role("button", name="Undo").click()
    await mira.expect_messages("one", "three")
    await expect(mira.message("one").locator(".who")).to_be_visible()
    await expect(mira.log.locator(".divider.day")).to_have_count(1)
    await mira.page.evaluate(_HIDE)
    await ann.expect_messages("one", "three")
    await mira.page.reload()
    await mira.expect_messages("one", "three")


@pytest.mark.parametrize("hold", ["hover", "focus"])
async def test_deletion_waits_while_the_pointer_or_the_focus_is_on_its_notice(
    world: World, room: str, hold: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("by ann")
    await mira.post_messages("by mira", "last")
    await mira.delete_message("by mira")
    if hold == "hover":
        await mira.notice("Message deleted").hover()
    else:
        await mira.button("Undo").focus()
    await ann.delete_message("by ann")
    await mira.expect_messages("last")  # the time of a later deletion is up
    await expect(mira.notice("Message deleted")).to_be_visible()
    await ann.expect_messages("by mira", "last")
    await mira.message_input.hover()
    await mira.message_input.focus()
    await ann.expect_messages("last")
    await expect(mira.notice("Message deleted")).to_have_count(0)


@pytest.mark.parametrize(
    "way", ["navigation", "reload", "hidden tab", "closed tab", "leaving the room"]
)
async def test_pending_deletion_is_sent_when_the_page_is_left(
    world: World, room: str, way: str
) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("one", "two", "three")
    await ann.expect_messages("one", "two", "three")
    await mira.delete_message("one")
    await mira.delete_message("three")
    await mira.notice("Message deleted").last.hover()  # it does not end by itself
    match way:
        case "navigation":
            await mira.open_path("/")
        case "reload":
            await mira.page.reload()
        case "hidden tab":
            await mira.page.evaluate(_HIDE)
        case "closed tab":
            await mira.page.close()
        case _:
            await mira.leave_room()
    await ann.expect_messages("two")


async def test_refused_deletion_shows_the_message_again_with_its_reason(
    world: World, room: str
) -> None:
    (mira,) = await world.members(room, "Mira")
    texts = [f"line {number}" for number in range(DELETIONS + 1)]
    await mira.post_messages(*texts)
    for text in texts:
        await mira.delete_message(text)
    await mira.expect_alert("That was too often")
    await mira.expect_messages(texts[-1])


async def test_message_deleted_by_another_tab_cannot_be_brought_back(
    world: World, room: str
) -> None:
    (mira,) = await world.members(room, "Mira")
    await mira.post_messages("one", "two")
    first = mira.page
    address = first.url
    await mira.delete_message("one")
    await mira.button("Undo").focus()
    second = await mira.open_tab_beside()
    await mira.page.goto(address)
    await mira.delete_message("one")
    await expect(mira.notice("Message deleted")).to_have_count(0)
    await second.close()
    mira.page = first
    await expect(mira.notice("Message deleted")).to_have_count(0)
    await mira.expect_messages("two")


async def test_deleted_message_stays_hidden_after_a_reconnection(world: World, room: str) -> None:
    wire = await world.wire()
    ann = await world.visitor("Ann", wire=wire)
    ann.ignored_errors = CONNECTION_ERRORS
    await ann.open_room(room)
    await ann.post_messages("one", "two")
    await ann.delete_message("one")
    await ann.button("Undo").focus()
    wire.disconnect()
    await expect(ann.page.get_by_text("Reconnecting")).to_be_visible()
    wire.restore()
    await ann.expect_connected()
    await ann.post_messages("three")
    await ann.expect_messages("two", "three")


async def test_server_deletes_what_is_hidden_when_it_loses_the_page(
    world: World, room: str
) -> None:
    wire = await world.wire()
    (ann,) = await world.members(room, "Ann")
    mira = await world.visitor("Mira", wire=wire)
    mira.ignored_errors = CONNECTION_ERRORS
    await mira.open_room(room)
    await mira.post_messages("one", "two", "three")
    await ann.expect_messages("one", "two", "three")
    for text in ("one", "two"):
        await mira.delete_message(text)
    await mira.notice("Message deleted").last.get_by_role("button", name="Undo").click()
    await mira.expect_messages("two", "three")
    await mira.button("Undo").focus()  # it does not end by itself
    wire.disconnect()
    await ann.expect_messages("two", "three")
    wire.restore()
    await mira.expect_connected()
    await expect(mira.notice("Message deleted")).to_have_count(0)
    await mira.expect_messages("two", "three")


async def test_deletion_moves_nothing_but_the_rows_above(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one", "two", "three")
    before = await ann.message("three").bounding_box()
    await ann.message("two").hover()
    assert await ann.message("three").bounding_box() == before
    await ann.delete_message("two")
    assert await ann.message("three").bounding_box() == before


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
    await ann.delete_message("one")
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

"""Answers to messages, and links to them."""

from urllib.parse import urlsplit

from playwright.async_api import Locator, expect

from tests.browser.person import HOLD_NOTICES, RUSSIAN, Person
from tests.browser.world import World

_MANY = 60  # more than the page shows at first
_KEEP_COPIED = """() => { navigator.clipboard.writeText = async (text) => {
    window.copied = text; }; }"""


async def reply(person: Person, text: str, answer: str) -> None:
    """Answer a message."""
    await person.open_menu(text)
    await person.menu_item("Reply").click()
    await expect(person.message_input).to_be_focused()
    await person.send_message(answer)
    await person.expect_message(answer)


async def post(person: Person, text: str, **fields: str) -> None:
    """Post a message in the open room through the API."""
    cookies = {each["name"]: each["value"] for each in await person.context.cookies(person.home)}
    response = await person.context.request.post(
        f"{person.home}/api/v1/rooms/{urlsplit(person.page.url).path.split('/')[-1]}/messages",
        data={"text": text, **fields},
        headers={"Origin": person.home, "Authorization": f"Bearer {cookies['anonchat']}"},
    )
    assert response.ok, await response.text()


async def post_many(person: Person, count: int) -> None:
    """Post messages through the API."""
    for number in range(count):
        await post(person, f"filler {number}")


async def copy_link(person: Person, text: str) -> str:
    """Copy the link to a message, and return it."""
    await person.page.evaluate(_KEEP_COPIED)
    await person.open_menu(text)
    await person.menu_item("Copy link").click()
    copied: str = await person.page.evaluate("window.copied")
    return copied


def link_to_original(person: Person, answer: str, author: Person) -> Locator:
    """Find the link from an answer to the message of an author."""
    name = f"In reply to {author.nickname}"
    return person.message(answer).get_by_role("link", name=name, exact=True)


async def test_answer_quotes_author_and_beginning(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("where are we going?", "another")
    await mira.expect_message("another")
    await mira.open_menu("where are we going?")
    await mira.menu_item("Reply").click()
    await expect(mira.page.get_by_text(f"Replying to {ann.nickname}")).to_be_visible()
    await mira.send_message("to the sea")
    await expect(mira.page.get_by_text("Replying to")).to_have_count(0)
    for person in (ann, mira):
        await person.expect_message("to the sea")
        await expect(link_to_original(person, "to the sea", ann)).to_be_visible()
        await expect(person.message("to the sea")).to_contain_text("where are we going?")
    await ann.message_input.focus()
    await link_to_original(ann, "to the sea", ann).click()
    await expect(ann.message("where are we going?")).to_be_focused()


async def test_answer_shows_the_edited_original(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("one")
    await mira.expect_message("one")
    await reply(mira, "one", "yes")
    await ann.expect_message("yes")
    await ann.message_input.press("ArrowUp")
    await ann.send_message("two")
    for person in (ann, mira):
        await expect(person.message("yes").locator(".reply")).to_contain_text("two")


async def test_answer_says_that_the_original_is_gone(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", init_script=HOLD_NOTICES)
    await ann.post_messages("a secret")
    await mira.expect_message("a secret")
    await reply(mira, "a secret", "yes")
    await ann.expect_message("yes")
    await ann.open_menu("a secret")
    await ann.menu_item("Delete").click()
    await ann.end_notices()
    for person in (ann, mira):
        await expect(person.message("yes")).to_contain_text("In reply to a message that is gone")
        await expect(person.log).not_to_contain_text("a secret")


async def test_cancelled_reply_is_an_ordinary_message(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.post_messages("one")
    await ann.open_menu("one")
    await ann.menu_item("Reply").click()
    await ann.button("Cancel reply").click()
    await expect(ann.message_input).to_be_focused()
    await ann.post_messages("two")
    await expect(ann.message("two").locator("a")).to_have_count(0)


async def test_jump_loads_the_history_around_the_original(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("the first one")
    original = await ann.message("the first one").get_attribute("data-id") or ""
    await reply(ann, "the first one", "an early answer")
    await post_many(ann, _MANY)
    await ann.page.reload()
    await ann.expect_message(f"filler {_MANY - 1}")
    await expect(ann.message("the first one")).to_have_count(0)
    await ann.post_messages("the end")
    await post(ann, "a late answer", reply_to=original)
    await ann.expect_message("a late answer")
    await expect(ann.message("a late answer").locator(".reply")).to_contain_text("the first one")
    await link_to_original(ann, "a late answer", ann).click()
    await expect(ann.message("the first one")).to_be_focused()
    await ann.expect_message("an early answer")
    await mira.page.goto(f"{ann.page.url}?message={original}")
    await expect(mira.message("the first one")).to_be_focused()


async def test_link_opens_the_room_at_the_message(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira")
    await ann.post_messages("here", "there")
    link = await copy_link(ann, "here")
    assert "?message=" in link
    await mira.page.goto(link)
    await expect(mira.message("here")).to_be_focused()
    await mira.expect_messages("here", "there")


async def test_link_to_a_message_that_is_gone_says_so(world: World, room: str) -> None:
    ann, mira = await world.members(room, "Ann", "Mira", init_script=HOLD_NOTICES)
    await ann.post_messages("here", "there")
    link = await copy_link(ann, "here")
    await ann.end_notices()
    await ann.open_menu("here")
    await ann.menu_item("Delete").click()
    await ann.end_notices()
    await mira.expect_messages("there")
    await mira.page.goto(link)
    await expect(mira.page.get_by_text("This message is gone.")).to_be_visible()
    await mira.expect_messages("there")


async def test_answering_works_in_russian(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann", words=RUSSIAN, locale="ru")
    await ann.post_messages("раз")
    await ann.open_menu("раз")
    await ann.menu_item("Ответить").click()
    await ann.send_message("два")
    await ann.expect_message("два")
    await expect(ann.message("два").get_by_role("link")).to_be_visible()

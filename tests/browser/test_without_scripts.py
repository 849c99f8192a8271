"""People whose browsers run no scripts: they sign in, find rooms, talk, and leave."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import FrameLocator, Locator, expect

from tests.browser.person import CONNECTION_ERRORS, ENGLISH, RUSSIAN, Person, Words
from tests.browser.world import World

_WITHOUT_SCRIPTS = {"java_script_enabled": False}


def frame(person: Person) -> FrameLocator:
    """Return the frame with the messages."""
    return person.page.frame_locator("iframe")


def path_of(person: Person) -> str:
    """Return the path of the page that a person has open."""
    return urlsplit(person.page.url).path


def texts(person: Person) -> Locator:
    """Return the texts of the messages, the newest first."""
    return frame(person).locator(".message .text")


async def post(person: Person, text: str) -> None:
    """Post a message by the form."""
    await person.message_input.fill(text)
    await person.button(person.words.send).click()
    await expect(person.message_input).to_have_value("")


async def refresh(person: Person, name: str = "Refresh") -> None:
    """Load the messages again."""
    await frame(person).get_by_role("link", name=name, exact=True).click()


@pytest.mark.parametrize(
    ("locale", "words", "room_field", "lobby"),
    [
        ("en-GB", ENGLISH, "Name of a room", "Rooms"),
        ("ru-RU", RUSSIAN, "Название комнаты", "Комнаты"),
    ],
    ids=["en", "ru"],
)
async def test_person_without_scripts_signs_in_and_talks_with_one_who_has_them(
    world: World, locale: str, words: Words, room_field: str, lobby: str
) -> None:
    room = world.name("night train")
    ann = await world.person("Ann", words=words, locale=locale, **_WITHOUT_SCRIPTS)
    await ann.open_path("/login")
    await ann.submit_login(ann.nickname)
    await ann.expect_path("/lite")
    await ann.textbox(room_field).fill(room)
    await ann.button(words.enter).click()
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text(room)
    (mira,) = await world.members(room, "Mira")
    await post(ann, "is **anybody** there?")
    await mira.expect_messages("is **anybody** there?")
    await expect(texts(ann).locator("strong")).to_have_text("anybody")
    await mira.post_messages("me")
    await refresh(ann, "Refresh" if words is ENGLISH else "Обновить")
    await expect(texts(ann)).to_have_text(["me", "is anybody there?"])
    await ann.button(words.leave).click()
    await ann.expect_path("/lite")
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text(lobby)


async def test_typed_text_is_kept_while_the_messages_are_loaded_again(world: World) -> None:
    (mira,) = await world.members(world.name("night train"), "Mira")
    ann = await world.visitor("Ann", **_WITHOUT_SCRIPTS)
    await ann.open_path(path_of(mira).replace("/r/", "/lite/"))
    await ann.button("Join room").click()
    await ann.message_input.fill("half a sent")
    await mira.post_messages("hello")
    await expect(texts(ann)).to_have_text(["hello"])  # without a click
    await expect(ann.message_input).to_have_value("half a sent")


async def test_notice_of_a_page_without_scripts_leads_to_the_plain_version(world: World) -> None:
    (mira,) = await world.members(world.name("night train"), "Mira")
    ann = await world.visitor("Ann", **_WITHOUT_SCRIPTS)
    for path in ("/", path_of(mira)):
        await ann.open_path(path)
        await ann.page.get_by_role("link", name="Use the plain version.").click()
        await ann.expect_path(path.replace("/r/", "/lite/") if path != "/" else "/lite")
    await expect(ann.button("Join room")).to_be_visible()


async def test_refused_text_stays_in_the_form_with_the_reason(world: World) -> None:
    (mira,) = await world.members(world.name("night train"), "Mira")
    path = path_of(mira).replace("/r/", "/lite/")
    ann = await world.visitor("Ann", **_WITHOUT_SCRIPTS)
    await ann.open_path(path)
    await ann.button("Join room").click()
    ann.ignored_errors = CONNECTION_ERRORS  # the answer is a 404
    await ann.message_input.fill("/nosuchcommand <b>now</b>")
    await ann.button("Send").click()
    await expect(ann.message_input).to_have_value("/nosuchcommand <b>now</b>")
    await expect(ann.page.get_by_role("alert")).to_contain_text("There is no command")
    await post(ann, "/me waves")
    await expect(texts(ann)).to_have_count(1)
    await expect(mira.log.locator(".message")).to_have_count(1)


async def test_page_without_scripts_works_with_scripts_too(
    world: World,
) -> None:
    (mira,) = await world.members(world.name("night train"), "Mira")
    await mira.open_path(path_of(mira).replace("/r/", "/lite/"))
    await post(mira, "hello")
    await expect(texts(mira)).to_have_text(["hello"])


async def test_message_is_opened_once_without_scripts(world: World, room: str) -> None:
    mira, _ = await world.members(room, "Mira", "Timur")
    ann = await world.person("Ann", **_WITHOUT_SCRIPTS)
    await ann.start_session()
    await ann.open_path(f"/lite{urlsplit(mira.page.url).path.removeprefix('/r')}")
    await ann.button("Join room").click()
    await expect(ann.message_input).to_be_visible()
    await ann.message_input.fill("what is typed stays")
    await mira.button("Disappears after").click()
    await mira.menu.get_by_role("menuitemradio", name="Once", exact=True).click()
    await mira.send_message("under the mat")
    await expect(mira.log.get_by_text("Once: opened by 0 of 2")).to_be_visible()
    await refresh(ann)
    await frame(ann).get_by_role("button", name="Open once").click()
    await expect(frame(ann).get_by_text("under the mat")).to_be_visible()
    await expect(mira.log.get_by_text("Once: opened by 1 of 2")).to_be_visible()
    await frame(ann).get_by_role("link", name="Close").click()
    await expect(frame(ann).get_by_text("You have opened it.")).to_be_visible()
    await expect(ann.message_input).to_have_value("what is typed stays")

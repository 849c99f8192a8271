"""English and Russian pages: chosen by the browser, switched by the visitor, remembered."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.person import ENGLISH, RUSSIAN, Person, Words
from tests.browser.world import World

# Proper names that stay in Latin script on a Russian page.
_LATIN_WORD = re.compile(r"[A-Za-z]{2,}")
_PROPER_NAMES = {"anonchat", "English", "cookie", "night", "train", "Ann", "An"}


async def test_russian_pages_contain_no_english_text(world: World, room: str) -> None:
    ann = await world.person("Ann", words=RUSSIAN, locale="ru-RU")
    await ann.open_path("/login")
    await _assert_no_english_text(ann)
    await ann.submit_login("a" * 30)
    await ann.expect_alert("не больше 24 знаков")
    await _assert_no_english_text(ann)
    await ann.open_path("/privacy")
    await _assert_no_english_text(ann)
    await ann.sign_in()
    await _assert_no_english_text(ann)
    await ann.button(RUSSIAN.new_room).click()
    await ann.textbox("Название").fill("a" * 61)
    await ann.button("Создать комнату").click()
    await ann.expect_alert("не больше 60 знаков")
    await _assert_no_english_text(ann, "a" * 61)
    await ann.close_dialog()
    await ann.open_settings()
    await _assert_no_english_text(ann)
    await ann.close_dialog()
    await ann.open_room(room)
    await ann.post_messages("привет")
    await ann.send_message("я" * 4_001)
    await ann.expect_alert("Здесь 4001 знаков")
    await _assert_no_english_text(ann)
    await ann.fill_message("")
    await ann.open_invitation()
    await _assert_no_english_text(ann)
    await ann.close_dialog()
    address = ann.page.url
    await ann.leave_room()
    await ann.page.goto(address)
    await expect(ann.button(RUSSIAN.join)).to_be_visible()
    await _assert_no_english_text(ann)
    ann.ignored_errors = "404"
    await ann.open_path("/r/nowhere")
    await _assert_no_english_text(ann)
    await ann.open_path("/nowhere")
    await _assert_no_english_text(ann)


@pytest.mark.parametrize(
    ("locale", "code"),
    [("ru-RU", "ru"), ("en-US", "en"), ("de-DE", "en"), ("uk-UA", "en")],
)
async def test_page_declares_its_language(world: World, locale: str, code: str) -> None:
    ann = await world.person("Ann", locale=locale)
    await ann.open_path("/login")
    assert (await ann.page.locator("html").get_attribute("lang") or "")[:2] == code


async def test_language_switch_applies_immediately_and_is_remembered(
    world: World, room: str
) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.fill_message("half a thought")
    await ann.open_settings()
    await ann.button("Русский").click()
    ann.words = RUSSIAN
    await ann.expect_room(room)
    await expect(ann.message_input).to_have_value("half a thought")
    await ann.open_path("/")
    await expect(ann.region(RUSSIAN.own)).to_be_visible()
    await ann.open_tab_beside()
    await ann.open_path("/privacy")
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text("Что мы храним")
    await ann.button("English").click()
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text("What we keep")


async def test_members_of_one_room_each_see_their_own_language(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    (mira,) = await world.members(room, "Mira", words=RUSSIAN, locale="ru-RU")
    await ann.post_messages("hello")
    await mira.post_messages("привет")
    for person in (ann, mira):
        await person.expect_messages("hello", "привет")
    await expect(ann.own_room(room)).to_contain_text("2 here")
    await expect(mira.own_room(room)).to_contain_text("2 здесь")
    await mira.page.close()
    await expect(ann.members).to_contain_text("away")


async def test_russian_plural_forms_of_one_and_two_members(world: World, room: str) -> None:
    (bo,) = await world.members(room, "Bo")
    visitor = await world.visitor("Ann", words=RUSSIAN, locale="ru-RU")
    await visitor.page.goto(bo.page.url)
    await expect(visitor.page.get_by_text("1 участник", exact=True)).to_be_visible()
    await world.members(room, "Cy")
    await visitor.page.reload()
    await expect(visitor.page.get_by_text("2 участника", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("words", "locale"), [(ENGLISH, "en-GB"), (RUSSIAN, "ru-RU")], ids=["en", "ru"]
)
async def test_every_required_control_exists_exactly_once(
    world: World, room: str, words: Words, locale: str
) -> None:
    ann = await world.person("Ann", words=words, locale=locale)
    await ann.open_path("/login")
    await expect(ann.textbox(words.nickname)).to_have_count(1)
    await expect(ann.button(words.enter)).to_have_count(1)
    await expect(ann.button(words.suggest)).to_have_count(1)
    await ann.page.locator("summary").click()
    await expect(ann.textbox(words.phrase)).to_have_count(1)
    await ann.sign_in()
    await expect(ann.room_search).to_have_count(1)
    await expect(ann.button(words.open)).to_have_count(1)
    await expect(ann.region(words.own)).to_have_count(1)
    await expect(ann.region(words.public)).to_have_count(1)
    await expect(ann.button(words.new_room)).to_have_count(1)
    await ann.open_room(room)
    await expect(ann.log).to_have_count(1)
    await expect(ann.message_input).to_have_count(1)
    await expect(ann.button(words.send)).to_have_count(1)
    await expect(ann.button(words.leave)).to_have_count(1)
    await expect(ann.button(words.invite)).to_have_count(1)
    await expect(ann.members).to_have_count(1)
    address = ann.page.url
    await ann.leave_room()
    await ann.page.goto(address)
    await expect(ann.button(words.join)).to_have_count(1)


async def _assert_no_english_text(person: Person, *allowed_words: str) -> None:
    """Assert that texts, accessible names and hints of the page contain no English words."""
    await expect(person.page.get_by_role("heading").first).to_be_visible()
    texts: list[str] = await person.page.evaluate(
        """() => {
            const texts = [document.body.innerText];
            for (const node of document.querySelectorAll("body *"))
                for (const name of ["aria-label", "title", "placeholder"])
                    if (node.getAttribute(name)) texts.push(node.getAttribute(name));
            return texts;
        }"""
    )
    words = {word for text in texts for word in _LATIN_WORD.findall(text)}
    assert words - _PROPER_NAMES - set(allowed_words) == set()

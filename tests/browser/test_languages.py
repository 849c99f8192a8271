"""Russian and English, chosen by the browser, switched on the spot, remembered."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.person import ENGLISH, RUSSIAN, Person, Words
from tests.browser.world import World

# What stays Latin on a Russian screen: names of people and things, and what a room is called.
_LATIN = re.compile(r"[A-Za-z]{2,}")
_PROPER = {"anonchat", "English", "cookie", "night", "train", "Ann", "An"}


async def test_a_russian_browser_gets_russian_screens_without_a_word_of_english(
    world: World, room: str
) -> None:
    ann = await world.person("Ann", words=RUSSIAN, locale="ru-RU")
    await ann.goes_to("/login")
    await _reads_russian(ann)
    await ann.gives("a" * 30)
    await ann.is_told("не больше 24 знаков")
    await _reads_russian(ann)
    await ann.goes_to("/privacy")
    await _reads_russian(ann)
    await ann.comes_in()
    await _reads_russian(ann)
    await ann.button(RUSSIAN.new_room).click()
    await ann.textbox("Название").fill("a" * 61)
    await ann.button("Создать комнату").click()
    await ann.is_told("не больше 60 знаков")
    await _reads_russian(ann, "a" * 61)
    await ann.page.keyboard.press("Escape")
    await ann.opens_settings()
    await _reads_russian(ann)
    await ann.page.keyboard.press("Escape")
    await ann.opens(room)
    await ann.says("привет")
    await ann.sends("я" * 4_001)
    await ann.is_told("Здесь 4001 знаков")
    await _reads_russian(ann)
    await ann.types("")
    await ann.button(RUSSIAN.invite).click()
    await _reads_russian(ann)
    await ann.page.keyboard.press("Escape")
    address = ann.page.url
    await ann.leaves()
    await ann.page.goto(address)
    await expect(ann.button(RUSSIAN.join)).to_be_visible()
    await _reads_russian(ann)
    ann.forgives = "404"
    await ann.goes_to("/r/nowhere")
    await _reads_russian(ann)
    await ann.goes_to("/nowhere")
    await _reads_russian(ann)


@pytest.mark.parametrize(
    ("locale", "code"),
    [("ru-RU", "ru"), ("en-US", "en"), ("de-DE", "en"), ("uk-UA", "en")],
)
async def test_the_page_says_which_language_it_is_in(world: World, locale: str, code: str) -> None:
    ann = await world.person("Ann", locale=locale)
    await ann.goes_to("/login")
    assert (await ann.page.locator("html").get_attribute("lang") or "")[:2] == code


async def test_the_language_is_switched_on_the_spot_and_remembered(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    await ann.types("half a thought")
    await ann.opens_settings()
    await ann.button("Русский").click()
    ann.words = RUSSIAN
    await ann.is_in(room)
    await expect(ann.box).to_have_value("half a thought")
    await ann.goes_to("/")
    await expect(ann.region(RUSSIAN.own)).to_be_visible()
    await ann.opens_tab()
    await ann.goes_to("/privacy")
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text("Что мы храним")
    await ann.button("English").click()
    await expect(ann.page.get_by_role("heading", level=1)).to_have_text("What we keep")


async def test_people_in_one_room_each_read_their_own_language(world: World, room: str) -> None:
    (ann,) = await world.members(room, "Ann")
    (mira,) = await world.members(room, "Mira", words=RUSSIAN, locale="ru-RU")
    await ann.says("hello")
    await mira.says("привет")
    for person in (ann, mira):
        await person.has_heard("hello", "привет")
    await expect(ann.own_room(room)).to_contain_text("2 here")
    await expect(mira.own_room(room)).to_contain_text("2 здесь")
    await mira.page.close()
    await expect(ann.members).to_contain_text("away")


async def test_russian_counts_one_and_two(world: World, room: str) -> None:
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
async def test_every_control_of_the_contract_is_there_exactly_once(
    world: World, room: str, words: Words, locale: str
) -> None:
    ann = await world.person("Ann", words=words, locale=locale)
    await ann.goes_to("/login")
    await expect(ann.textbox(words.nickname)).to_have_count(1)
    await expect(ann.button(words.enter)).to_have_count(1)
    await expect(ann.button(words.suggest)).to_have_count(1)
    await ann.page.locator("summary").click()
    await expect(ann.textbox(words.phrase)).to_have_count(1)
    await ann.comes_in()
    await expect(ann.finder).to_have_count(1)
    await expect(ann.button(words.open)).to_have_count(1)
    await expect(ann.region(words.own)).to_have_count(1)
    await expect(ann.region(words.public)).to_have_count(1)
    await expect(ann.button(words.new_room)).to_have_count(1)
    await ann.opens(room)
    await expect(ann.log).to_have_count(1)
    await expect(ann.box).to_have_count(1)
    await expect(ann.button(words.send)).to_have_count(1)
    await expect(ann.button(words.leave)).to_have_count(1)
    await expect(ann.button(words.invite)).to_have_count(1)
    await expect(ann.members).to_have_count(1)
    address = ann.page.url
    await ann.leaves()
    await ann.page.goto(address)
    await expect(ann.button(words.join)).to_have_count(1)


async def _reads_russian(person: Person, *own_words: str) -> None:
    """See no English in what is shown, in what is called, and in what is hinted at."""
    await expect(person.page.get_by_role("heading").first).to_be_visible()
    seen: list[str] = await person.page.evaluate(
        """() => {
            const texts = [document.body.innerText];
            for (const node of document.querySelectorAll("body *"))
                for (const name of ["aria-label", "title", "placeholder", "data-quiet"])
                    if (node.getAttribute(name)) texts.push(node.getAttribute(name));
            return texts;
        }"""
    )
    words = {word for text in seen for word in _LATIN.findall(text)}
    assert words - _PROPER - set(own_words) == set()

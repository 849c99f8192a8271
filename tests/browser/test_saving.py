"""Saving messages: one's own, and a transcript that all who are here agree to."""

import asyncio
import json

import pytest
from playwright.async_api import Locator, expect

from tests.browser.person import ENGLISH, RUSSIAN, Person, Words
from tests.browser.world import World


async def open_dialog(
    person: Person, *, more: str = "More actions", save: str = "Save messages"
) -> None:
    """Open the dialog that saves, by its button or in the menu."""
    button = person.button(save)
    if not await button.is_visible():
        await person.button(more).click()
        button = person.menu_item(save)
    await button.click()
    await expect(person.dialog).to_be_visible()


async def download(person: Person, link: Locator) -> str:
    """Return the content of the file that a link saves."""
    async with person.page.expect_download() as saved:
        await link.click()
    path = await (await saved.value).path()
    return await asyncio.to_thread(path.read_text)


def question(person: Person, name: str = "Transcript") -> Locator:
    """Return the question for a transcript, or what came of it."""
    return person.page.get_by_role("group", name=name, exact=True)


def control(person: Person, name: str) -> Locator:
    """Return a button or a link of the question."""
    return question(person).get_by_text(name, exact=True)


async def test_own_messages_are_saved_as_files(world: World) -> None:
    ann, mira = await world.members(world.name("night train"), "Ann", "Mira")
    await ann.post_messages("mine")
    await mira.post_messages("hers")
    await open_dialog(ann)
    text = await download(ann, ann.dialog.get_by_role("link", name="Save what I wrote", exact=True))
    assert text.endswith(f"{ann.nickname}: mine\n")
    content = await download(ann, ann.dialog.get_by_role("link", name="The same as JSON"))
    assert [message["text"] for message in json.loads(content)["messages"]] == ["mine"]
    await ann.close_dialog()
    await expect(ann.message_input).to_be_visible()


async def test_transcript_is_saved_when_all_who_are_here_agree(world: World) -> None:
    room = world.name("night train")
    ann, mira = await world.members(room, "Ann", "Mira")
    await mira.post_messages("hello")
    await open_dialog(ann)
    await ann.dialog.get_by_role("button", name="Save the transcript").click()
    await expect(question(ann)).to_contain_text("All who are here are asked")
    await expect(question(mira)).to_contain_text(f"{ann.nickname} would like to save")
    await expect(question(mira).get_by_role("timer")).to_contain_text(" s")
    (zoe,) = await world.members(room, "Zoe")  # comes in meanwhile
    await expect(question(zoe)).to_contain_text("would like to save")
    await control(mira, "Agree").click()
    await expect(question(mira)).to_be_hidden()
    await expect(question(ann)).to_contain_text("All who are here are asked")
    await control(zoe, "Agree").click()
    await expect(question(ann)).to_contain_text("All have agreed")
    text = await download(ann, control(ann, "Save as text"))
    assert text.endswith(f"{mira.nickname}: hello\n")
    await ann.page.reload()
    content = await download(ann, control(ann, "Save as JSON"))
    assert [message["text"] for message in json.loads(content)["messages"]] == ["hello"]
    await control(ann, "Close").click()
    await expect(question(ann)).to_be_hidden()


@pytest.mark.parametrize(
    ("locale", "words", "more", "save", "ask", "refuse", "transcript"),
    [
        (
            "en-GB",
            ENGLISH,
            "More actions",
            "Save messages",
            "Save the transcript",
            "Refuse",
            "Transcript",
        ),
        (
            "ru-RU",
            RUSSIAN,
            "Другие действия",
            "Сохранить сообщения",
            "Сохранить разговор",
            "Отказать",
            "Запись разговора",
        ),
    ],
    ids=["en", "ru"],
)
async def test_one_refusal_ends_the_question_for_all(
    world: World,
    locale: str,
    words: Words,
    more: str,
    save: str,
    ask: str,
    refuse: str,
    transcript: str,
) -> None:
    room = world.name("night train")
    ann, mira, zoe = await world.members(room, "Ann", "Mira", "Zoe", locale=locale, words=words)
    await open_dialog(ann, more=more, save=save)
    await ann.dialog.get_by_role("button", name=ask).click()
    for person in (mira, zoe):
        await expect(question(person, transcript)).to_be_visible()
    await question(mira, transcript).get_by_role("button", name=refuse).click()
    for person in (mira, zoe):
        await expect(question(person, transcript)).to_be_hidden()
    await expect(question(ann, transcript)).to_contain_text(
        "Not everybody has agreed" if words is ENGLISH else "Согласились не все"
    )

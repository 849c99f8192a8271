"""The filter of words."""

import pytest

from anonchat.plugins import Refused
from anonchat.plugins.builtin import words
from anonchat.plugins.testing import chat_with

_NOT_WANTED = "spam, grüße, казино"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("no spam please", "spam"),
        ("SPAM!", "SPAM"),
        ("“Spam”", "Spam"),
        ("ѕраm", "ѕраm"),  # Cyrillic but for the last letter
        ("viele GRÜSSE", "GRÜSSE"),
        ("лучшее Казино.", "Казино"),
    ],
)
async def test_unwanted_word_is_refused_and_named(
    text: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANONCHAT_WORDS_NOT_WANTED", _NOT_WANTED)
    async with chat_with(words.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        with pytest.raises(Refused) as refused:
            await ann.say(room, text)
        assert str(refused.value) == f"The word “{word}” is not wanted here."
        assert "не место" in chat.languages["ru"].explain(refused.value)
        assert await ann.read(room) == []


@pytest.mark.parametrize("text", ["spammer", "antispam", "s p a m", "казинов", "hello"])
async def test_other_words_are_posted(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONCHAT_WORDS_NOT_WANTED", _NOT_WANTED)
    async with chat_with(words.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, text)
        assert [each.text for each in await ann.read(room)] == [text]


@pytest.mark.parametrize("value", ["", " , "])
async def test_without_words_nothing_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANONCHAT_WORDS_NOT_WANTED", value)
    async with chat_with(words.plugin) as chat:
        ann = await chat.enter("Ann")
        room = await chat.open_room("tea", ann)
        await ann.say(room, "spam, spam")
        assert len(await ann.read(room)) == 1

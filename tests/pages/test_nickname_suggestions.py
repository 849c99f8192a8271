"""Suggested nicknames are valid and available."""

import itertools

import pytest

from anonchat import Language, load_languages
from anonchat.text.normalization import normalize_nickname
from pages import nickname_suggestions
from pages.nickname_suggestions import suggest_nickname

LANGUAGES = list(load_languages().values())


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_every_word_combination_is_a_valid_nickname(language: Language) -> None:
    first = language.words("first words of a nickname", nickname_suggestions._FIRST_WORDS)
    second = language.words("second words of a nickname", nickname_suggestions._SECOND_WORDS)
    assert len(first) == len(set(first)) == 20
    assert len(second) == len(set(second)) == 20
    for words in itertools.product(first, second):
        name = " ".join(words)
        assert normalize_nickname(name) == name


async def test_taken_nickname_is_not_suggested() -> None:
    checked = []

    async def is_free(name: str) -> bool:
        checked.append(name)
        return len(checked) == 4

    assert await suggest_nickname(LANGUAGES[0], is_free=is_free) == checked[3]


async def test_suggestion_gets_a_number_if_all_words_are_taken() -> None:
    async def is_free(name: str) -> bool:
        return name[-1].isdigit()

    name = await suggest_nickname(LANGUAGES[0], is_free=is_free)
    assert name[-1].isdigit()
    assert normalize_nickname(name) == name

"""Nicknames that are suggested are free, friendly and possible."""

import itertools

import pytest

from anonchat.text import tidy_nickname
from pages import suggestion
from pages.language import Language, load_languages
from pages.suggestion import suggest_nickname

LANGUAGES = list(load_languages().values())


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_every_combination_is_a_nickname(language: Language) -> None:
    first = language.words("first words of a nickname", suggestion._FIRST)
    second = language.words("second words of a nickname", suggestion._SECOND)
    assert len(first) == len(set(first)) == 20
    assert len(second) == len(set(second)) == 20
    for words in itertools.product(first, second):
        name = " ".join(words)
        assert tidy_nickname(name) == name


async def test_a_taken_nickname_is_not_suggested() -> None:
    asked = []

    async def is_free(name: str) -> bool:
        asked.append(name)
        return len(asked) == 4

    assert await suggest_nickname(LANGUAGES[0], is_free=is_free) == asked[3]


async def test_when_all_are_taken_a_number_helps() -> None:
    async def is_free(name: str) -> bool:
        return name[-1].isdigit()

    name = await suggest_nickname(LANGUAGES[0], is_free=is_free)
    assert name[-1].isdigit()
    assert tidy_nickname(name) == name

"""Finds the words of a text that a room does not want, whatever their case, and look-alikes."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from .lookalikes import fold_lookalikes

_WORD = re.compile(r"\w+(?:['’-]\w+)*")
_FOLDED_CACHED_MAX = 5_000
_LISTS_CACHED_MAX = 200


class _Unwanted(NamedTuple):
    """What is not wanted: folded words, each with what the owner has typed, and signs."""

    phrases: dict[tuple[str, ...], str]
    lengths: tuple[int, ...]
    signs: tuple[str, ...]


def split_words(text: str) -> list[str]:
    """Return the words of a text."""
    return _WORD.findall(text)


@lru_cache(maxsize=_FOLDED_CACHED_MAX)
def fold_word(word: str) -> str:
    """Return what is equal for words that look alike; takes up to 0.1 ms."""
    return fold_lookalikes(word)


def find_unwanted(text: str, folded: Sequence[str], unwanted: tuple[str, ...]) -> str:
    """Return one of the unwanted words or signs in a text, whose words are `folded`, or `""`."""
    listed = _prepare(unwanted)
    for length in listed.lengths:
        for start in range(len(folded) - length + 1):
            if found := listed.phrases.get(tuple(folded[start : start + length])):
                return found
    return next((sign for sign in listed.signs if sign in text), "")


@lru_cache(maxsize=_LISTS_CACHED_MAX)
def _prepare(unwanted: tuple[str, ...]) -> _Unwanted:
    words = {each: tuple(map(fold_word, split_words(each))) for each in unwanted}
    phrases = {folded: each for each, folded in words.items() if folded}
    signs = tuple(each for each, folded in words.items() if not folded)
    return _Unwanted(phrases, tuple(sorted({*map(len, phrases)})), signs)

"""Detects secret phrases that are easy to guess: common phrases and simple patterns."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

_LIST_PATH = Path(__file__).with_name("common_phrases.txt")
_RUN_LENGTH_MIN = 4
_SHORT_UNIT_MAX = 4
_DIGITS_ONLY_MAX = 8
_LATIN_KEYS = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
_RUSSIAN_KEYS = "йцукенгшщзхъфывапролджэячсмитьбюё"
_TO_LATIN_KEYS = str.maketrans(_RUSSIAN_KEYS, _LATIN_KEYS)
_DIGITS_TO_LETTERS = str.maketrans("0134578@$!", "oleastbasi")
_KEYBOARD_ROWS = (  # rows, each with its horizontal offset in key widths
    ("1234567890-=", 0.0),
    ("qwertyuiop[]", 0.5),
    ("asdfghjkl;'", 0.75),
    ("zxcvbnm,./", 1.25),
)
_KEY_POSITIONS = {
    key: (row, column + shift)
    for row, (keys, shift) in enumerate(_KEYBOARD_ROWS)
    for column, key in enumerate(keys)
}
_AFFIXES = re.compile(r"^[\d\W_]+|[\d\W_]+$")
_IGNORED = re.compile(r"[^\w!-/:-@\[-`{-~]")


def is_common(phrase: str, *, names: Iterable[str] = ()) -> bool:
    """Return whether a phrase is on the common list, is a simple pattern, or is one of `names`.

    Ignores case, spaces, digits around a word, digits that replace letters, and Russian letters
    typed on the keys of a Latin word. Only letters, digits and ASCII punctuation are compared.
    """
    phrase = _IGNORED.sub("", phrase.casefold())
    if not phrase:
        return False
    known = _read_list() | {_alphanumeric(name) for name in names}
    return any(_is_guessable(form, known) for form in _normalized_forms(phrase)) or (
        phrase.isdecimal() and len(phrase) <= _DIGITS_ONLY_MAX
    )


def _normalized_forms(phrase: str) -> Iterator[str]:
    """Yield each normalized form of the phrase that may be on the list."""
    for spelled in (phrase, phrase.translate(_TO_LATIN_KEYS), phrase.translate(_DIGITS_TO_LETTERS)):
        yield spelled
        yield _alphanumeric(spelled)
        yield _AFFIXES.sub("", spelled)


def _is_guessable(form: str, known: frozenset[str]) -> bool:
    if not form:
        return False
    unit = _repeated_unit(form)
    if unit != form:
        return len(unit) <= _SHORT_UNIT_MAX or _is_guessable(_AFFIXES.sub("", unit) or unit, known)
    return form in known or _is_keyboard_walk(form)


def _repeated_unit(text: str) -> str:
    """Return the unit that the text is a repetition of, or the text itself."""
    length = (text + text).find(text, 1)
    return text[:length]


def _is_keyboard_walk(text: str) -> bool:
    """Return whether the text consists of a few runs along the keyboard or the alphabet."""
    runs = 1 + sum(not _is_adjacent(*pair) for pair in pairwise(text))
    return len(text) >= _RUN_LENGTH_MIN * runs


def _is_adjacent(first: str, second: str) -> bool:
    if abs(ord(first) - ord(second)) <= 1:
        return True
    start, end = _KEY_POSITIONS.get(first), _KEY_POSITIONS.get(second)
    return bool(start and end and abs(start[0] - end[0]) <= 1 and abs(start[1] - end[1]) <= 1)


def _alphanumeric(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


@cache
def _read_list() -> frozenset[str]:
    lines = _LIST_PATH.read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if line and not line.startswith("#")]
    return frozenset((*words, *map(_alphanumeric, words))) - {""}

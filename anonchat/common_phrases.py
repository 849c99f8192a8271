"""Tells which secret phrases are the first that anybody would guess."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

_LIST = Path(__file__).with_name("common_phrases.txt")
_LEAST_RUN = 4
_SHORT_UNIT = 4
_DIGITS_ALONE = 8
_LATIN_KEYS = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`"
_RUSSIAN_KEYS = "йцукенгшщзхъфывапролджэячсмитьбюё"
_TO_LATIN_KEYS = str.maketrans(_RUSSIAN_KEYS, _LATIN_KEYS)
_TO_LETTERS = str.maketrans("0134578@$!", "oleastbasi")
_KEYBOARD = (  # rows, and by how much of a key each is shifted
    ("1234567890-=", 0.0),
    ("qwertyuiop[]", 0.5),
    ("asdfghjkl;'", 0.75),
    ("zxcvbnm,./", 1.25),
)
_PLACES = {
    key: (row, column + shift)
    for row, (keys, shift) in enumerate(_KEYBOARD)
    for column, key in enumerate(keys)
}
_SIDES = re.compile(r"^[\d\W_]+|[\d\W_]+$")
_TYPED = re.compile(r"[^\w!-/:-@\[-`{-~]")


def is_common(phrase: str, *, names: Iterable[str] = ()) -> bool:
    """Tell whether a phrase is on the list of common ones, a simple pattern, or made of `names`.

    Neither case, spaces, digits around a word, letters written as digits, nor Russian letters that
    stand on the keys of a Latin word make a difference. Only letters, digits and ASCII punctuation
    are looked at.
    """
    phrase = _TYPED.sub("", phrase.casefold())
    if not phrase:
        return False
    known = _read_list() | {_bare(name) for name in names}
    return any(_is_easy(form, known) for form in _forms(phrase)) or (
        phrase.isdecimal() and len(phrase) <= _DIGITS_ALONE
    )


def _forms(phrase: str) -> Iterator[str]:
    """Yield the phrase in each way in which it might be on the list."""
    for spelled in (phrase, phrase.translate(_TO_LATIN_KEYS), phrase.translate(_TO_LETTERS)):
        yield spelled
        yield _bare(spelled)
        yield _SIDES.sub("", spelled)


def _is_easy(form: str, known: frozenset[str]) -> bool:
    if not form:
        return False
    unit = _repeated_unit(form)
    if unit != form:
        return len(unit) <= _SHORT_UNIT or _is_easy(_SIDES.sub("", unit) or unit, known)
    return form in known or _is_walk(form)


def _repeated_unit(text: str) -> str:
    """Return what the text repeats at least twice from end to end, or the text itself."""
    length = (text + text).find(text, 1)
    return text[:length]


def _is_walk(text: str) -> bool:
    """Tell whether the text is a few runs along the keyboard or the alphabet."""
    runs = 1 + sum(not _is_step(*pair) for pair in pairwise(text))
    return len(text) >= _LEAST_RUN * runs


def _is_step(first: str, second: str) -> bool:
    if abs(ord(first) - ord(second)) <= 1:
        return True
    here, there = _PLACES.get(first), _PLACES.get(second)
    return bool(here and there and abs(here[0] - there[0]) <= 1 and abs(here[1] - there[1]) <= 1)


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


@cache
def _read_list() -> frozenset[str]:
    lines = _LIST.read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if line and not line.startswith("#")]
    return frozenset((*words, *map(_bare, words))) - {""}

"""Finds who is mentioned in a text; pure functions."""

from collections.abc import Iterable, Mapping

import regex

from .normalization import fold_case

MENTIONS_MAX = 20
_SIGNS_MAX = 100  # those after them mention nobody
# Not in the middle of a word, where it is part of an e-mail address.
_SIGN = regex.compile(r"(?<![A-Za-z0-9_])@")
_SIGNS = frozenset("@＠﹫")  # folded to the first one
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}_]")


def may_mention(text: str) -> bool:
    """Return whether a text has a sign that begins a mention."""
    return not _SIGNS.isdisjoint(text)


def find_mentions(text: str, members: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the authors whom a text mentions, in the order of their first mention, 20 at most.

    `members` are nicknames with their authors. A mention is `@` and a whole nickname, of which only
    case and width may differ; the longest one counts. A nickname that only looks like that of a
    member mentions nobody.

    >>> find_mentions("@ann lee, and @Ann!", [("Ann", "1"), ("Ann Lee", "2")])
    ('2', '1')
    """
    folded = fold_case(text)
    authors = {fold_case(nickname): author for nickname, author in members}
    lengths = sorted({len(nickname) for nickname in authors}, reverse=True)
    found: dict[str, None] = {}
    for number, sign in enumerate(_SIGN.finditer(folded)):
        if number == _SIGNS_MAX or len(found) == MENTIONS_MAX:
            break
        if author := _find_longest(folded, sign.end(), authors, lengths):
            found[author] = None
    return tuple(found)


def _find_longest(
    text: str, start: int, authors: Mapping[str, str], lengths: list[int]
) -> str | None:
    """Return the author with the longest nickname at this place that no word continues."""
    for length in lengths:
        end = start + length
        if (author := authors.get(text[start:end])) and not _WORD.match(text, end):
            return author
    return None

"""Words that a reader searches for in messages; pure functions."""

from collections.abc import Iterator

import regex

from .normalization import fold_case

QUERY_CHARACTERS = 200
EXCERPT_CHARACTERS = 160
_BEFORE_FIRST = 60  # characters of the excerpt in front of the first hit
_GRAPHEME = regex.compile(r"\X")
_SPACE = regex.compile(r"\s")

Piece = tuple[str, bool]
"""A part of a text, and whether it is one of the words searched for."""


def split_query(query: str) -> tuple[str, ...]:
    """Return the words of a query, without differences of case and width.

    >>> split_query("Night  TRAIN")
    ('night', 'train')
    """
    return tuple(dict.fromkeys(fold_case(query[:QUERY_CHARACTERS]).split()))


def has_words(text: str, words: tuple[str, ...]) -> bool:
    """Return whether a text contains each of the words of `split_query`; none is in no text."""
    folded = fold_case(text)
    return bool(words) and all(word in folded for word in words)


def make_excerpt(text: str, words: tuple[str, ...]) -> list[Piece]:
    """Return the part of a text around the first hit, as one line, with the hits apart.

    >>> make_excerpt("The night train\\nis late", ("train",))
    [('The night ', False), ('train', True), (' is late', False)]
    """
    hits = _find_hits(text, words)
    start = _find_start(text, hits[0][0]) if hits else 0
    end = _find_end(text, start)
    pieces = list(_cut(text, start, end, hits))
    if start:
        pieces.insert(0, ("…", False))
    if end < len(text):
        pieces.append(("…", False))
    return [(_SPACE.sub(" ", part), is_hit) for part, is_hit in pieces]


def _find_hits(text: str, words: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return the beginning and the end of all hits, which do not overlap.

    A folded character may have another length, so the folded text is made of graphemes.
    """
    folded, places = [], []  # the place in the text of each folded character
    ends: dict[int, int] = {}
    known: dict[str, str] = {}
    for found in _GRAPHEME.finditer(text):
        grapheme = found[0]
        part = known.get(grapheme)
        if part is None:
            part = known[grapheme] = fold_case(grapheme)
        folded.append(part)
        places += [found.start()] * len(part)
        ends[found.start()] = found.end()
    spans = sorted(_find_spans("".join(folded), words))
    return _merge([(places[first], ends[places[last]]) for first, last in spans])


def _find_spans(folded: str, words: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last index of each occurrence of each word."""
    for word in words:
        first = folded.find(word)
        while first >= 0:
            yield first, first + len(word) - 1
            first = folded.find(word, first + len(word))


def _merge(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _find_start(text: str, first_hit: int) -> int:
    """Return where the excerpt begins: with a word, if there is one in front of the hit."""
    if first_hit <= _BEFORE_FIRST:
        return 0
    space = _SPACE.search(text, first_hit - _BEFORE_FIRST, first_hit)
    return space.end() if space else first_hit


def _find_end(text: str, start: int) -> int:
    """Return where the excerpt ends, which is not inside a grapheme."""
    end = start + EXCERPT_CHARACTERS
    if end >= len(text):
        return len(text)
    ends = (int(each.end()) for each in _GRAPHEME.finditer(text, start))
    return next(each for each in ends if each >= end)


def _cut(text: str, start: int, end: int, hits: list[tuple[int, int]]) -> Iterator[Piece]:
    position = start
    for first, last in hits:
        if first < start or first >= end:
            continue
        if first > position:
            yield text[position:first], False
        yield text[first : min(last, end)], True
        position = min(last, end)
    if position < end:
        yield text[position:end], False

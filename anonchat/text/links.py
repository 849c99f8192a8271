"""Finds the addresses in texts that become links."""

from collections.abc import Iterator

import regex

# Non-ASCII brackets, quotes and sentence punctuation end a URL: many scripts put no space after
# them, Chinese none after its dash of two characters. ASCII punctuation and the apostrophe ’ can be
# part of a URL.
_DELIMITERS = r"""[
    \s \p{Bidi_Control} \u200B \uFEFF < > " ` { } | \\ ^ \u2026 \u275B-\u275E \u2E3A
    [[\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Quotation_Mark}\p{Terminal_Punctuation}]--\p{ASCII}--\u2019]
]"""
_LINK = regex.compile(
    rf"https?://(?:(?!——)[^{_DELIMITERS}])+", regex.V1 | regex.VERBOSE | regex.IGNORECASE
)
# Punctuation at the end of a URL belongs to the sentence, except connectors (_) and characters that
# URLs often end with.
_SENTENCE_PUNCTUATION = r"[.,;:!?'(\[\p{Cf}[\p{P}--\p{ASCII}--\p{Pc}]]"
_TRAILING = regex.compile(rf"(?<!{_SENTENCE_PUNCTUATION}){_SENTENCE_PUNCTUATION}++\Z", regex.V1)
_BRACKETS = {")": "(", "]": "["}
_APOSTROPHES = {"'": "'", "‘": "’", "‚": "’", "’": "’"}  # closing quotation mark by opening one
_EMPHASIS = "*_~"


def find_links(text: str) -> Iterator[tuple[int, str]]:
    """Yield the place and the URL of each link in a text; only http and https URLs are links."""
    if "://" not in text:
        return
    for match in _LINK.finditer(text):
        url = _trim(match[0], before=text[max(0, match.start() - 1) : match.start()])
        if not url.endswith("://"):
            yield match.start(), url


def is_link(text: str) -> bool:
    """Return whether a text is one link, from its first to its last character.

    >>> is_link("https://a.example/b"), is_link("javascript:alert(1)")
    (True, False)
    """
    return next(find_links(text), None) == (0, text)


def _trim(url: str, *, before: str) -> str:
    """Return a URL without the characters that belong to the sentence around it.

    It ends at a closing bracket that it did not open, and at the mark that closes a quotation or
    emphasis opened by `before`, the character in front of it.
    """
    if before in _APOSTROPHES:
        url = url.partition(_APOSTROPHES[before])[0]
    url = _TRAILING.sub("", url[: _find_unopened(url)])
    return url.rstrip(before) if before and before in _EMPHASIS else url


def _find_unopened(url: str) -> int | None:
    """Return the index of the first closing bracket without an opening one."""
    opened: list[str] = []
    for index, character in enumerate(url):
        if character in "([":
            opened.append(character)
        elif character in _BRACKETS and (not opened or opened.pop() != _BRACKETS[character]):
            return index
    return None

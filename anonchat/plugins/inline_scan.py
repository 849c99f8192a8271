"""One search for all inline marks: most messages have none, and are left alone after it."""

import time
from collections.abc import Iterable, Sequence

import regex
from markupsafe import Markup

from .registrations import InlineMark

SEARCH_SECONDS = 0.02
"""How long a pattern may search a message."""

# What means something else in a larger pattern: references to groups, flags, verbs.
_BOUND = regex.compile(r"\\[0-9gkL]|\(\*|\(\?(?![:=!>]|<[=!])")


class InlineScan:
    """Tells whether any of the marks may be in a text. `others` are those that it cannot search."""

    def __init__(self, marks: Sequence[InlineMark]) -> None:
        joined = [each for each in marks if not _BOUND.search(each.pattern.pattern)]
        self.others = [each for each in marks if each not in joined]
        pattern = "|".join(f"(?:{each.pattern.pattern})" for each in joined)
        self._pattern = regex.compile(pattern) if joined else None

    def may_find(self, texts: Iterable[str]) -> bool:
        """Return whether a mark may be in one of the plain texts, HTML excepted."""
        if self._pattern is None:
            return False
        end = time.perf_counter() + SEARCH_SECONDS  # for all texts together
        for text in texts:
            if isinstance(text, Markup):
                continue
            left = end - time.perf_counter()
            try:
                if left <= 0 or self._pattern.search(text, timeout=left):
                    return True
            except TimeoutError:
                return True
        return False

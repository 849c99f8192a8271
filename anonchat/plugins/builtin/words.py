"""A filter of words that are not wanted, which the operator lists; without a list it does nothing.

It finds whole words, whatever their case, and those whose letters only look the same (`ѕраm`).
"""

import re
from functools import lru_cache

from anonchat.plugins import Draft, Plugin, PluginSettings, Refused, fold_lookalikes


class Words(PluginSettings):
    """`ANONCHAT_WORDS_NOT_WANTED`: words, separated by commas."""

    not_wanted: str = ""


plugin = Plugin("words", settings=Words)

_WORD = re.compile(r"\w+(?:['’-]\w+)*")


@plugin.filter
def refuse(draft: Draft, settings: Words) -> None:
    """Refuse a message with one of the words."""
    if not settings.not_wanted:
        return
    not_wanted = _fold_all(settings.not_wanted)
    for word in _WORD.findall(draft.text):
        if fold_lookalikes(word) in not_wanted:
            raise Refused("The word “{word}” is not wanted here.", word=word)


@lru_cache(maxsize=1)
def _fold_all(words: str) -> frozenset[str]:
    return frozenset(fold_lookalikes(word.strip()) for word in words.split(",") if word.strip())

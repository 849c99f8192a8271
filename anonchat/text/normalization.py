"""Validation and normalization of nicknames, room names, topics and messages; pure functions."""

import re
import unicodedata
from collections.abc import Iterable

import regex
from slugify import slugify

from ..errors import (
    N_,
    ChatError,
    InvalidMessage,
    InvalidNickname,
    InvalidRoom,
    InvalidRules,
    InvalidTopic,
)

NICKNAME_GRAPHEMES = 24
ROOM_NAME_GRAPHEMES = 60
TOPIC_GRAPHEMES = 200
MESSAGE_CHARACTERS = 4_000
MESSAGE_LINES = 200
MAX_MARKS = 4
MAX_SCRIPT_MARKS = 8  # of the scripts in `_STACKING_SCRIPTS`

# Control, unassigned, private-use and surrogate characters are removed from every text; invisible
# characters (format characters, fillers, blank braille) are removed from names too.
_FORBIDDEN = regex.compile(r"[\p{Cc}\p{Cs}\p{Cn}\p{Co}--[\n\t]]", regex.V1)
_INVISIBLE = regex.compile(
    r"[\p{Cf}\p{Cc}\p{Cs}\p{Cn}\p{Co}\p{Default_Ignorable_Code_Point}\u2028\u2029"
    r"\u2800\u303F\uFFFC\U00013441-\U00013443\U00016FE4\U0001BC9D\U0001D159]"
)
# Emoji sequences contain invisible characters that change how they look.
_EMOJI = regex.compile(
    r"\p{Extended_Pictographic}\p{EMod}?\uFE0F?"
    r"(?:\u200D\p{Extended_Pictographic}\p{EMod}?\uFE0F?)*"
    r"|[0-9#*]\uFE0F?\u20E3"
)
# Marks stack on one base even with invisible characters between them, or with a spacing mark, which
# is placed beside the base (unless it has a combining class, as some viramas have).
_BETWEEN = r"[\p{Cf}&&\p{Default_Ignorable_Code_Point}]"
_SPACING = r"[\p{Mc}&&\p{ccc=0}]"
_STACKED = rf"[\p{{M}}--{_SPACING}]"
_STACKED_MARK = rf"(?:{_STACKED}[{_BETWEEN}{_SPACING}]*+)"
_STACK = regex.compile(
    rf"({_STACKED_MARK}{{{MAX_MARKS + 1},{MAX_SCRIPT_MARKS}}}+){_STACKED_MARK}*+", regex.V1
)
_MARK = regex.compile(rf"({_STACKED}){_BETWEEN}*+", regex.V1)
# Scripts whose words stack more than 4 marks, such as subjoined letters or points with accents, by
# the first word of their character names. TAI is Tai Tham.
_STACKING_SCRIPTS = ("HEBREW", "MARCHEN", "MYANMAR", "TAI", "TIBETAN")
_BASE = regex.compile(r"[^\p{M}\s]")
_GRAPHEME = regex.compile(r"\X")
_GRAPHEME_CHARACTERS = 10  # the longest emoji: a kiss with two skin tones

# Longer messages are rejected, and longer names cut, before normalization: a socket packet may be
# 16 times as long as a message. Up to 3 decomposed characters compose to one, some Greek excepted.
_RAW_MESSAGE_CHARACTERS = 3 * MESSAGE_CHARACTERS
_RAW_NAME_CHARACTERS = _GRAPHEME_CHARACTERS * (TOPIC_GRAPHEMES + ROOM_NAME_GRAPHEMES)


def normalize_nickname(text: str) -> str:
    """Return the normalized nickname; raise `InvalidNickname` if it is empty or too long."""
    if name := _normalize_bounded(text, NICKNAME_GRAPHEMES, InvalidNickname):
        return name
    raise InvalidNickname(N_("Please choose a nickname that others can see."))


def normalize_room_name(text: str) -> str:
    """Return the normalized room name; raise `InvalidRoom` if it is empty or too long."""
    if name := _normalize_bounded(text, ROOM_NAME_GRAPHEMES, InvalidRoom):
        return name
    raise InvalidRoom(N_("Please type a name for the room."))


def normalize_new_room_name(text: str) -> str:
    """Return the normalized name of a new room; raise `InvalidRoom` if it cannot be one."""
    name = normalize_room_name(text)
    if "://" in name:
        raise InvalidRoom(N_("That is an address. Please type a name for the room."))
    return name


def normalize_topic(text: str) -> str:
    """Return the normalized topic, which may be empty; raise `InvalidTopic` if it is too long."""
    return _normalize_bounded(text, TOPIC_GRAPHEMES, InvalidTopic)


def normalize_unwanted(words: Iterable[str]) -> tuple[str, ...]:
    """Return unwanted words, each once; raise `InvalidRules` if one is too long."""
    normal = (_normalize_bounded(word, ROOM_NAME_GRAPHEMES, InvalidRules) for word in words)
    return tuple(dict.fromkeys(filter(None, normal)))


def normalize_message(text: str) -> str:
    """Return the normalized message; raise `InvalidMessage` if it is empty or too long."""
    if not isinstance(text, str):
        raise InvalidMessage(N_("That is not a text."))
    text = text.strip()
    _check_length(text, limit=_RAW_MESSAGE_CHARACTERS)
    text = "\n".join(text.splitlines())
    text = _limit_marks(_FORBIDDEN.sub("", text)).strip()
    if not _INVISIBLE.sub("", text).strip():
        raise InvalidMessage(N_("There is nothing to send yet."))
    _check_length(text, limit=MESSAGE_CHARACTERS)
    if text.count("\n") >= MESSAGE_LINES:
        raise InvalidMessage(N_("That has too many lines; {most} at most."), most=MESSAGE_LINES)
    return text


def shorten_message(text: str) -> str:
    """Return a text as one line, normalized and cut to the length of a message."""
    line = " ".join(text[:_RAW_MESSAGE_CHARACTERS].splitlines())
    return _limit_marks(_FORBIDDEN.sub("", line))[:MESSAGE_CHARACTERS].strip()


def count_graphemes(text: str) -> int:
    """Count the graphemes: characters as a reader sees them.

    >>> count_graphemes("👩‍🚀é")
    2
    """
    return len(_GRAPHEME.findall(text))


def fold_case(name: str) -> str:
    """Return the name without differences of case and width, for comparisons."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def fold_query(words: str) -> str:
    """Return the search text that a folded name has to contain to match."""
    return fold_case(_normalize_name(words))


def remove_invisible(name: str) -> str:
    """Return a name without its invisible characters."""
    return str(_INVISIBLE.sub("", name))


def make_slug(name: str) -> str:
    """Return the name as an ASCII slug for URLs, or `room` if nothing is left.

    >>> make_slug("Night Train")
    'night-train'
    """
    return slugify(name, max_length=60, word_boundary=True) or "room"


def _normalize_name(text: str) -> str:
    if not isinstance(text, str):
        return ""
    text = re.sub(r"\s+", " ", text.strip()[:_RAW_NAME_CHARACTERS])
    parts, end = [], 0
    for emoji in _EMOJI.finditer(text):
        parts += [_INVISIBLE.sub("", text[end : emoji.start()]), emoji[0]]
        end = emoji.end()
    parts.append(_INVISIBLE.sub("", text[end:]))
    if not _BASE.search("".join(parts)):  # only marks: they would combine with preceding text
        return ""
    return re.sub(r"\s+", " ", _limit_marks("".join(parts))).strip()


def _normalize_bounded(text: str, most: int, error: type[ChatError]) -> str:
    """Return the normalized name, maybe empty; raise `error` if it has more than `most` graphemes.

    Single graphemes may have any length, so the number of characters is bounded, too.
    """
    name = _normalize_name(text)
    if len(name) > _GRAPHEME_CHARACTERS * most or count_graphemes(name) > most:
        raise error(N_("That is too long: {most} characters at most."), most=most)
    return name


def _check_length(text: str, *, limit: int) -> None:
    if len(text) > limit:
        raise InvalidMessage(
            N_("That is {length} characters long; {most} at most."),
            length=len(text),
            most=MESSAGE_CHARACTERS,
        )


def _limit_marks(text: str) -> str:
    """Compose (NFC), and limit the combining marks per base so that lines do not overlap.

    Marks are limited before decomposition too, because sorting them takes quadratic time.
    """
    decomposed = unicodedata.normalize("NFD", _STACK.sub(r"\1", text))
    return unicodedata.normalize("NFC", _STACK.sub(_limit_stack, decomposed))


def _limit_stack(stack: regex.Match[str]) -> str:
    """Return the marks of one base without those above the limit.

    Above `MAX_MARKS`, only different marks of a script whose words need them are kept.
    """
    kept: list[str] = []
    script = _script_of(stack.string[stack.start() - 1]) if stack.start() else ""
    is_stacking = script in _STACKING_SCRIPTS

    def limit(found: regex.Match[str]) -> str:
        mark = found[1]
        is_needed = is_stacking and mark not in kept and _script_of(mark) == script
        if len(kept) >= MAX_MARKS and not is_needed:
            return ""
        kept.append(mark)
        return str(found[0])

    return str(_MARK.sub(limit, stack[1]))


def _script_of(character: str) -> str:
    """Return the first word of a character name, which is its script, such as TIBETAN."""
    return unicodedata.name(character, "").partition(" ")[0]

"""What people write, made safe to keep and fair to compare. Pure functions, same in, same out."""

import re
import unicodedata

import regex
from slugify import slugify

from .errors import N_, InvalidMessage, InvalidNickname, InvalidRoom, InvalidTopic

NICKNAME_GRAPHEMES = 24
ROOM_NAME_GRAPHEMES = 60
TOPIC_GRAPHEMES = 200
MESSAGE_CHARACTERS = 4_000
MESSAGE_LINES = 200
MARKS_DEEP = 4
SCRIPT_MARKS_DEEP = 8

# Control, unassigned, private and surrogate characters have no business in any text; a name must
# also be free of everything that cannot be seen (format characters, fillers, blank braille).
_NEVER = regex.compile(r"[\p{Cc}\p{Cs}\p{Cn}\p{Co}--[\n\t]]", regex.V1)
_UNSEEN = regex.compile(
    r"[\p{Cf}\p{Cc}\p{Cs}\p{Cn}\p{Co}\p{Default_Ignorable_Code_Point}\u2028\u2029"
    r"\u2800\u303F\uFFFC\U00013441-\U00013443\U00016FE4\U0001BC9D\U0001D159]"
)
# An emoji sequence is the one place where an invisible character is part of what one sees.
_EMOJI = regex.compile(
    r"\p{Extended_Pictographic}\p{EMod}?\uFE0F?"
    r"(?:\u200D\p{Extended_Pictographic}\p{EMod}?\uFE0F?)*"
    r"|[0-9#*]\uFE0F?\u20E3"
)
# Marks pile up on one base also when something stands between them that nobody sees, or a spacing
# mark, which stands beside the base (unless it has a combining class, as some viramas have).
_BETWEEN = r"[\p{Cf}&&\p{Default_Ignorable_Code_Point}]"
_SPACING = r"[\p{Mc}&&\p{ccc=0}]"
_STACKED = rf"[\p{{M}}--{_SPACING}]"
_LAYER = rf"(?:{_STACKED}[{_BETWEEN}{_SPACING}]*+)"
_PILE = regex.compile(rf"({_LAYER}{{{MARKS_DEEP + 1},{SCRIPT_MARKS_DEEP}}}+){_LAYER}*+", regex.V1)
_MARK = regex.compile(rf"({_STACKED}){_BETWEEN}*+", regex.V1)
_BASE = regex.compile(r"[^\p{M}\s]")
_GRAPHEME = regex.compile(r"\X")
_GRAPHEME_CHARACTERS = 10  # a kiss of two people in two skins is the longest emoji

# Whatever is longer is not looked at: a line may carry sixteen times as much as a message. Up to
# three decomposed characters become one, but for some Greek ones.
_RAW_MESSAGE_CHARACTERS = 3 * MESSAGE_CHARACTERS
_RAW_NAME_CHARACTERS = _GRAPHEME_CHARACTERS * (TOPIC_GRAPHEMES + ROOM_NAME_GRAPHEMES)


def tidy_nickname(text: str) -> str:
    """Return the nickname as it will be shown; raise `InvalidNickname` if nothing good is left."""
    name = _tidy_name(text)
    if not name:
        raise InvalidNickname(N_("Please choose a nickname that others can see."))
    if _is_longer(name, NICKNAME_GRAPHEMES):
        raise InvalidNickname(
            N_("That is too long: {most} characters at most."), most=NICKNAME_GRAPHEMES
        )
    return name


def tidy_room_name(text: str) -> str:
    """Return the name of a room as it will be shown; raise `InvalidRoom` if nothing is left."""
    name = _tidy_name(text)
    if not name:
        raise InvalidRoom(N_("Please type a name for the room."))
    if _is_longer(name, ROOM_NAME_GRAPHEMES):
        raise InvalidRoom(
            N_("That is too long: {most} characters at most."), most=ROOM_NAME_GRAPHEMES
        )
    return name


def tidy_topic(text: str) -> str:
    """Return the topic of a room, which may be empty; raise `InvalidTopic` if it is too long."""
    topic = _tidy_name(text)
    if _is_longer(topic, TOPIC_GRAPHEMES):
        raise InvalidTopic(N_("That is too long: {most} characters at most."), most=TOPIC_GRAPHEMES)
    return topic


def tidy_message(text: str) -> str:
    """Return a message as it will be kept; raise `InvalidMessage` if it is empty or too large."""
    if not isinstance(text, str):
        raise InvalidMessage(N_("That is not a text."))
    text = text.strip()
    _check_length(text, most=_RAW_MESSAGE_CHARACTERS)
    text = "\n".join(text.splitlines())
    text = _limit_marks(_NEVER.sub("", text)).strip()
    if not _UNSEEN.sub("", text).strip():
        raise InvalidMessage(N_("There is nothing to send yet."))
    _check_length(text, most=MESSAGE_CHARACTERS)
    if text.count("\n") >= MESSAGE_LINES:
        raise InvalidMessage(N_("That has too many lines; {most} at most."), most=MESSAGE_LINES)
    return text


def count_graphemes(text: str) -> int:
    """Count the characters as a reader sees them.

    >>> count_graphemes("👩‍🚀é")
    2
    """
    return len(_GRAPHEME.findall(text))


def fold(name: str) -> str:
    """Return what two spellings of one name have in common: neither case nor width counts."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def fold_words(words: str) -> str:
    """Return what a folded name contains if a search for these words finds it."""
    return fold(_tidy_name(words))


def remove_unseen(name: str) -> str:
    """Return what is seen of a name."""
    return str(_UNSEEN.sub("", name))


def make_slug(name: str) -> str:
    """Return the name in letters that an address can carry, or `room` if there are none.

    >>> make_slug("Night Train")
    'night-train'
    """
    return slugify(name, max_length=60, word_boundary=True) or "room"


def _tidy_name(text: str) -> str:
    if not isinstance(text, str):
        return ""
    text = re.sub(r"\s+", " ", text.strip()[:_RAW_NAME_CHARACTERS])
    pieces, end = [], 0
    for emoji in _EMOJI.finditer(text):
        pieces += [_UNSEEN.sub("", text[end : emoji.start()]), emoji[0]]
        end = emoji.end()
    pieces.append(_UNSEEN.sub("", text[end:]))
    if not _BASE.search("".join(pieces)):  # marks alone stand on what comes before them
        return ""
    return re.sub(r"\s+", " ", _limit_marks("".join(pieces))).strip()


def _is_longer(name: str, graphemes: int) -> bool:
    """Tell whether a name is too long; a single grapheme may have any length of its own."""
    return len(name) > _GRAPHEME_CHARACTERS * graphemes or count_graphemes(name) > graphemes


def _check_length(text: str, *, most: int) -> None:
    if len(text) > most:
        raise InvalidMessage(
            N_("That is {length} characters long; {most} at most."),
            length=len(text),
            most=MESSAGE_CHARACTERS,
        )


def _limit_marks(text: str) -> str:
    """Compose, and keep at most so many combining marks on one base that lines stay apart.

    Piles are cut down before as well, for sorting the marks of one takes the square of its height.
    """
    decomposed = unicodedata.normalize("NFD", _PILE.sub(r"\1", text))
    return unicodedata.normalize("NFC", _PILE.sub(_cut_pile, decomposed))


def _cut_pile(pile: regex.Match[str]) -> str:
    """Return the marks of one base without those that pile too high.

    Beyond `MARKS_DEEP`, orthography stacks only different marks of its own script, such as the
    subjoined letters of Tibetan or the points and accents of Hebrew.
    """
    kept: list[str] = []
    script = _name_script(pile.string[pile.start() - 1]) if pile.start() else ""

    def cut(found: regex.Match[str]) -> str:
        mark = found[1]
        if len(kept) >= MARKS_DEEP and (mark in kept or _name_script(mark) != script):
            return ""
        kept.append(mark)
        return str(found[0])

    return str(_MARK.sub(cut, pile[1]))


def _name_script(character: str) -> str:
    """Return what the name of a character begins with: that of its script, such as TIBETAN."""
    return unicodedata.name(character, "").partition(" ")[0]

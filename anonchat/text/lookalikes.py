"""Detection of names that look alike (Unicode UTS 39), and checks of new names.

Pure functions of normalized names. Adding a character to a table here may change skeletons: see
`SKELETON_VERSION`.
"""

import unicodedata

import regex

from ..errors import N_, InvalidNickname, InvalidRoom
from ..ids import UNAMBIGUOUS_CHARACTERS
from .bidi import to_visual_order
from .confusables import PROTOTYPES
from .normalization import fold_case, remove_invisible

SKELETON_VERSION = 1
"""Incremented with every change of skeletons: the start replaces stored hashes of older ones."""

# Unicode's table lacks these pairs, although it has "rn" for "m".
_PROTOTYPES = str.maketrans({**PROTOTYPES, "w": "vv", "W": "VV"})
# "I" folds to "i" and looks like "l", so without case all three are the same.
_PROTOTYPES_WITHOUT_CASE = {**_PROTOTYPES, ord("i"): "l"}
_MAX_ROUNDS = 8  # every pair of the table needs 3 at most; the rest is a safety margin
# A dot above a dotted letter is invisible, and so is a repeated mark.
_HIDDEN_MARKS = regex.compile(r"(?<=[\p{Soft_Dotted}lı])\u0307+|(?<=(\p{Mn}))\1+")

# "Highly restrictive" of UTS 39: each script in common use, and the combinations for Chinese,
# Japanese and Korean. Rare scripts may be mixed with each other only.
_SCRIPTS = (
    "Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hebr Khmr Knda Laoo Latn Mlym Mymr Orya "
    "Sinh Taml Telu Thaa Thai Tibt"
).split()
_COMBINED_SCRIPTS = [["Latn", "Hani", *others] for others in (["Hira", "Kana"], ["Bopo"], ["Hang"])]
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_DIGIT = regex.compile(r"\p{Nd}")

# Check marks, and signs that look like one in some fonts.
_CHECK_MARK = regex.compile(
    "[\u2705\u2713\u2714\u2611\U0001f5f8\U0001f5f9\u237b\U00010102\U0001fbb1\u2447"
    "\u221a-\u221c\u0606\u0607\u23b7\u2a57\U0001cedd-\U0001cedf"
    "\u02c5\u02ef\u2228\u22c1\u22ce\u2304\u2335\u27cf\u2a52\u2a54\u2a5b\u2a5d"
    "\U0001d93f-\U0001d941\U0001d977]"
)
# A letter or sign that resembles a check mark, followed by a possible badge code.
_BADGE = regex.compile(
    rf"(?:(?:^|[^\p{{L}}\p{{M}}\p{{N}}])v|[\p{{S}}--\p{{ASCII}}])[\p{{M}}\s]*"
    rf"(?=[{UNAMBIGUOUS_CHARACTERS}]*[a-z])(?=[{UNAMBIGUOUS_CHARACTERS}]*[0-9])[{UNAMBIGUOUS_CHARACTERS}]{{5}}$",
    regex.V1,
)


def _compile_single_alphabet() -> regex.Pattern[str]:
    alphabets = [[script] for script in _SCRIPTS] + _COMBINED_SCRIPTS
    everyday = sorted({script for scripts in alphabets for script in scripts})
    classes = [f"[{_script_class(['Zyyy', 'Zinh', *scripts])}]+" for scripts in alphabets]
    return regex.compile("|".join([*classes, f"[^{_script_class(everyday)}]+"]))


def _script_class(scripts: list[str]) -> str:
    return "".join(rf"\p{{scx={script}}}" for script in scripts)


_SINGLE_ALPHABET = _compile_single_alphabet()


def skeletons(name: str) -> tuple[str, str]:
    """Return the two skeletons of a name: two names look alike if either is equal.

    The first keeps case and the logical order; the second ignores case and has the visual order.
    The orders differ only for names with right-to-left letters.
    """
    visible = remove_invisible(name)
    return _replace_all(visible, _PROTOTYPES), _make_caseless_skeleton(visible)


def fold_lookalikes(word: str) -> str:
    """Return what is equal for words that look alike, whatever their case: `ѕраm` and `Spam`."""
    return skeletons(word)[1]


def check_new_nickname(nickname: str) -> None:
    """Raise `InvalidNickname` if a nickname mixes look-alikes or resembles a badge."""
    if reason := _find_mixed_alphabets(nickname):
        raise InvalidNickname(reason)
    if _CHECK_MARK.search(nickname) or _BADGE.search(fold_case(_replace_single(nickname))):
        raise InvalidNickname(
            N_("That looks like a badge. Only a secret phrase gives one; leave the check mark out.")
        )


def check_new_room_name(name: str) -> None:
    """Raise `InvalidRoom` if the name of a listed room mixes look-alikes."""
    if reason := _find_mixed_alphabets(name):
        raise InvalidRoom(reason)


def _find_mixed_alphabets(name: str) -> str:
    """Return the error if a name mixes alphabets or digits that look alike, else `""`."""
    if not all(_SINGLE_ALPHABET.fullmatch(word) for word in _WORD.findall(name)):
        return N_("That mixes alphabets that look alike. Use one alphabet in each word.")
    digits = _DIGIT.findall(unicodedata.normalize("NFKC", name))
    if len({ord(digit) - unicodedata.decimal(digit, 0) for digit in digits}) > 1:
        return N_("That mixes digits that look alike. Use digits of one kind.")
    return ""


def _replace_single(text: str) -> str:
    """Replace each character by its prototype if that is a single character, as in badges."""
    found = ((character, PROTOTYPES.get(character, "")) for character in text)
    return "".join(new if len(new) == 1 else old for old, new in found)


def _make_caseless_skeleton(text: str) -> str:
    """Return the case-insensitive skeleton, in visual order.

    A prototype may have a different case than its characters, so it is folded again.
    """
    skeleton = to_visual_order(fold_case(text))
    for _ in range(_MAX_ROUNDS):
        before = skeleton
        skeleton = _replace_all(fold_case(skeleton), _PROTOTYPES_WITHOUT_CASE)
        if skeleton == before:
            break
    return skeleton


def _replace_all(text: str, prototypes: dict[int, str]) -> str:
    """Replace characters by prototypes, composed and decomposed, until nothing changes."""
    for _ in range(_MAX_ROUNDS):
        before = text
        for form in ("NFC", "NFD"):
            text = unicodedata.normalize(form, text).translate(prototypes)
        text = _HIDDEN_MARKS.sub("", unicodedata.normalize("NFD", text))
        if text == before:
            break
    return text

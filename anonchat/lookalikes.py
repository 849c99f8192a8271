"""Names that look alike (Unicode UTS 39): what they share, and what no new name may contain.

Pure functions, for names that were tidied. Adding a character to a table here may change skeletons:
see `SKELETON_VERSION`.
"""

import unicodedata

import regex

from .bidi import order_visually
from .confusables import PROTOTYPES
from .errors import N_, InvalidNickname, InvalidRoom
from .ids import LEGIBLE
from .text import fold, remove_unseen

SKELETON_VERSION = 1
"""Raised with every change of a skeleton: stored hashes of older ones are replaced at the start."""

# Pairs that the table of Unicode lacks, although it has "rn" for "m".
_PROTOTYPES = str.maketrans({**PROTOTYPES, "w": "vv", "W": "VV"})
# "I" is "i" without case, and looks like "l" as written: without case all three are the same.
_PROTOTYPES_WITHOUT_CASE = {**_PROTOTYPES, ord("i"): "l"}
_ROUNDS_MOST = 8  # three are enough for every pair of the table; the bound is for what is no pair
# A dot above a letter that has one already is hidden by it, as is a mark by the same mark.
_HIDDEN_MARKS = regex.compile(r"(?<=[\p{Soft_Dotted}lı])\u0307+|(?<=(\p{Mn}))\1+")

# Each script in everyday use, and the combinations that Chinese, Japanese and Korean are written
# with: "highly restrictive" of UTS 39. Rare scripts may be mixed with each other only.
_SCRIPTS = (
    "Arab Armn Beng Cyrl Deva Ethi Geor Grek Gujr Guru Hebr Khmr Knda Laoo Latn Mlym Mymr Orya "
    "Sinh Taml Telu Thaa Thai Tibt"
).split()
_COMBINED_SCRIPTS = [["Latn", "Hani", *others] for others in (["Hira", "Kana"], ["Bopo"], ["Hang"])]
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+")
_DIGIT = regex.compile(r"\p{Nd}")

# Check marks, and the signs that are drawn like one in some font.
_CHECK_MARK = regex.compile(
    "[\u2705\u2713\u2714\u2611\U0001f5f8\U0001f5f9\u237b\U00010102\U0001fbb1\u2447"
    "\u221a-\u221c\u0606\u0607\u23b7\u2a57\U0001cedd-\U0001cedf"
    "\u02c5\u02ef\u2228\u22c1\u22ce\u2304\u2335\u27cf\u2a52\u2a54\u2a5b\u2a5d"
    "\U0001d93f-\U0001d941\U0001d977]"
)
# A letter or sign that passes for a check mark, and what could be the code of a badge after it.
_BADGE = regex.compile(
    rf"(?:(?:^|[^\p{{L}}\p{{M}}\p{{N}}])v|[\p{{S}}--\p{{ASCII}}])[\p{{M}}\s]*"
    rf"(?=[{LEGIBLE}]*[a-z])(?=[{LEGIBLE}]*[0-9])[{LEGIBLE}]{{5}}$",
    regex.V1,
)


def _compile_one_alphabet() -> regex.Pattern[str]:
    alphabets = [[script] for script in _SCRIPTS] + _COMBINED_SCRIPTS
    everyday = sorted({script for scripts in alphabets for script in scripts})
    classes = [f"[{_list(['Zyyy', 'Zinh', *scripts])}]+" for scripts in alphabets]
    return regex.compile("|".join([*classes, f"[^{_list(everyday)}]+"]))


def _list(scripts: list[str]) -> str:
    return "".join(rf"\p{{scx={script}}}" for script in scripts)


_ONE_ALPHABET = _compile_one_alphabet()


def skeletons(name: str) -> tuple[str, str]:
    """Return the two skeletons of a name: names that share either look alike.

    The first one compares the letters as they are written, in their logical order; the second one
    compares them without case, in the order in which they are seen. For names without letters
    written from right to left the two orders are the same.
    """
    bare = remove_unseen(name)
    return _replace_all(bare, _PROTOTYPES), _make_caseless_skeleton(bare)


def check_new_nickname(nickname: str) -> None:
    """Raise `InvalidNickname` if a nickname passes for another, or for one with a badge."""
    if reason := _find_mixture(nickname):
        raise InvalidNickname(reason)
    if _CHECK_MARK.search(nickname) or _BADGE.search(fold(_replace_letters(nickname))):
        raise InvalidNickname(
            N_("That looks like a badge. Only a secret phrase gives one; leave the check mark out.")
        )


def check_listed_name(name: str) -> None:
    """Raise `InvalidRoom` if the name of a listed room passes for another."""
    if reason := _find_mixture(name):
        raise InvalidRoom(reason)


def _find_mixture(name: str) -> str:
    """Return why a name mixes what looks alike, or nothing."""
    if not all(_ONE_ALPHABET.fullmatch(word) for word in _WORD.findall(name)):
        return N_("That mixes alphabets that look alike. Use one alphabet in each word.")
    digits = _DIGIT.findall(unicodedata.normalize("NFKC", name))
    if len({ord(digit) - unicodedata.decimal(digit, 0) for digit in digits}) > 1:
        return N_("That mixes digits that look alike. Use digits of one kind.")
    return ""


def _replace_letters(text: str) -> str:
    """Replace each character by its prototype if that is a single one, as letters of badges are."""
    found = ((character, PROTOTYPES.get(character, "")) for character in text)
    return "".join(new if len(new) == 1 else old for old, new in found)


def _make_caseless_skeleton(text: str) -> str:
    """Return the skeleton without case.

    A prototype may have another case than the letters it stands for, so it is folded again.
    """
    skeleton = order_visually(fold(text))
    for _ in range(_ROUNDS_MOST):
        before = skeleton
        skeleton = _replace_all(fold(skeleton), _PROTOTYPES_WITHOUT_CASE)
        if skeleton == before:
            break
    return skeleton


def _replace_all(text: str, prototypes: dict[int, str]) -> str:
    """Replace characters by their prototypes until none has one, composed or decomposed."""
    for _ in range(_ROUNDS_MOST):
        before = text
        for form in ("NFC", "NFD"):
            text = unicodedata.normalize(form, text).translate(prototypes)
        text = _HIDDEN_MARKS.sub("", unicodedata.normalize("NFD", text))
        if text == before:
            break
    return text

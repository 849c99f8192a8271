"""The visual order of bidirectional text."""

import pytest

from anonchat.text.bidi import to_visual_order

ALEF, BET, GIMEL = "\u05d0\u05d1\u05d2"
HEH, THREE, FOUR = "\u0647\u0663\u0664"  # Arabic


@pytest.mark.parametrize(
    ("line", "visual"),
    [
        ("abc 12", "abc 12"),
        (ALEF + BET, BET + ALEF),
        (f"abc {ALEF}{BET}", f"abc {BET}{ALEF}"),
        (f"{ALEF}{BET} abc", f"abc {BET}{ALEF}"),
        (f"{ALEF} 12", f"12 {ALEF}"),
        (f"{ALEF} 1-2", f"1-2 {ALEF}"),  # a single separator is part of the number
        (f"{ALEF} 1--2", f"2--1 {ALEF}"),
        (
            f"{HEH} 1-2",
            f"2-1 {HEH}",
        ),  # after an Arabic letter the separator is not part of the number
        (f"{HEH} {THREE},{FOUR}", f"{THREE},{FOUR} {HEH}"),
        (f"{ALEF} 5%", f"5% {ALEF}"),
        (f"a{ALEF}1", f"a1{ALEF}"),
        (f"a 1{ALEF}", f"a 1{ALEF}"),
        (f"{ALEF}({BET})", f"({BET}){ALEF}"),
        (f"a ({BET}) c", f"a ({BET}) c"),
        (f"{ALEF} (c) {BET}", f"{BET} (c) {ALEF}"),
        (f"a {BET}(c) d", f"a {BET}(c) d"),
        (f"{ALEF} (c", f"c) {ALEF}"),
        (f"{ALEF}<{BET}", f"{BET}>{ALEF}"),
        (f"{ALEF}\u05b7{BET}", f"{BET}{ALEF}\u05b7"),  # a combining mark stays after its letter
        (f"\u05b7{ALEF}", f"{ALEF}\u05b7"),
        (f"{ALEF} c, {GIMEL}!", f"!{GIMEL} ,c {ALEF}"),
        ("12", "12"),
        (f"{THREE}", f"{THREE}"),
        ("", ""),
    ],
)
def test_line_is_converted_to_visual_order(line: str, visual: str) -> None:
    assert to_visual_order(line) == visual


def test_line_with_too_many_open_brackets_keeps_all_characters() -> None:
    line = ALEF + "(" * 200 + "a" + ")" * 200
    assert sorted(to_visual_order(line)) == sorted(line)

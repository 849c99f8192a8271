"""The order in which letters are seen."""

import pytest

from anonchat.bidi import order_visually

ALEF, BET, GIMEL = "\u05d0\u05d1\u05d2"
HEH, THREE, FOUR = "\u0647\u0663\u0664"  # of Arabic


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("abc 12", "abc 12"),
        (ALEF + BET, BET + ALEF),
        (f"abc {ALEF}{BET}", f"abc {BET}{ALEF}"),
        (f"{ALEF}{BET} abc", f"abc {BET}{ALEF}"),
        (f"{ALEF} 12", f"12 {ALEF}"),
        (f"{ALEF} 1-2", f"1-2 {ALEF}"),  # a single separator stands in the number
        (f"{ALEF} 1--2", f"2--1 {ALEF}"),
        (f"{HEH} 1-2", f"2-1 {HEH}"),  # numbers behind Arabic letters are other ones
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
        (f"{ALEF}\u05b7{BET}", f"{BET}{ALEF}\u05b7"),  # a mark stays behind its letter
        (f"\u05b7{ALEF}", f"{ALEF}\u05b7"),
        (f"{ALEF} c, {GIMEL}!", f"!{GIMEL} ,c {ALEF}"),
        ("12", "12"),
        (f"{THREE}", f"{THREE}"),
        ("", ""),
    ],
)
def test_a_line_is_ordered_as_it_is_seen(line: str, seen: str) -> None:
    assert order_visually(line) == seen


def test_too_many_open_brackets_are_no_pairs_and_take_no_time() -> None:
    line = ALEF + "(" * 200 + "a" + ")" * 200
    assert sorted(order_visually(line)) == sorted(line)

"""Lookalike names share a skeleton, and new names that mix scripts are rejected."""

import hashlib
import unicodedata
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat import ChatError, InvalidNickname, InvalidRoom
from anonchat.text.confusables import OLDER_VERSIONS, PROTOTYPES, UNICODE_VERSION
from anonchat.text.lookalikes import (
    SKELETON_VERSION,
    check_new_nickname,
    check_new_room_name,
    skeletons,
)
from anonchat.text.normalization import fold_case, normalize_nickname

MIXED_WORDS = [
    "A\u04cfice",  # Latin and Cyrillic
    "\u0410nna",
    "P\u03b1ul",  # Latin and Greek
    "\u0412\u03b1\u0441\u044f",  # Cyrillic and Greek
    "\u13a0nna",  # Cherokee (a rare script) and Latin
    "Be\u057c",  # Latin and Armenian
    "Ann\u0663",  # Latin letters and an Arabic digit
    "Anna \u0410nna",
    "a\u0483nna",  # a Cyrillic mark on a Latin letter
]
MIXED_DIGITS = ["1\u0968", "\u0661 \u06f1", "Anna 7 \u0667"]
REAL_NAMES = [
    "Anna", "O'Neil", "Zo\u00eb", "Müller-Lüdenscheidt", "Łukasz", "Nguyễn Văn An", "İpek",
    "Саша 2", "Жан-Поль", "DJ Вася", "Катя_VIP", "Їжак", "Νίκος", "Անի", "ნინო", "שלום", "محمد علي",
    "अनिता", "สมชาย", "김철수", "김A", "田中さん", "ユーザーX", "日本語A", "王小明", "ᏣᎳᎩ",
    "Ann ❤ maria", "Tom v Jerry", "R2-d2xyz", "Ann v2", "🎉 2024", "Ева 22222", "𝒜nn", "１２３",
]  # fmt: skip
BADGES = [
    "Ann \u2713 5m8t7", "Ann \u2714", "\u2705 Ann", "Ann \u2714\ufe0f 5m8t7", "Ann \u2611 5m8t7",
    "Ann \U0001f5f8 5m8t7", "Ann \U0001f5f9", "Ann \u221a 5m8t7", "Ann\u221a5m8t7", "\u2a57 5m8t7",
    "Ann \u2228 5m8t7", "Ann v 5m8t7", "Ann V 5M8T7", "Ann \u03bd 5m8t7", "Ann \u0475 5m8t7",
    "Ann \u2164 5m8t7", "Ann \u2605 5m8t7", "Ann ｖ ５ｍ８ｔ７", "\u2713", "Ann v\u0301 5m8t7",
]  # fmt: skip


def test_table_is_that_of_unicode_18_plus_entries_dropped_since_17() -> None:
    assert (UNICODE_VERSION, OLDER_VERSIONS) == ("18.0.0", ["17.0.0"])
    assert len(PROTOTYPES) == 6_712 + 22
    assert PROTOTYPES["\u04cf"] == "l"
    assert PROTOTYPES["m"] == "rn"
    assert PROTOTYPES["\u0430"] == "a"


def test_skeleton_version_changes_with_the_table() -> None:
    table = "".join(sorted(map("".join, PROTOTYPES.items())))
    known = {1: "d2fe1b7a966234f5"}
    digest = hashlib.sha256(table.encode()).hexdigest()[:16]
    assert known[SKELETON_VERSION] == digest, "increase SKELETON_VERSION, and add the digest here"


def test_every_character_of_the_table_collides_with_its_prototype() -> None:
    pairs = _normalized_pairs(("{}", "a{}", "{}b", "\u0416{}\u0416"))
    assert len(pairs) > 20_000, "the table is too small for a meaningful test"
    assert [pair for pair in pairs if skeletons(pair[0])[0] != skeletons(pair[1])[0]] == []


def test_characters_with_the_same_prototype_collide_with_each_other() -> None:
    shapes = defaultdict(set)
    for character, prototype in PROTOTYPES.items():
        if normalized := _normalize(character):
            shapes[prototype].add(skeletons(normalized)[0])
    assert {prototype for prototype, each in shapes.items() if len(each) > 1} == set()


@given(text=st.text() | st.text(alphabet=sorted(PROTOTYPES)[::7] + list("aI1l0 \u0301\u05d0")))
def test_name_collides_with_its_folded_and_decomposed_forms(text: str) -> None:
    name = _normalize(text)
    if name:
        assert _look_alike(name, fold_case(name))
        assert _look_alike(name, unicodedata.normalize("NFD", name))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice", "A\u04cfice"),  # Cyrillic palochka
        ("Anna", "\u0410nna"),  # Cyrillic
        ("Anna", "ANNA"),
        ("Anna", "\uff21\uff4e\uff4e\uff41"),  # full width
        ("burn", "bum"),
        ("walter", "vvalter"),
        ("Walter", "VValter"),
        ("O", "0"),
        ("Bob", "B0b"),
        ("Ivan", "lvan"),
        ("l", "1"),
        ("I", "1"),
        ("l", "|"),
        ("alice", "AIice"),
        ("aIice", "ALICE"),
        ("IVAN", "ivan"),
        ("O'Neil", "0\u2019Neil"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u0410\u041d\u041d\u0410", "\u0430\u043d\u043d\u0430"),  # Cyrillic capitals
        ("\u0421\u0410\u0425\u0410", "CAXA"),  # Cyrillic only, Latin only
        ("caf\u00e9", "cafe\u0301"),
        ("Ann", "A\u200bnn"),
        ("Ann", "A\u034fnn"),
        ("a b", "a\u00a0b"),
    ],
)
def test_lookalike_names_share_a_skeleton(one: str, other: str) -> None:
    assert _look_alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ivan", "i\u0307van"),
        ("ivan", "\u0130van"),
        ("jan", "j\u0307an"),
        ("\u00e9", "\u00e9\u0301"),
    ],
)
def test_invisible_mark_does_not_distinguish_names(one: str, other: str) -> None:
    assert _look_alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ol", "\u0627\u0647"),  # alef and heh, displayed right to left
        ("abc \u05d0\u05d1", "\u05d0\u05d1 abc"),
        ("Bob lll", "Bob \u0627\u0627\u0627"),
        ("\u05d0\u05d1 (abc)", "(abc) \u05d0\u05d1"),
        ("\ufe93\u0628", "\u0629\u0628"),  # a presentation form
    ],
)
def test_names_with_the_same_visual_order_look_alike(one: str, other: str) -> None:
    assert _look_alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann", "Anna"), ("Bob", "Rob"), ("Аня", "Оля"), ("1", "2"), ("🎉", "🎈"), ("Zara", "Yara"),
        ("Nina", "Vina"), ("Катя", "Настя"), ("Миша", "Маша"), ("Ваня", "Даня"), ("Уля", "Юля"),
        ("Daniel", "Daniela"), ("דוד", "דור"), ("محمد", "أحمد"), ("田", "由"),
    ],
)  # fmt: skip
def test_names_that_look_different_share_no_skeleton(one: str, other: str) -> None:
    assert not _look_alike(one, other)


@pytest.mark.parametrize("name", MIXED_WORDS)
def test_word_of_several_alphabets_is_rejected(name: str) -> None:
    with pytest.raises(InvalidNickname, match="alphabets"):
        check_new_nickname(name)
    with pytest.raises(InvalidRoom, match="alphabets"):
        check_new_room_name(name)


@pytest.mark.parametrize("name", MIXED_DIGITS)
def test_digits_of_several_kinds_are_rejected(name: str) -> None:
    with pytest.raises(InvalidNickname, match="digits"):
        check_new_nickname(name)
    with pytest.raises(InvalidRoom, match="digits"):
        check_new_room_name(name)


@pytest.mark.parametrize("name", REAL_NAMES)
def test_real_name_is_accepted(name: str) -> None:
    check_new_nickname(normalize_nickname(name))
    check_new_room_name(name)


@pytest.mark.parametrize("name", BADGES)
def test_nickname_that_imitates_a_badge_is_rejected(name: str) -> None:
    with pytest.raises(InvalidNickname, match="badge"):
        check_new_nickname(normalize_nickname(name))


def test_nickname_with_any_check_mark_is_rejected() -> None:
    for point in range(0x110000):
        name = unicodedata.name(chr(point), "")
        if "CHECK MARK" in name or "WITH CHECK" in name or "BOLD CHECK" in name:
            with pytest.raises(InvalidNickname, match="badge"):
                check_new_nickname(f"Ann {chr(point)}")


def _normalized_pairs(patterns: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the pairs of the table in these patterns, without characters not allowed in names."""
    pairs = []
    for pattern in patterns:
        for character, prototype in PROTOTYPES.items():
            one, other = (
                _normalize(pattern.format(character)),
                _normalize(pattern.format(prototype)),
            )
            if one and other and _normalize(f"a{character}") != "a":
                pairs.append((one, other))
    return pairs


def _normalize(text: str) -> str | None:
    try:
        return normalize_nickname(text)
    except ChatError:
        return None


def _look_alike(one: str, other: str) -> bool:
    return any(a == b for a, b in zip(skeletons(one), skeletons(other), strict=True))

"""What people write is made safe to keep and fair to compare."""

import time
import unicodedata
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from anonchat import ChatError, InvalidMessage, InvalidNickname, InvalidRoom
from anonchat.lookalikes import skeletons
from anonchat.text import (
    MARKS_DEEP,
    MESSAGE_CHARACTERS,
    MESSAGE_LINES,
    NICKNAME_GRAPHEMES,
    ROOM_NAME_GRAPHEMES,
    SCRIPT_MARKS_DEEP,
    TOPIC_GRAPHEMES,
    count_graphemes,
    fold,
    make_slug,
    tidy_message,
    tidy_nickname,
    tidy_room_name,
    tidy_topic,
)
from tests.nasty import GOOD_EMOJI, NASTY, STACKED_MARKS

Tidy = Callable[[str], str]

tidies = pytest.mark.parametrize("tidy", [tidy_nickname, tidy_room_name, tidy_topic, tidy_message])
name_tidies = pytest.mark.parametrize("tidy", [tidy_nickname, tidy_room_name, tidy_topic])
nasty_texts = pytest.mark.parametrize("text", NASTY.values(), ids=NASTY.keys())
emoji_texts = pytest.mark.parametrize("text", GOOD_EMOJI.values(), ids=GOOD_EMOJI.keys())

# Ordinary text of any kind, and text made of what is special somewhere below.
anything = st.text() | st.text(
    alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Co", "Mn", "Me", "Zs", "Zl", "Zp", "So"])
    | st.sampled_from(
        "aI1l0 \n\t\r*#\u0301\u0323\u200c\u200d\ufe0f\u20e3"
        "\u1100\u1161\U0001f469\U0001f1ef\U0001f3fd"
    )
)


@tidies
@given(text=anything)
def test_tidying_twice_is_tidying_once(tidy: Tidy, text: str) -> None:
    tidied = _tidied(tidy, text)
    assert tidied is None or tidied == _tidied(tidy, tidied)


@tidies
@given(text=anything)
def test_any_text_is_tidied_or_refused_with_a_reason(tidy: Tidy, text: str) -> None:
    _tidied(tidy, text)


@tidies
@given(text=anything)
def test_marks_are_piled_to_a_limit(tidy: Tidy, text: str) -> None:
    tidied = _tidied(tidy, text) or ""
    assert _deepest_marks(tidied) <= SCRIPT_MARKS_DEEP
    accents = regex.sub(r"(?V1)[\p{M}--[\p{sc=Inherited}\p{sc=Common}]]", "", tidied)
    assert _deepest_marks(accents) <= MARKS_DEEP or accents != tidied


@tidies
@pytest.mark.parametrize("word", STACKED_MARKS)
def test_every_mark_of_ordinary_orthography_is_kept(tidy: Tidy, word: str) -> None:
    composed = unicodedata.normalize("NFC", word)
    if tidy is not tidy_message:  # no name keeps what nobody sees
        composed = composed.replace("\u034f", "")
    assert tidy(word) == unicodedata.normalize("NFC", composed)
    assert tidy(unicodedata.normalize("NFD", word)) == unicodedata.normalize("NFC", composed)


@tidies
@pytest.mark.parametrize("mark", ["\u0e49", "\u0e47", "\u0f90", "\u094d", "\u1b44", "\u05b8"])
def test_one_mark_of_any_script_piles_four_deep_at_most(tidy: Tidy, mark: str) -> None:
    tidied = tidy("\u0e01" + mark * 50 + "b")
    assert tidied == "\u0e01" + mark * MARKS_DEEP + "b"


@tidies
def test_different_marks_of_scripts_pile_to_a_limit(tidy: Tidy) -> None:
    points = "".join(map(chr, range(0x591, 0x5AF)))
    assert _deepest_marks(tidy(f"\u05d0{points}b")) == SCRIPT_MARKS_DEEP


@tidies
def test_spacing_marks_between_do_not_make_marks_shallow(tidy: Tidy) -> None:
    assert tidy("\u0915" + "\u0301\u093e" * 20).count("\u0301") == MARKS_DEEP


@tidies
def test_spacing_marks_do_not_pile(tidy: Tidy) -> None:
    yes = "\u0939" + "\u093e" * 20
    assert tidy(yes) == yes


@tidies
@pytest.mark.parametrize("joiner", ["\u200c", "\u200d", "\u200b", "\u2060", "\U000e0041"])
def test_what_joins_without_being_seen_does_not_make_marks_shallow(tidy: Tidy, joiner: str) -> None:
    tidied = tidy("a" + ("\u0301" * 4 + joiner) * 50 + "b")
    assert _deepest_marks(tidied) == MARKS_DEEP
    assert (tidied[0], tidied[-1]) == ("\xe1", "b")


@pytest.mark.parametrize(
    "marks", ["\u0e34\u0e35\u0e36\u0e37\u0e38\u0e39", "\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5"]
)
def test_marks_of_another_script_are_piled_four_deep_at_most(marks: str) -> None:
    assert tidy_message(f"a{marks}") == unicodedata.normalize("NFC", f"a{marks[:MARKS_DEEP]}")


@tidies
@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0323" * 16_000,
        "a" + "\u0323\u0301\u200d" * 11_000,
        "a\u0344" * 3_900 + "\u0344\u0323" * 100,
        "\u0301\u0323" * 1_000,
    ],
)
def test_no_pile_of_marks_is_given_to_be_sorted(
    tidy: Tidy, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sorted_piles = [0]

    def normalize(form: str, given: str) -> str:
        sorted_piles.append(_deepest_marks(given))
        return unicodedata.normalize(form, given)

    patched = SimpleNamespace(normalize=normalize, name=unicodedata.name)
    monkeypatch.setattr("anonchat.text.unicodedata", patched)
    begin = time.perf_counter()
    _tidied(tidy, text)
    assert time.perf_counter() - begin < 0.5
    assert max(sorted_piles) <= 3 * SCRIPT_MARKS_DEEP, "sorting takes the square of its length"


def test_a_message_is_measured_before_anything_is_done_with_it() -> None:
    with pytest.raises(InvalidMessage, match=r"12002 .* 4000"):
        tidy_message("a" + " " * 12_000 + "a")


@pytest.mark.parametrize("around", [" ", "\n", "\r\n", "\t\n", "\u3000", "\u2029"])
def test_a_message_is_measured_without_what_surrounds_it(around: str) -> None:
    assert tidy_message(around * 30_000 + "a" * 3_990 + around * 30_000) == "a" * 3_990
    with pytest.raises(InvalidMessage, match=r"4001 .* 4000"):
        tidy_message(around * 30_000 + "a" * 4_001 + around * 30_000)


def test_a_decomposed_message_is_measured_as_it_is_kept() -> None:
    assert tidy_message("e\u0323\u0302" * MESSAGE_CHARACTERS) == "\u1ec7" * MESSAGE_CHARACTERS


@name_tidies
def test_a_name_is_found_among_any_space(tidy: Tidy) -> None:
    assert tidy(" \n" * 5_000 + "name" + " \n" * 5_000) == "name"


@tidies
@given(text=anything)
def test_no_control_character_is_kept(tidy: Tidy, text: str) -> None:
    kept = set(_tidied(tidy, text) or "") - {"\n", "\t"}
    assert not {character for character in kept if unicodedata.category(character) in ("Cc", "Cs")}


@tidies
@given(text=anything)
def test_a_tidied_text_is_composed_and_can_be_written_down(tidy: Tidy, text: str) -> None:
    tidied = _tidied(tidy, text) or ""
    assert unicodedata.is_normalized("NFC", tidied)
    tidied.encode()


@given(text=anything)
def test_a_nickname_has_between_1_and_24_graphemes_on_one_line(text: str) -> None:
    nickname = _tidied(tidy_nickname, text)
    if nickname is not None:
        assert 1 <= count_graphemes(nickname) <= NICKNAME_GRAPHEMES
        assert len(nickname) <= 10 * NICKNAME_GRAPHEMES
        assert len(nickname.splitlines()) == 1


@given(text=anything)
def test_skeletons_slugs_and_foldings_can_be_made_of_any_name(text: str) -> None:
    name = _tidied(tidy_room_name, text)
    if name is not None:
        skeletons(name)
        assert regex.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", make_slug(name))
        assert fold(fold(name)) == fold(name)


@tidies
@nasty_texts
def test_a_nasty_text_is_tidied_or_refused_with_a_reason(tidy: Tidy, text: str) -> None:
    tidied = _tidied(tidy, text)
    if tidied:
        assert _tidied(tidy, tidied) == tidied
        tidied.encode()


@name_tidies
@nasty_texts
def test_nothing_invisible_is_left_in_a_name(tidy: Tidy, text: str) -> None:
    unseen = r"\p{Cf}|\p{Cc}|\p{Co}|\p{Cn}|[\u115f\u2800\u3164\uffa0\u2028\u2029]"
    tidied = _tidied(tidy, text) or ""
    assert not regex.search(unseen, tidied.replace("\u200d", ""))
    assert "\u200d" not in tidied or text == NASTY["one endless grapheme"]


@tidies
@emoji_texts
def test_an_emoji_survives_whole(tidy: Tidy, text: str) -> None:
    assert tidy(text) == text
    assert count_graphemes(text) == 1


@tidies
@pytest.mark.parametrize("thing", [None, 7, 1.5, True, b"bytes", ["list"], {"a": "dict"}])
def test_what_is_no_text_is_refused_and_never_kept(tidy: Tidy, thing: object) -> None:
    assert not _tidied(tidy, thing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tidy", "most", "refusal"),
    [
        (tidy_nickname, NICKNAME_GRAPHEMES, InvalidNickname),
        (tidy_room_name, ROOM_NAME_GRAPHEMES, InvalidRoom),
        (tidy_topic, TOPIC_GRAPHEMES, InvalidRoom),
    ],
)
def test_a_name_is_measured_as_its_reader_sees_it(
    tidy: Tidy, most: int, refusal: type[ChatError]
) -> None:
    family = GOOD_EMOJI["family"]
    assert tidy(family * most) == family * most
    with pytest.raises(refusal, match=str(most)):
        tidy(family * (most + 1))


@name_tidies
@pytest.mark.parametrize("text", ["one endless grapheme", "endless jamo"])
def test_one_grapheme_without_end_is_too_long(tidy: Tidy, text: str) -> None:
    with pytest.raises(ChatError, match="too long"):
        tidy(NASTY[text])


@name_tidies
def test_runs_of_spaces_in_a_name_become_one(tidy: Tidy) -> None:
    assert tidy(" night \t\n\u00a0 train ") == "night train"


def test_a_name_of_invisible_characters_is_no_name() -> None:
    for text in ("zero width alone", "fillers", "spaces", "nothing"):
        with pytest.raises(InvalidNickname):
            tidy_nickname(NASTY[text])


def test_a_message_of_invisible_characters_is_nothing_to_send() -> None:
    for text in ("zero width alone", "fillers", "spaces", "nothing"):
        with pytest.raises(InvalidMessage, match="nothing to send"):
            tidy_message(NASTY[text])


def test_a_message_has_4000_characters_at_most() -> None:
    assert len(tidy_message("a" * MESSAGE_CHARACTERS)) == MESSAGE_CHARACTERS
    with pytest.raises(InvalidMessage, match=r"4001 .* 4000"):
        tidy_message("a" * (MESSAGE_CHARACTERS + 1))


def test_a_message_has_200_lines_at_most() -> None:
    assert tidy_message("\n".join(["a"] * MESSAGE_LINES)).count("\n") == MESSAGE_LINES - 1
    with pytest.raises(InvalidMessage, match="lines"):
        tidy_message("\n".join(["a"] * (MESSAGE_LINES + 1)))


@pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_every_kind_of_line_end_counts_as_a_line(end: str) -> None:
    assert tidy_message(f"a{end}b") == "a\nb"


def test_the_inner_spaces_and_tabs_of_a_message_are_kept() -> None:
    code = "def f():\n\treturn  1\n\n    # done"
    assert tidy_message(f"\n {code} \n") == code


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "\u202eevil", "a & b < c", "{{7*7}}", "'; DROP TABLE"]
)
def test_a_message_is_kept_as_it_was_written(text: str) -> None:
    assert tidy_message(text) == text


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Night Train", "night-train"),
        ("C++", "c"),
        ("Ночной поезд", "nochnoi-poezd"),
        ("🎉", "room"),
        ("a/b?c#d", "a-b-c-d"),
        ("../..", "room"),
    ],
)
def test_a_slug_is_made_of_what_an_address_can_carry(name: str, slug: str) -> None:
    assert make_slug(name) == slug


def test_the_slug_of_a_long_name_is_cut_between_words() -> None:
    slug = make_slug(" ".join(["station"] * 20))
    assert len(slug) <= 60
    assert set(slug.split("-")) == {"station"}


def test_room_names_in_another_case_or_width_are_the_same_name() -> None:
    spellings = ["Night Straße", "NIGHT STRASSE", "ｎｉｇｈｔ straße"]
    assert all(fold(one) == fold(other) for one, other in pairwise(spellings))


def _tidied(tidy: Tidy, text: str) -> str | None:
    try:
        return tidy(text)
    except ChatError:
        return None


def _deepest_marks(text: str) -> int:
    """Return how many marks the deepest pile has, whatever stands between or beside them."""
    beside = r"(?V1)[[\p{Cf}&&\p{Default_Ignorable_Code_Point}][\p{Mc}&&\p{ccc=0}]]"
    seen = regex.sub(beside, "", unicodedata.normalize("NFD", text))
    piles = regex.findall(r"\p{M}+", seen)
    return max(map(len, piles), default=0)


@pytest.mark.parametrize("name", ["\ufffc", "\u0301", "\u0489", "\u20e3", "\U0001d159", "\u303f"])
def test_a_name_that_nobody_can_see_is_none(name: str) -> None:
    with pytest.raises(InvalidNickname):
        tidy_nickname(name)


@pytest.mark.parametrize("filler", ["\ufffc", "\u303f", "\U0001d159", "\u2800"])
def test_a_filler_that_nobody_sees_makes_no_other_nickname(filler: str) -> None:
    assert tidy_nickname(f"Anna{filler}") == "Anna"

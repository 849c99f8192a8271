"""Normalization of messages and names, and their comparison."""

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
from anonchat.text.lookalikes import skeletons
from anonchat.text.normalization import (
    MAX_MARKS,
    MAX_SCRIPT_MARKS,
    MESSAGE_CHARACTERS,
    MESSAGE_LINES,
    NICKNAME_GRAPHEMES,
    ROOM_NAME_GRAPHEMES,
    TOPIC_GRAPHEMES,
    count_graphemes,
    fold_case,
    make_slug,
    normalize_message,
    normalize_nickname,
    normalize_room_name,
    normalize_topic,
)
from tests.hostile_texts import HOSTILE_TEXTS, STACKED_MARKS, VALID_EMOJI

Normalizer = Callable[[str], str]

all_normalizers = pytest.mark.parametrize(
    "normalizer", [normalize_nickname, normalize_room_name, normalize_topic, normalize_message]
)
name_normalizers = pytest.mark.parametrize(
    "normalizer", [normalize_nickname, normalize_room_name, normalize_topic]
)
hostile_texts = pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS.keys())
emoji_texts = pytest.mark.parametrize("text", VALID_EMOJI.values(), ids=VALID_EMOJI.keys())

# Ordinary text, and text of the characters that are handled specially.
anything = st.text() | st.text(
    alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Co", "Mn", "Me", "Zs", "Zl", "Zp", "So"])
    | st.sampled_from(
        "aI1l0 \n\t\r*#\u0301\u0323\u200c\u200d\ufe0f\u20e3"
        "\u1100\u1161\U0001f469\U0001f1ef\U0001f3fd"
    )
)


@all_normalizers
@given(text=anything)
def test_normalization_is_idempotent(normalizer: Normalizer, text: str) -> None:
    normalized = _normalize_or_none(normalizer, text)
    assert normalized is None or normalized == _normalize_or_none(normalizer, normalized)


@all_normalizers
@given(text=anything)
def test_any_text_is_normalized_or_refused_with_an_error(normalizer: Normalizer, text: str) -> None:
    _normalize_or_none(normalizer, text)


@all_normalizers
@given(text=anything)
def test_stacked_marks_are_limited(normalizer: Normalizer, text: str) -> None:
    normalized = _normalize_or_none(normalizer, text) or ""
    assert _max_mark_depth(normalized) <= MAX_SCRIPT_MARKS
    accents = regex.sub(r"(?V1)[\p{M}--[\p{sc=Inherited}\p{sc=Common}]]", "", normalized)
    assert _max_mark_depth(accents) <= MAX_MARKS or accents != normalized


@all_normalizers
@pytest.mark.parametrize("word", STACKED_MARKS)
def test_every_mark_of_ordinary_orthography_is_kept(normalizer: Normalizer, word: str) -> None:
    composed = unicodedata.normalize("NFC", word)
    if normalizer is not normalize_message:  # names lose invisible characters
        composed = composed.replace("\u034f", "")
    assert normalizer(word) == unicodedata.normalize("NFC", composed)
    assert normalizer(unicodedata.normalize("NFD", word)) == unicodedata.normalize("NFC", composed)


@all_normalizers
@pytest.mark.parametrize("mark", ["\u0e49", "\u0e47", "\u0f90", "\u094d", "\u1b44", "\u05b8"])
def test_one_repeated_mark_of_any_script_is_limited_to_4(normalizer: Normalizer, mark: str) -> None:
    normalized = normalizer("\u0e01" + mark * 50 + "b")
    assert normalized == "\u0e01" + mark * MAX_MARKS + "b"


@all_normalizers
def test_different_stacked_marks_of_a_script_are_limited(normalizer: Normalizer) -> None:
    points = "".join(map(chr, range(0x591, 0x5AF)))
    assert _max_mark_depth(normalizer(f"\u05d0{points}b")) == MAX_SCRIPT_MARKS


@pytest.mark.parametrize(
    ("base", "marks"),
    [
        ("\u0628", "\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652"),  # Arabic
        ("\u0e01", "\u0e31\u0e34\u0e35\u0e36\u0e47\u0e48\u0e49\u0e4d"),  # Thai
        ("\u0715", "\u0730\u0731\u0732\u0733\u0734\u0735"),  # Syriac
        ("\u0915", "\u0941\u0942\u0943\u0944\u0945\u0946\u0947"),  # Devanagari
    ],
)
def test_different_marks_of_scripts_that_stack_few_are_limited_to_4(base: str, marks: str) -> None:
    assert _max_mark_depth(normalize_message(base + marks)) == MAX_MARKS


@all_normalizers
def test_spacing_marks_in_between_do_not_reset_the_limit_on_marks(normalizer: Normalizer) -> None:
    assert normalizer("\u0915" + "\u0301\u093e" * 20).count("\u0301") == MAX_MARKS


@all_normalizers
def test_spacing_marks_are_not_limited(normalizer: Normalizer) -> None:
    text = "\u0939" + "\u093e" * 20
    assert normalizer(text) == text


@all_normalizers
@pytest.mark.parametrize("joiner", ["\u200c", "\u200d", "\u200b", "\u2060", "\U000e0041"])
def test_invisible_joiners_do_not_reset_the_limit_on_marks(
    normalizer: Normalizer, joiner: str
) -> None:
    normalized = normalizer("a" + ("\u0301" * 4 + joiner) * 50 + "b")
    assert _max_mark_depth(normalized) == MAX_MARKS
    assert (normalized[0], normalized[-1]) == ("\xe1", "b")


@pytest.mark.parametrize(
    "marks", ["\u0e34\u0e35\u0e36\u0e37\u0e38\u0e39", "\u05b0\u05b1\u05b2\u05b3\u05b4\u05b5"]
)
def test_stacked_marks_of_another_script_are_limited_to_4(marks: str) -> None:
    assert normalize_message(f"a{marks}") == unicodedata.normalize("NFC", f"a{marks[:MAX_MARKS]}")


@all_normalizers
@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0323" * 16_000,
        "a" + "\u0323\u0301\u200d" * 11_000,
        "a\u0344" * 3_900 + "\u0344\u0323" * 100,
        "\u0301\u0323" * 1_000,
    ],
)
def test_long_stacks_of_marks_are_cut_before_unicode_normalization(
    normalizer: Normalizer, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_depths = [0]

    def normalize(form: str, given: str) -> str:
        mark_depths.append(_max_mark_depth(given))
        return unicodedata.normalize(form, given)

    patched = SimpleNamespace(normalize=normalize, name=unicodedata.name)
    monkeypatch.setattr("anonchat.text.normalization.unicodedata", patched)
    begin = time.perf_counter()
    _normalize_or_none(normalizer, text)
    assert time.perf_counter() - begin < 0.5
    assert max(mark_depths) <= 3 * MAX_SCRIPT_MARKS, "sorting takes quadratic time"


def test_message_length_is_checked_before_any_other_work() -> None:
    with pytest.raises(InvalidMessage, match=r"12002 .* 4000"):
        normalize_message("a" + " " * 12_000 + "a")


@pytest.mark.parametrize("around", [" ", "\n", "\r\n", "\t\n", "\u3000", "\u2029"])
def test_message_length_excludes_surrounding_whitespace(around: str) -> None:
    assert normalize_message(around * 30_000 + "a" * 3_990 + around * 30_000) == "a" * 3_990
    with pytest.raises(InvalidMessage, match=r"4001 .* 4000"):
        normalize_message(around * 30_000 + "a" * 4_001 + around * 30_000)


def test_message_length_is_counted_after_composition() -> None:
    assert normalize_message("e\u0323\u0302" * MESSAGE_CHARACTERS) == "\u1ec7" * MESSAGE_CHARACTERS


@name_normalizers
def test_name_is_stripped_of_any_amount_of_whitespace(normalizer: Normalizer) -> None:
    assert normalizer(" \n" * 5_000 + "name" + " \n" * 5_000) == "name"


@all_normalizers
@given(text=anything)
def test_no_control_character_is_kept(normalizer: Normalizer, text: str) -> None:
    kept = set(_normalize_or_none(normalizer, text) or "") - {"\n", "\t"}
    assert not {character for character in kept if unicodedata.category(character) in ("Cc", "Cs")}


@all_normalizers
@given(text=anything)
def test_normalized_text_is_composed_and_encodable(normalizer: Normalizer, text: str) -> None:
    normalized = _normalize_or_none(normalizer, text) or ""
    assert unicodedata.is_normalized("NFC", normalized)
    normalized.encode()


@given(text=anything)
def test_a_nickname_has_between_1_and_24_graphemes_on_one_line(text: str) -> None:
    nickname = _normalize_or_none(normalize_nickname, text)
    if nickname is not None:
        assert 1 <= count_graphemes(nickname) <= NICKNAME_GRAPHEMES
        assert len(nickname) <= 10 * NICKNAME_GRAPHEMES
        assert len(nickname.splitlines()) == 1


@given(text=anything)
def test_skeletons_slugs_and_foldings_can_be_made_of_any_name(text: str) -> None:
    name = _normalize_or_none(normalize_room_name, text)
    if name is not None:
        skeletons(name)
        assert regex.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", make_slug(name))
        assert fold_case(fold_case(name)) == fold_case(name)


@all_normalizers
@hostile_texts
def test_hostile_text_is_normalized_or_refused_with_an_error(
    normalizer: Normalizer, text: str
) -> None:
    normalized = _normalize_or_none(normalizer, text)
    if normalized:
        assert _normalize_or_none(normalizer, normalized) == normalized
        normalized.encode()


@name_normalizers
@hostile_texts
def test_name_contains_no_invisible_characters(normalizer: Normalizer, text: str) -> None:
    unseen = r"\p{Cf}|\p{Cc}|\p{Co}|\p{Cn}|[\u115f\u2800\u3164\uffa0\u2028\u2029]"
    normalized = _normalize_or_none(normalizer, text) or ""
    assert not regex.search(unseen, normalized.replace("\u200d", ""))
    assert "\u200d" not in normalized or text == HOSTILE_TEXTS["one endless grapheme"]


@all_normalizers
@emoji_texts
def test_emoji_is_kept_as_one_grapheme(normalizer: Normalizer, text: str) -> None:
    assert normalizer(text) == text
    assert count_graphemes(text) == 1


@all_normalizers
@pytest.mark.parametrize("value", [None, 7, 1.5, True, b"bytes", ["list"], {"a": "dict"}])
def test_value_that_is_not_a_string_is_refused(normalizer: Normalizer, value: object) -> None:
    assert not _normalize_or_none(normalizer, value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("normalizer", "limit", "error"),
    [
        (normalize_nickname, NICKNAME_GRAPHEMES, InvalidNickname),
        (normalize_room_name, ROOM_NAME_GRAPHEMES, InvalidRoom),
        (normalize_topic, TOPIC_GRAPHEMES, InvalidRoom),
    ],
)
def test_name_length_is_counted_in_graphemes(
    normalizer: Normalizer, limit: int, error: type[ChatError]
) -> None:
    family = VALID_EMOJI["family"]
    assert normalizer(family * limit) == family * limit
    with pytest.raises(error, match=str(limit)):
        normalizer(family * (limit + 1))


@name_normalizers
@pytest.mark.parametrize("text", ["one endless grapheme", "endless jamo"])
def test_endless_grapheme_is_too_long(normalizer: Normalizer, text: str) -> None:
    with pytest.raises(ChatError, match="too long"):
        normalizer(HOSTILE_TEXTS[text])


@name_normalizers
def test_runs_of_spaces_in_a_name_become_one(normalizer: Normalizer) -> None:
    assert normalizer(" night \t\n\u00a0 train ") == "night train"


def test_name_of_invisible_characters_is_refused() -> None:
    for text in ("zero width alone", "fillers", "spaces", "nothing"):
        with pytest.raises(InvalidNickname):
            normalize_nickname(HOSTILE_TEXTS[text])


def test_message_of_invisible_characters_is_refused() -> None:
    for text in ("zero width alone", "fillers", "spaces", "nothing"):
        with pytest.raises(InvalidMessage, match="nothing to send"):
            normalize_message(HOSTILE_TEXTS[text])


def test_a_message_has_4000_characters_at_most() -> None:
    assert len(normalize_message("a" * MESSAGE_CHARACTERS)) == MESSAGE_CHARACTERS
    with pytest.raises(InvalidMessage, match=r"4001 .* 4000"):
        normalize_message("a" * (MESSAGE_CHARACTERS + 1))


def test_a_message_has_200_lines_at_most() -> None:
    assert normalize_message("\n".join(["a"] * MESSAGE_LINES)).count("\n") == MESSAGE_LINES - 1
    with pytest.raises(InvalidMessage, match="lines"):
        normalize_message("\n".join(["a"] * (MESSAGE_LINES + 1)))


@pytest.mark.parametrize("end", ["\r\n", "\r", "\u2028", "\u2029", "\x85", "\x0b", "\x0c"])
def test_every_kind_of_line_end_becomes_a_newline(end: str) -> None:
    assert normalize_message(f"a{end}b") == "a\nb"


def test_the_inner_spaces_and_tabs_of_a_message_are_kept() -> None:
    code = "def f():\n\treturn  1\n\n    # done"
    assert normalize_message(f"\n {code} \n") == code


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "\u202eevil", "a & b < c", "{{7*7}}", "'; DROP TABLE"]
)
def test_markup_in_a_message_is_kept_unchanged(text: str) -> None:
    assert normalize_message(text) == text


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
def test_slug_contains_only_url_path_characters(name: str, slug: str) -> None:
    assert make_slug(name) == slug


def test_the_slug_of_a_long_name_is_cut_between_words() -> None:
    slug = make_slug(" ".join(["station"] * 20))
    assert len(slug) <= 60
    assert set(slug.split("-")) == {"station"}


def test_room_names_in_another_case_or_width_are_the_same_name() -> None:
    spellings = ["Night Straße", "NIGHT STRASSE", "ｎｉｇｈｔ straße"]
    assert all(fold_case(one) == fold_case(other) for one, other in pairwise(spellings))


def _normalize_or_none(normalizer: Normalizer, text: str) -> str | None:
    try:
        return normalizer(text)
    except ChatError:
        return None


def _max_mark_depth(text: str) -> int:
    """Return the height of the highest stack of marks, ignoring spacing marks and joiners."""
    ignored = r"(?V1)[[\p{Cf}&&\p{Default_Ignorable_Code_Point}][\p{Mc}&&\p{ccc=0}]]"
    seen = regex.sub(ignored, "", unicodedata.normalize("NFD", text))
    stacks = regex.findall(r"\p{M}+", seen)
    return max(map(len, stacks), default=0)


@pytest.mark.parametrize("name", ["\ufffc", "\u0301", "\u0489", "\u20e3", "\U0001d159", "\u303f"])
def test_nickname_without_visible_characters_is_refused(name: str) -> None:
    with pytest.raises(InvalidNickname):
        normalize_nickname(name)


@pytest.mark.parametrize("filler", ["\ufffc", "\u303f", "\U0001d159", "\u2800"])
def test_invisible_filler_is_removed_from_a_nickname(filler: str) -> None:
    assert normalize_nickname(f"Anna{filler}") == "Anna"

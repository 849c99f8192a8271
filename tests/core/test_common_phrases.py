"""Detection of easily guessed secret phrases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonchat.security.common_phrases import is_common


@pytest.mark.parametrize(
    "phrase",
    [
        "password",
        "PASSWORD!",
        "p4ssw0rd",
        "pass word 1",
        "passwordpassword",
        "iloveyou",
        "Sunshine 2024",
        "anna1985",
        "пароль123",
        "Пароль-2024",
        "ялюблютебя",
        "привет привет",
        "ghbdtn123",
    ],
)
def test_phrase_made_of_a_common_word_is_common(phrase: str) -> None:
    assert is_common(phrase)


@pytest.mark.parametrize(
    "phrase",
    [
        "12345678",
        "87654321",
        "qwertyuiop",
        "qwerasdf",
        "1qaz2wsx",
        "zaq12wsx",
        "йцукенгш",
        "фывапролд",
        "йцукен123",
        "abcdefgh",
        "!@#$%^&*",
        "01011990",
    ],
)
def test_phrase_along_the_keyboard_or_alphabet_is_common(phrase: str) -> None:
    assert is_common(phrase)


@pytest.mark.parametrize(
    "phrase", ["aaaaaaaa", "--------", "abababab", "abcabcabc", "121212121", "annaanna", "ёёёёёёёё"]
)
def test_phrase_of_one_repeated_pattern_is_common(phrase: str) -> None:
    assert is_common(phrase)


@pytest.mark.parametrize("phrase", ["Night Owl", "nightowl", "nightowl99", "night-owl night-owl"])
def test_phrase_made_of_the_nickname_is_common(phrase: str) -> None:
    assert is_common(phrase, names=("Night Owl",))
    assert not is_common(phrase.replace("owl", "giraffe").replace("Owl", "Giraffe"))


@pytest.mark.parametrize(
    "phrase",
    [
        "correct horse battery",
        "incorrect horse",
        "секретная фраза",
        "чай в подстаканнике, две ложки",
        "tall giraffe 42",
        "🔑🚪🪟🔒🧱🏠🌙🎲",
        "xK9#mQ2v",
        "",
    ],
)
def test_uncommon_phrase_is_not_common(phrase: str) -> None:
    assert not is_common(phrase)


@given(st.text(max_size=400), st.text(max_size=24))
def test_any_phrase_is_checked_without_an_error(phrase: str, nickname: str) -> None:
    assert is_common(phrase, names=(nickname,)) in (True, False)

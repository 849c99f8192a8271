"""Choice of the language of a page; plurals, durations and error texts."""

from datetime import timedelta
from gettext import NullTranslations

import pytest
from starlette.requests import Request

from anonchat import InvalidRoom, Language, load_languages
from pages.elements.document_language import find_quasar_pack
from pages.elements.static_page import StaticPage
from pages.i18n.language import choose_language

LANGUAGES = load_languages()
ENGLISH, RUSSIAN = LANGUAGES["en"], LANGUAGES["ru"]


def _request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("accepted", "code"),
    [
        ("ru", "ru"),
        ("ru-RU,ru;q=0.9,en;q=0.8", "ru"),
        ("en-US,en;q=0.9,ru;q=0.8", "en"),
        ("de-DE, ru;q=0.5, en;q=0.4", "ru"),
        ("en;q=0.1, ru;q=0.2", "ru"),
        ("de, fr", "en"),
        ("", "en"),
        ("*", "en"),
        (";;;q=,=ru", "en"),
        ("ru;q=nonsense, en", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_language_follows_accept_language(accepted: str, code: str) -> None:
    request = _request(accept_language=accepted)
    assert choose_language(request, LANGUAGES, default="auto").code == code


@pytest.mark.parametrize(
    ("accepted", "code"),
    [("pt-BR, en", "pt-BR"), ("pt-br, en", "pt-BR"), ("pt, ru", "ru"), ("ru-RU, pt-BR", "ru")],
)
def test_region_of_accept_language_is_matched_first(accepted: str, code: str) -> None:
    languages = {**LANGUAGES, "pt-BR": Language("pt-BR", NullTranslations())}
    request = _request(accept_language=accepted)
    assert choose_language(request, languages, default="auto").code == code


def test_language_cookie_overrides_accept_language() -> None:
    request = _request(accept_language="en", cookie="language=ru")
    assert choose_language(request, LANGUAGES, default="auto") is RUSSIAN
    assert choose_language(request, LANGUAGES, default="en") is RUSSIAN


def test_unknown_language_cookie_is_ignored() -> None:
    request = _request(accept_language="ru", cookie="language=../../etc/passwd")
    assert choose_language(request, LANGUAGES, default="auto") is RUSSIAN


def test_default_language_overrides_accept_language() -> None:
    request = _request(accept_language="en")
    assert choose_language(request, LANGUAGES, default="ru") is RUSSIAN


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0 участников"),
        (1, "1 участник"),
        (2, "2 участника"),
        (5, "5 участников"),
        (11, "11 участников"),
        (21, "21 участник"),
        (22, "22 участника"),
        (112, "112 участников"),
    ],
)
def test_russian_plurals(number: int, expected: str) -> None:
    assert RUSSIAN.count("{n} member", "{n} members", number) == expected


def test_english_plurals() -> None:
    texts = [ENGLISH.count("{n} member", "{n} members", number) for number in (0, 1, 2)]
    assert texts == ["0 members", "1 member", "2 members"]


@pytest.mark.parametrize(
    ("duration", "english", "russian"),
    [
        (timedelta(seconds=0), "0 sec", "0 с"),
        (timedelta(seconds=10), "10 sec", "10 с"),
        (timedelta(minutes=10), "10 min", "10 мин"),
        (timedelta(hours=24), "24 hr", "24 ч"),
        (timedelta(days=7), "7 days", "7 дн."),
    ],
)
def test_duration_is_formatted_in_the_fitting_unit(
    duration: timedelta, english: str, russian: str
) -> None:
    assert ENGLISH.duration(duration).replace("\xa0", " ") == english
    assert RUSSIAN.duration(duration).replace("\xa0", " ") == russian


def test_error_message_contains_localized_durations() -> None:
    error = InvalidRoom("That has to be between {least} and {most}.", least="10s", most="30d")
    assert ENGLISH.explain(error) == "That has to be between 10 sec and 30 days."
    assert (
        RUSSIAN.explain(error).replace("\xa0", " ") == "Выбирайте между 10 с и 30 дн., пожалуйста."
    )


@pytest.mark.parametrize(
    ("code", "name", "direction"),
    [
        ("en", "English", "ltr"),
        ("ru", "Русский", "ltr"),
        ("pt-BR", "Português (Brasil)", "ltr"),
        ("he", "עברית", "rtl"),
        ("ckb", "کوردیی ناوەندی", "rtl"),
    ],
)
def test_language_has_its_own_name_and_direction(code: str, name: str, direction: str) -> None:
    language = Language(code, NullTranslations())
    assert (language.name, language.direction) == (name, direction)


@pytest.mark.parametrize(
    ("code", "pack"),
    [("en", "en-US"), ("ru", "ru"), ("de-AT", "de"), ("pt-BR", "pt-BR"), ("ko", "ko-KR"),
     ("sw", "en-US")],
)  # fmt: skip
def test_texts_of_quasar_are_in_the_nearest_language(code: str, pack: str) -> None:
    assert find_quasar_pack(code) == pack


@pytest.mark.asyncio(loop_scope="session")  # the loop of NiceGUI, if other tests have started it
async def test_static_page_declares_language_and_direction() -> None:
    with StaticPage("", language=Language("he", NullTranslations()), head="") as page:
        pass
    assert '<html lang="he" dir="rtl">' in page.text

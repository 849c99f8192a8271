"""Catalogues: which one translates a sentence, and which ones are refused."""

from pathlib import Path

import pytest

from anonchat import StartupError, load_languages

_HEADER = 'msgid ""\nmsgstr ""\n"Plural-Forms: {};\\n"\n\n'
_ROOMS = 'msgid "{n} room"\nmsgid_plural "{n} rooms"\n'


def _write(path: Path, content: str) -> Path:
    """Write a catalogue, and return its folder."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    return path.parent


def test_overrides_replace_single_sentences(tmp_path: Path) -> None:
    _write(tmp_path / "en.po", 'msgid "Send"\nmsgstr "Say it"\n')
    _write(tmp_path / "ru.po", 'msgid "Send"\nmsgstr "Сказать"\n')
    languages = load_languages(overrides=tmp_path)
    assert [languages[code]("Send") for code in languages] == ["Say it", "Сказать"]
    assert languages["en"]("New room") == "New room"
    assert languages["ru"]("New room") == "Новая комната"
    assert languages["ru"].count("{n} member", "{n} members", 2) == "2 участника"


def test_overrides_add_languages_whose_other_texts_are_english(tmp_path: Path) -> None:
    _write(tmp_path / "pt_BR.po", 'msgid "Send"\nmsgstr "Enviar"\n')
    languages = load_languages(overrides=tmp_path)
    assert list(languages) == ["en", "pt-BR", "ru"]
    assert languages["pt-BR"]("Send") == "Enviar"
    assert languages["pt-BR"]("New room") == "New room"
    assert languages["pt-BR"].count("{n} member", "{n} members", 2) == "2 members"


def test_plugins_translate_what_we_do_not_and_overrides_come_first(tmp_path: Path) -> None:
    words = (
        'msgid "Send"\nmsgstr "{0}"\n\nmsgid "Roll"\nmsgstr "{0}"\n\nmsgid "Dice"\nmsgstr "{0}"\n'
    )
    first = _write(tmp_path / "first" / "ru.po", words.replace("{0}", "первый"))
    second = _write(tmp_path / "second" / "ru.po", words.replace("{0}", "второй"))
    overrides = _write(tmp_path / "overrides" / "ru.po", 'msgid "Dice"\nmsgstr "Кости"\n')
    russian = load_languages([first, second], overrides)["ru"]
    assert russian("Send") == "Отправить"
    assert russian("Roll") == "первый"
    assert russian("Dice") == "Кости"


def test_plugins_add_no_languages(tmp_path: Path) -> None:
    plugin = _write(tmp_path / "plugin" / "de.po", 'msgid "Roll"\nmsgstr "Würfeln"\n')
    assert "de" not in load_languages([plugin])
    overrides = _write(tmp_path / "overrides" / "de.po", 'msgid "Send"\nmsgstr "Senden"\n')
    assert load_languages([plugin], overrides)["de"]("Roll") == "Würfeln"


@pytest.mark.parametrize(
    ("code", "rule", "forms", "expected"),
    [
        ("cs", "", "abc", ["1 a", "2 b", "5 c"]),
        ("cs", "nplurals=2; plural=(n > 1)", "ab", ["1 a", "2 b", "5 b"]),
        ("ja", "", "a", ["1 a", "2 a", "5 a"]),
    ],
)
def test_plural_forms_follow_the_header_or_the_language(
    tmp_path: Path, code: str, rule: str, forms: str, expected: list[str]
) -> None:
    header = _HEADER.format(rule) if rule else ""
    texts = "".join(f'msgstr[{n}] "{{n}} {form}"\n' for n, form in enumerate(forms))
    _write(tmp_path / f"{code}.po", header + _ROOMS + texts)
    language = load_languages(overrides=tmp_path)[code]
    assert [language.count("{n} room", "{n} rooms", n) for n in (1, 2, 5)] == expected


@pytest.mark.parametrize(
    "entry",
    [
        'msgid "Send"\nmsgstr ""\n',
        '#, fuzzy\nmsgid "Send"\nmsgstr "{wrong}"\n',
        '#~ msgid "Send"\n#~ msgstr "{wrong}"\n',
    ],
)
def test_unfinished_translations_are_passed_over(tmp_path: Path, entry: str) -> None:
    _write(tmp_path / "ru.po", entry)
    assert load_languages(overrides=tmp_path)["ru"]("Send") == "Отправить"


def test_empty_plural_forms_are_passed_over(tmp_path: Path) -> None:
    _write(tmp_path / "ru.po", f'{_ROOMS}msgstr[0] ""\nmsgstr[1] ""\nmsgstr[2] ""\n')
    assert load_languages(overrides=tmp_path)["ru"].count("{n} room", "{n} rooms", 2) == "2 комнаты"


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    content = '\ufeffmsgid "Send"\r\nmsgstr "Senden"\r\n'
    (tmp_path / "de.po").write_bytes(content.encode())
    assert load_languages(overrides=tmp_path)["de"]("Send") == "Senden"


def test_placeholders_may_be_left_out(tmp_path: Path) -> None:
    _write(tmp_path / "en.po", 'msgid "Please come again in {seconds} s."\nmsgstr "Later. {{}}"\n')
    english = load_languages(overrides=tmp_path)["en"]
    assert english("Please come again in {seconds} s.", seconds=1) == "Later. {}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("rubbish", "line 1: needs msgid or msgstr, and a text in quotes"),
        ('msgid "Send"\nmsgstr "Senden\n', "line 2: needs msgid or msgstr, and a text in quotes"),
        ('msgid "Send"\nmsgstr "a "b" c"\n', "line 2: needs msgid or msgstr, and a text in quotes"),
        ('\n\nmsgid "Send"\n', "line 3: missing msgstr for msgid 'Send'"),
        (
            '\nmsgid "In {seconds} s"\nmsgstr "In {sekunden} s"\n',
            "line 2: 'In {seconds} s' has no placeholder {sekunden}",
        ),
        ('msgid "In {n}"\nmsgstr "In {n.real}"\n', "line 1: 'In {n}' has no placeholder {n.real}"),
        ('msgid "In {n}"\nmsgstr "In {n:x}"\n', "line 1: 'In {n}' has no placeholder {n:x}"),
        ('msgid "In {n}"\nmsgstr "In {}"\n', "line 1: 'In {n}' has no placeholder {}"),
        ('msgid "In {n}"\nmsgstr "In {n"\n', "line 1: 'In {n}': write a brace in the text twice"),
        (
            f'{_ROOMS}msgstr[0] "{{n}} Raum"\nmsgstr[1] "{{m}} Räume"\n',
            "line 1: '{n} room' has no placeholder {m}",
        ),
        (f'{_ROOMS}msgstr[0] "{{n}} Raum"\n', "line 1: '{n} room' needs 2 plural forms"),
        (_HEADER.format("nplurals=2; plural=n%0"), "Plural-Forms: integer modulo by zero"),
        (_HEADER.format("nplurals=2; plural=exit"), "invalid token in plural form: exit"),
    ],
)
def test_broken_catalogue_fails_startup_with_one_line(
    tmp_path: Path, content: str, reason: str
) -> None:
    _write(tmp_path / "de.po", content)
    for folders, overrides in (([], tmp_path), ([tmp_path], None)):
        with pytest.raises(StartupError) as caught:
            load_languages(folders, overrides)
        assert str(caught.value) == f"{tmp_path / 'de.po'}: {reason}"


def test_catalogue_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "de.po").write_bytes('msgid "x"\nmsgstr "ü"\n'.encode("latin-1"))
    with pytest.raises(StartupError, match=r"de\.po: needs text in UTF-8$"):
        load_languages(overrides=tmp_path)


@pytest.mark.parametrize("name", ["german.po", "xx.po", "de de.po"])
def test_catalogue_needs_the_code_of_a_language_as_its_name(tmp_path: Path, name: str) -> None:
    _write(tmp_path / name, "")
    with pytest.raises(StartupError, match=rf"{name}: needs the code of a language"):
        load_languages(overrides=tmp_path)


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=f"^{tmp_path}/nowhere: No such file or directory$"):
        load_languages([tmp_path / "nowhere"])

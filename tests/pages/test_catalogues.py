"""Every catalogue contains all translatable texts of the code and no others."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from anonchat.i18n.catalogue_reader import find_placeholders
from anonchat.i18n.catalogues import OUR_CATALOGUES, find_catalogues
from tools.words import TEMPLATE, SourceText, complete, find_texts

CATALOGUES = list(find_catalogues(OUR_CATALOGUES).values())

SOURCE_TEXTS = list(find_texts())
_CATALOGUE = """\
# A comment.
msgid ""
msgstr "Language: de\\n"

msgid "Unused"
msgstr "Unbenutzt"

msgid "Send"
msgstr "Senden"
"""


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def _forms(entry: Message) -> list[str]:
    return list(entry.string) if isinstance(entry.string, (tuple, list)) else [entry.string or ""]


def test_translatable_texts_and_catalogues_are_found() -> None:
    assert len(SOURCE_TEXTS) > 80
    assert [path.stem for path in CATALOGUES] == ["ru"]


def test_translatable_text_is_a_literal() -> None:
    assert [source.location for source in SOURCE_TEXTS if not all(source.forms)] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_catalogue_translates_every_text(path: Path) -> None:
    catalogue = _read(path)
    missing = []
    for source in SOURCE_TEXTS:
        entry = catalogue.get(source.forms[0], source.context or None)
        forms = _forms(entry) if entry else []
        expected = catalogue.num_plurals if len(source.forms) == 2 else 1
        if len(forms) != expected or not all(form.strip() for form in forms):
            missing.append(f"{source.location}: {source.forms[0]}")
    assert missing == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_translation_has_the_placeholders_of_its_source(path: Path) -> None:
    wrong = []
    for entry in _entries(_read(path)):
        ids = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        expected = {*find_placeholders(ids[-1])}
        wrong += [form for form in _forms(entry) if {*find_placeholders(form)} != expected]
    assert wrong == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_translation_has_no_full_stop_after_a_duration(path: Path) -> None:
    forms = [form for entry in _entries(_read(path)) for form in _forms(entry)]
    assert [form for form in forms if re.search(r"\{(room_)?time\}\.", form)] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_translation_is_used_in_the_code(path: Path) -> None:
    used = {(source.forms, source.context) for source in SOURCE_TEXTS}
    unused = []
    for entry in _entries(_read(path)):
        ids = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        if (ids, entry.context or "") not in used:
            unused.append(ids[0])
    assert unused == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_catalogue_has_no_fuzzy_translation(path: Path) -> None:
    assert [entry.id for entry in _entries(_read(path)) if entry.fuzzy] == []


def test_template_has_the_texts_of_the_code() -> None:
    text = TEMPLATE.read_text()
    assert text == complete(text, SOURCE_TEXTS), "run make words"


def test_completed_catalogue_has_missing_texts_and_no_unused_ones() -> None:
    catalogue = complete(_CATALOGUE, [SourceText(("Send",)), SourceText(("{n} dog", "{n} dogs"))])
    assert catalogue == (
        '# A comment.\nmsgid ""\nmsgstr "Language: de\\n"\n\n'
        'msgid "Send"\nmsgstr "Senden"\n\n'
        'msgid "{n} dog"\nmsgid_plural "{n} dogs"\nmsgstr[0] ""\nmsgstr[1] ""\n'
    )


def _entries(catalogue: Catalog) -> list[Message]:
    return [entry for entry in catalogue if entry.id]

"""Every catalogue contains all translatable texts of the code and no others."""

import ast
import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

ROOT = Path(__file__).parents[2]
CATALOGUES = sorted((ROOT / "pages" / "i18n" / "locale").glob("*.po"))
_TRANSLATORS = ("_", "language", "_language", "N_")
_THEMES = ("Theme", "plugin.theme")  # their titles and headlines are translated


@dataclass(frozen=True)
class SourceText:
    """A translatable text in the code: one form, singular and plural, or a text with a context."""

    forms: tuple[str, ...]
    context: str = ""
    location: str = ""


def _find_texts() -> Iterator[SourceText]:
    for folder in ("pages", "anonchat"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            constants = _constants(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    location = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield from _texts_of_call(node, constants, location)


def _texts_of_call(
    call: ast.Call, constants: dict[str, str], location: str
) -> Iterator[SourceText]:
    texts = [_text(argument, constants) for argument in call.args]
    target = call.func
    if _is_translator(target) and texts:
        yield SourceText((texts[0] or "",), location=location)
    elif isinstance(target, ast.Attribute) and _is_translator(target.value):
        if target.attr == "count":
            yield SourceText((texts[0] or "", texts[1] or ""), location=location)
        elif target.attr == "words":
            yield SourceText((texts[1] or "",), context=texts[0] or "", location=location)
    if ast.unparse(target) in _THEMES:
        for keyword in call.keywords:
            if keyword.arg in ("title", "headline"):
                yield SourceText((_text(keyword.value, constants) or "",), location=location)


def _is_translator(node: ast.expr) -> bool:
    """Tell whether an expression translates texts."""
    if isinstance(node, ast.Name):
        return node.id in _TRANSLATORS
    if isinstance(node, ast.Attribute):
        return node.attr == "_language"
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "language"
    )


def _text(node: ast.expr, constants: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id) if isinstance(node, ast.Name) else None


def _constants(tree: ast.Module) -> dict[str, str]:
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


SOURCE_TEXTS = [
    source
    for source in _find_texts()
    # these modules translate texts that are marked elsewhere
    if not source.location.startswith(("pages/i18n/language.py", "pages/look.py"))
]


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def _forms(entry: Message) -> list[str]:
    return list(entry.string) if isinstance(entry.string, (tuple, list)) else [entry.string or ""]


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


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
        expected = _placeholders(ids[-1])
        wrong += [form for form in _forms(entry) if _placeholders(form) != expected]
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


def _entries(catalogue: Catalog) -> list[Message]:
    return [entry for entry in catalogue if entry.id]

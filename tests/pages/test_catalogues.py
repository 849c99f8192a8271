"""Every sentence that can reach a screen is in every catalogue, and nothing else is."""

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
CATALOGUES = sorted((ROOT / "pages" / "locale").glob("*.po"))
_SAYS = ("language", "_language", "N_")


@dataclass(frozen=True)
class Sentence:
    """A sentence in the code: one form, or one and many, or words in a context."""

    forms: tuple[str, ...]
    context: str = ""
    place: str = ""


def _sentences() -> Iterator[Sentence]:
    for folder in ("pages", "anonchat"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text())
            constants = _constants(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    place = f"{path.relative_to(ROOT)}:{node.lineno}"
                    yield from _of_call(node, constants, place)


def _of_call(call: ast.Call, constants: dict[str, str], place: str) -> Iterator[Sentence]:
    texts = [_text(argument, constants) for argument in call.args]
    target = call.func
    if _is_speaker(target) and texts:
        yield Sentence((texts[0] or "",), place=place)
    elif isinstance(target, ast.Attribute) and _is_speaker(target.value):
        if target.attr == "count":
            yield Sentence((texts[0] or "", texts[1] or ""), place=place)
        elif target.attr == "words":
            yield Sentence((texts[1] or "",), context=texts[0] or "", place=place)


def _is_speaker(node: ast.expr) -> bool:
    """Tell whether this is what translates; `site.language(request)` chooses and is not."""
    if isinstance(node, ast.Name):
        return node.id in _SAYS
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


SENTENCES = [
    sentence
    for sentence in _sentences()
    # the one place that passes on what was marked elsewhere
    if not sentence.place.startswith("pages/language.py")
]


def _read(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def _forms(entry: Message) -> list[str]:
    return list(entry.string) if isinstance(entry.string, (tuple, list)) else [entry.string or ""]


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_there_is_something_to_check() -> None:
    assert len(SENTENCES) > 80
    assert [path.stem for path in CATALOGUES] == ["ru"]


def test_every_sentence_is_written_out_where_it_is_said() -> None:
    assert [sentence.place for sentence in SENTENCES if not all(sentence.forms)] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_sentence_is_translated(path: Path) -> None:
    catalogue = _read(path)
    missing = []
    for sentence in SENTENCES:
        entry = catalogue.get(sentence.forms[0], sentence.context or None)
        forms = _forms(entry) if entry else []
        wanted = catalogue.num_plurals if len(sentence.forms) == 2 else 1
        if len(forms) != wanted or not all(form.strip() for form in forms):
            missing.append(f"{sentence.place}: {sentence.forms[0]}")
    assert missing == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_translation_has_the_placeholders_of_its_sentence(path: Path) -> None:
    wrong = []
    for entry in _entries(_read(path)):
        ids = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        wanted = _placeholders(ids[-1])
        wrong += [form for form in _forms(entry) if _placeholders(form) != wanted]
    assert wrong == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_no_full_stop_follows_a_duration_that_may_end_in_one(path: Path) -> None:
    forms = [form for entry in _entries(_read(path)) for form in _forms(entry)]
    assert [form for form in forms if re.search(r"\{(room_)?time\}\.", form)] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_every_translation_is_used(path: Path) -> None:
    used = {(sentence.forms, sentence.context) for sentence in SENTENCES}
    unused = []
    for entry in _entries(_read(path)):
        ids = entry.id if isinstance(entry.id, tuple) else (entry.id,)
        if (ids, entry.context or "") not in used:
            unused.append(ids[0])
    assert unused == []


@pytest.mark.parametrize("path", CATALOGUES, ids=lambda path: path.stem)
def test_no_translation_is_in_doubt(path: Path) -> None:
    assert [entry.id for entry in _entries(_read(path)) if entry.fuzzy] == []


def _entries(catalogue: Catalog) -> list[Message]:
    return [entry for entry in catalogue if entry.id]

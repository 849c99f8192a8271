"""Extracts the translatable texts of the code: `make words` writes them into the catalogues.

The template gets all texts; the catalogues get those that are missing, without a translation, and
lose those that are not used any more.
"""

import ast
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[1]
LOCALE = ROOT / "pages" / "i18n" / "locale"
TEMPLATE = LOCALE / "words.pot"

_FOLDERS = ("anonchat", "pages")
_TRANSLATORS = ("_", "language", "_language", "N_")
_OWN_MODULES = ("anonchat/i18n/languages.py",)  # translates texts that are marked elsewhere
_PLUGINS = "anonchat/plugins/builtin"
_SHOWN_BY_PLUGINS = ("Refused", "warn", "panel", "action")  # the first argument of each is a text


@dataclass(frozen=True)
class SourceText:
    """A translatable text in the code: one form, singular and plural, or a text with a context."""

    forms: tuple[str, ...]
    context: str = ""
    location: str = ""

    @property
    def id(self) -> str | tuple[str, ...]:
        """What Babel calls the message."""
        return self.forms if len(self.forms) > 1 else self.forms[0]


def main() -> None:
    """Write the template, and complete the catalogues."""
    texts = [text for text in find_texts() if all(text.forms)]
    TEMPLATE.write_text(complete(TEMPLATE.read_text(), texts))
    for path in sorted(LOCALE.glob("*.po")):
        completed = complete(path.read_text(), texts)
        path.write_text(completed)
        missing = sum(not each.string or not all(each.string) for each in _read(completed))
        sys.stdout.write(f"{path.relative_to(ROOT)}: {missing} of {len(texts)} to translate\n")


def complete(content: str, texts: Sequence[SourceText]) -> str:
    """Return the content of a catalogue with these texts and no others; the order is kept."""
    header = content.partition("\n\n")[0]
    catalogue = _read(content)
    used = {(text.id, text.context or None) for text in texts}
    for entry in [each for each in catalogue if each.id]:
        if (entry.id, entry.context) not in used:
            catalogue.delete(entry.id, entry.context)
    for text in texts:
        if catalogue.get(text.forms[0], text.context or None) is None:
            catalogue.add(text.id, context=text.context or None)
    return f"{header}\n\n{_write(catalogue)}"


def find_texts() -> Iterator[SourceText]:
    """Yield the texts that the code translates, or marks with `N_`, in the order of the files."""
    for folder in _FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = str(path.relative_to(ROOT))
            if name in _OWN_MODULES:
                continue
            tree = ast.parse(path.read_text())
            constants = _constants(tree)
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    yield from _texts_of_call(node, constants, f"{name}:{node.lineno}")
                if name.startswith(_PLUGINS):
                    yield from _texts_of_plugin(node, name)


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


def _texts_of_plugin(node: ast.AST, name: str) -> Iterator[SourceText]:
    """Yield what pages translate of a plugin: what it refuses with or shows, and the help."""
    if isinstance(node, ast.Call) and node.args and _last_name(node.func) in _SHOWN_BY_PLUGINS:
        text = _text(node.args[0], {}) or ""
        yield SourceText((text,), location=f"{name}:{node.lineno}")
    if isinstance(node, ast.Call) and _last_name(node.func) == "theme":
        for keyword in node.keywords:
            if keyword.arg in ("title", "headline"):
                text = _text(keyword.value, {}) or ""
                yield SourceText((text,), location=f"{name}:{node.lineno}")
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
        isinstance(each, ast.Call) and _last_name(each.func) == "command"
        for each in node.decorator_list
    ):
        help = (ast.get_docstring(node) or "").partition("\n")[0]
        yield SourceText((help,), location=f"{name}:{node.lineno}")


def _last_name(node: ast.expr) -> str:
    """Return the name of what is called, without what it is an attribute of."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


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


def _read(content: str) -> Catalog:
    return read_po(io.StringIO(content), abort_invalid=True)


def _write(catalogue: Catalog) -> str:
    written = io.BytesIO()
    write_po(written, catalogue, width=0, omit_header=True, no_location=True)
    lines = written.getvalue().decode().splitlines(keepends=True)
    return "".join(line for line in lines if line != "#, python-brace-format\n").strip() + "\n"


if __name__ == "__main__":
    main()

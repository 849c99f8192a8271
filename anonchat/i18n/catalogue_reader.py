"""Reads a catalogue of gettext, and checks that every page can be shown with it."""

import gettext
import io
import re
import string
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po

from ..errors import StartupError

_LINE = re.compile(
    r'\s*(#.*|((msgctxt|msgid|msgid_plural|msgstr)(\[\d+\])?\s*)?"([^"\\]|\\.)*"\s*)?'
)
_COUNTED_MAX = 200  # the plural rules of all languages repeat after 100


def read_catalogue(code: str, path: Path) -> gettext.NullTranslations:
    """Read and check a catalogue. Raises `StartupError`."""
    try:
        locale = Locale.parse(code, sep="-")
    except (ValueError, UnknownLocaleError):
        raise StartupError(f"{path}: needs the code of a language as its name: de.po") from None
    try:
        text = path.read_text(encoding="utf-8-sig")
        _check_lines(text)
        catalogue = read_po(io.StringIO(text), locale=locale, abort_invalid=True)
        _check_entries(catalogue)
        return _compile(catalogue, locale)
    except OSError as error:
        raise StartupError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise StartupError(f"{path}: needs text in UTF-8") from None
    except PoFileError as error:
        reason = str(error).rpartition(" on ")[0]  # the number after that is counted from 0
        raise StartupError(f"{path}: line {error.lineno + 1}: {reason}") from error
    except ValueError as error:
        raise StartupError(f"{path}: {error}") from error


def _check_lines(text: str) -> None:
    """Raise `ValueError` for a line that Babel would read differently from what was meant."""
    for number, line in enumerate(text.split("\n"), 1):
        if not _LINE.fullmatch(line):
            raise ValueError(f"line {number}: needs msgid or msgstr, and a text in quotes")


def _check_entries(catalogue: Catalog) -> None:
    """Leave out what is not translated; raise `ValueError` for what no page could show."""
    for entry in [each for each in catalogue if each.id]:
        forms = _forms(entry.string or "")
        if entry.fuzzy or not any(forms):
            catalogue.delete(entry.id, entry.context)
            continue
        sentence = f"line {entry.lineno}: {_forms(entry.id)[0]!r}"
        if not all(forms):
            raise ValueError(f"{sentence} needs {len(forms)} plural forms")
        known = {name for form in _forms(entry.id) for name in find_placeholders(form)}
        for form in forms:
            try:
                unknown = [name for name in find_placeholders(form) if name not in known]
            except ValueError:
                raise ValueError(f"{sentence}: write a brace in the text twice") from None
            if unknown:
                raise ValueError(f"{sentence} has no placeholder {unknown[0]}")


def _compile(catalogue: Catalog, locale: Locale) -> gettext.GNUTranslations:
    """Return the translations; raise `ValueError` if the rule of the plural is wrong."""
    catalogue.charset = "utf-8"
    catalogue.locale = locale  # whatever the header says
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    translations = gettext.GNUTranslations(compiled)
    try:
        for number in range(_COUNTED_MAX):
            translations.ngettext("", "", number)
    except ArithmeticError as error:
        raise ValueError(f"Plural-Forms: {error}") from error
    return translations


def _forms(texts: str | Sequence[str]) -> list[str]:
    """Return the singular and the plural forms, or the only one."""
    return [texts] if isinstance(texts, str) else list(texts)


def find_placeholders(sentence: str) -> Iterator[str]:
    """Yield the placeholders, such as `{name}`; raise `ValueError` for a single brace."""
    for _, name, spec, conversion in string.Formatter().parse(sentence):
        if name is not None:
            suffix = f"!{conversion}" if conversion else ""
            yield f"{{{name}{suffix}{f':{spec}' if spec else ''}}}"

"""Languages: sentences are English in the code, and catalogues of gettext translate them."""

import gettext
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from babel import Locale
from babel.units import format_unit

from ..durations import parse_duration
from ..errors import ChatError, StartupError
from .catalogue_reader import read_catalogue
from .catalogues import OUR_CATALOGUES, SOURCE_LANGUAGE, find_catalogues

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_CACHED_DURATIONS_MAX = 500  # Babel is slow, and rows repeat the same few durations
_DAYS_FROM = 2 * 86_400  # below two days, hours are clearer than "1 day"


class Language:
    """One language: translations, plurals and duration format."""

    def __init__(self, code: str, catalogue: gettext.NullTranslations) -> None:
        self.code = code
        self._locale = Locale.parse(code, sep="-")
        name = self._locale.get_display_name(self._locale) or code
        self.name = f"{name[0].upper()}{name[1:]}"
        self.direction = self._locale.text_direction
        """`"ltr"`, or `"rtl"` for languages that are written from right to left."""
        self._catalogue = catalogue
        self._durations: dict[int, str] = {}

    def __call__(self, sentence: str, **values: object) -> str:
        """Translate a sentence and fill its `{named}` placeholders."""
        return self._catalogue.gettext(sentence).format(**values)

    def translate(self, text: str) -> str:
        """Translate a text of a plugin, in which braces are no placeholders."""
        return self._catalogue.gettext(text) if text else ""

    def count(self, one: str, many: str, number: int) -> str:
        """Translate a sentence with a number; `{n}` is its placeholder."""
        return self._catalogue.ngettext(one, many, number).format(n=number)

    def words(self, context: str, words: str) -> list[str]:
        """Translate a comma-separated list of words."""
        return [word.strip() for word in self._catalogue.pgettext(context, words).split(",")]

    def explain(self, error: ChatError) -> str:
        """Return the translated message of an error."""
        details = {
            name: self._format_if_duration(value) if name in ("least", "most", "left") else value
            for name, value in error.details.items()
        }
        return self(error.sentence, **details)

    def reason(self, error: ChatError) -> tuple[str, int]:
        """Return what `explain` does, and the seconds in it that a page counts down, or 0."""
        seconds = error.details.get("seconds")
        return self.explain(error), seconds if isinstance(seconds, int) else 0

    def duration(self, duration: timedelta) -> str:
        """Format a duration in the largest unit that it fills and the next smaller one.

        >>> english.duration(timedelta(minutes=90))
        '1 hr 30 min'
        """
        seconds = int(duration.total_seconds())
        if seconds not in self._durations:
            if len(self._durations) >= _CACHED_DURATIONS_MAX:
                self._durations.clear()
            self._durations[seconds] = self._format_duration(seconds)
        return self._durations[seconds]

    def _format_duration(self, seconds: int) -> str:
        units = _UNITS if seconds >= _DAYS_FROM else _UNITS[1:]
        largest = next((n for n, (_, size) in enumerate(units) if seconds >= size), len(units) - 1)
        parts: list[str] = []
        for unit, size in units[largest : largest + 2]:
            number, seconds = divmod(seconds, size)
            if number or not parts:
                parts.append(
                    format_unit(number, f"duration-{unit}", length="short", locale=self._locale)
                )
        return " ".join(parts)

    def _format_if_duration(self, value: object) -> object:
        try:
            return self.duration(parse_duration(value)) if isinstance(value, str) else value
        except ValueError:
            return value


def load_languages(
    folders: Sequence[Path] = (), overrides: Path | None = None
) -> dict[str, Language]:
    """Read all catalogues. Return the languages by code, English first.

    A sentence is looked up in those of `overrides`, which may add languages, then in ours, then in
    those of `folders`, the plugins'. Raises `StartupError` with the file and the reason if one
    cannot be used.
    """
    ours = _read_folder(OUR_CATALOGUES)
    overriding = _read_folder(overrides) if overrides else {}
    sources = [overriding, ours, *map(_read_folder, folders)]
    codes = [SOURCE_LANGUAGE, *sorted((ours.keys() | overriding.keys()) - {SOURCE_LANGUAGE})]
    return {code: Language(code, _chain(code, sources)) for code in codes}


def _chain(
    code: str, sources: Sequence[Mapping[str, gettext.NullTranslations]]
) -> gettext.NullTranslations:
    """Return a catalogue that looks a sentence up in each source in turn; English is the last."""
    chain = gettext.NullTranslations()
    for source in sources:
        if code in source:
            chain.add_fallback(source[code])
    return chain


def _read_folder(folder: Path) -> dict[str, gettext.NullTranslations]:
    try:
        paths = find_catalogues(folder)
    except OSError as error:
        raise StartupError(f"{folder}: {error.strerror}") from error
    return {code: read_catalogue(code, path) for code, path in paths.items()}

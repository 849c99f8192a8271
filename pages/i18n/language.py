"""Languages of the pages: one catalogue `locale/<code>.po` each; English is the source."""

import gettext
import io
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.units import format_unit
from fastapi import Request
from nicegui import ui

from anonchat import ChatError, parse_duration

SOURCE = "en"
COOKIE = "language"

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_CACHED_DURATIONS_MAX = 500  # Babel is slow, and rows repeat the same few durations
_DAYS_FROM = 2 * 86_400  # below two days, hours are clearer than "1 day"


class Language:
    """One language: translations, plurals and duration format."""

    def __init__(self, code: str, catalogue: gettext.NullTranslations) -> None:
        self.code = code
        self.name = (Locale.parse(code).get_display_name(code) or code).capitalize()
        self._catalogue = catalogue
        self._durations: dict[int, str] = {}

    def __call__(self, sentence: str, **values: object) -> str:
        """Translate a sentence and fill its `{named}` placeholders."""
        return self._catalogue.gettext(sentence).format(**values)

    def count(self, one: str, many: str, number: int) -> str:
        """Translate a sentence with a number; `{n}` is its placeholder."""
        return self._catalogue.ngettext(one, many, number).format(n=number)

    def words(self, context: str, words: str) -> list[str]:
        """Translate a comma-separated list of words."""
        return [word.strip() for word in self._catalogue.pgettext(context, words).split(",")]

    def explain(self, error: ChatError) -> str:
        """Return the translated message of an error."""
        details = {
            name: self._format_if_duration(value) if name in ("least", "most") else value
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
                    format_unit(number, f"duration-{unit}", length="short", locale=self.code)
                )
        return " ".join(parts)

    def _format_if_duration(self, value: object) -> object:
        try:
            return self.duration(parse_duration(value)) if isinstance(value, str) else value
        except ValueError:
            return value


def current_language() -> Language:
    """Return the language of the page that is being built or whose event is being handled."""
    language: Language = ui.context.client.request.scope["language"]
    return language


def load_languages() -> dict[str, Language]:
    """Read all catalogues. Return the languages by code, English first."""
    languages = {SOURCE: Language(SOURCE, gettext.NullTranslations())}
    for path in sorted((Path(__file__).parent / "locale").glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=path.stem)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        languages[path.stem] = Language(path.stem, gettext.GNUTranslations(compiled))
    return languages


def choose_language(
    request: Request, languages: Mapping[str, Language], *, default: str
) -> Language:
    """Return the language of the cookie, else `default`, or the browser's if that is "auto"."""
    candidates = [request.cookies.get(COOKIE, "")]
    candidates += [default] if default != "auto" else _parse_accept_language(request)
    code = next((code for code in candidates if code in languages), SOURCE)
    return languages[code]


def _parse_accept_language(request: Request) -> Iterable[str]:
    """Return the language codes of `Accept-Language`, most preferred first."""
    accepted: list[tuple[float, int, str]] = []
    for item in request.headers.get("accept-language", "")[:500].split(","):
        tag, _, quality = item.partition(";q=")
        try:
            accepted.append((-float(quality or 1), len(accepted), tag.strip()[:2].lower()))
        except ValueError:
            continue
    return [code for _, _, code in sorted(accepted)]

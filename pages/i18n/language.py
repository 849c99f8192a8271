"""The language of a page."""

from collections.abc import Iterable, Mapping

from fastapi import Request
from nicegui import ui

from anonchat import SOURCE_LANGUAGE, Language

COOKIE = "language"

_TAG_MAX = 35  # characters


def current_language() -> Language:
    """Return the language of the page that is being built or whose event is being handled."""
    language: Language = ui.context.client.request.scope["language"]
    return language


def choose_language(
    request: Request, languages: Mapping[str, Language], *, default: str
) -> Language:
    """Return the language of the cookie, else `default`, or the browser's if that is "auto"."""
    by_tag = {code.lower(): language for code, language in languages.items()}
    candidates = [request.cookies.get(COOKIE, "").lower()]
    candidates += [default.lower()] if default != "auto" else _parse_accept_language(request)
    return by_tag[next((tag for tag in candidates if tag in by_tag), SOURCE_LANGUAGE)]


def _parse_accept_language(request: Request) -> Iterable[str]:
    """Return the tags of `Accept-Language` in lower case, most preferred first.

    Each is followed by the more general ones: `pt-br` by `pt`.
    """
    accepted: list[tuple[float, int, str]] = []
    for item in request.headers.get("accept-language", "")[:500].split(","):
        tag, _, quality = item.partition(";q=")
        try:
            accepted.append((-float(quality or 1), len(accepted), tag.strip()[:_TAG_MAX].lower()))
        except ValueError:
            continue
    for _, _, tag in sorted(accepted):
        parts = tag.split("-")
        for length in range(len(parts), 0, -1):
            yield "-".join(parts[:length])

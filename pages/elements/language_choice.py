"""The choice of a language."""

import json
from collections.abc import Iterable
from functools import partial

from nicegui import ui

from ..http.auth import cookie_path
from ..i18n.language import COOKIE, Language
from .button import LinkButton

_YEAR = 31_536_000  # seconds


class LanguageChoice(ui.element):
    """A button for each language; a click stores it in a cookie and reloads the page."""

    def __init__(self, languages: Iterable[Language], *, current: Language) -> None:
        super().__init__("span")
        self.classes("choices")
        with self:
            for language in languages:
                LinkButton(
                    language.name,
                    current=language is current,
                    on_click=partial(_remember, language),
                ).props["lang"] = language.code


def _remember(language: Language) -> None:
    path = cookie_path(ui.context.client.request)
    cookie = f"{COOKIE}={language.code}; path={path}; max-age={_YEAR}; samesite=lax"
    ui.run_javascript(f"document.cookie = {json.dumps(cookie)}; location.reload()")

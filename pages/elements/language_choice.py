"""The choice of a language."""

from collections.abc import Iterable
from functools import partial

from nicegui import ui

from anonchat import Language

from ..i18n.language import COOKIE
from .button import LinkButton
from .preference import remember_preference


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
                    on_click=partial(remember_preference, COOKIE, language.code),
                ).props["lang"] = language.code

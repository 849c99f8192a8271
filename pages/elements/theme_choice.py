"""The choice of a theme."""

from functools import partial

from nicegui import ui

from ..i18n.language import current_language
from .button import LinkButton
from .preference import remember_preference


class ThemeChoice(ui.element):
    """A button for each theme; a click stores it in a cookie and reloads the page."""

    def __init__(self, chosen: str) -> None:
        super().__init__("span")
        self.classes("choices")
        _ = current_language()
        themes = {"": _("same as the system"), "light": _("light"), "dark": _("dark")}
        with self:
            for theme, text in themes.items():
                LinkButton(
                    text,
                    current=theme == chosen,
                    on_click=partial(remember_preference, "theme", theme),
                )

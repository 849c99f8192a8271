"""The choice between light and dark."""

from functools import partial

from nicegui import ui

from ..i18n.language import current_language
from ..look import SCHEME_COOKIE
from .button import LinkButton
from .preference import remember_preference


class SchemeChoice(ui.element):
    """A button for each colour scheme; a click stores it in a cookie and reloads the page."""

    def __init__(self, chosen: str) -> None:
        super().__init__("span")
        self.classes("choices")
        _ = current_language()
        schemes = {"": _("same as the system"), "light": _("light"), "dark": _("dark")}
        with self:
            for scheme, text in schemes.items():
                LinkButton(
                    text,
                    current=scheme == chosen,
                    on_click=partial(remember_preference, SCHEME_COOKIE, scheme),
                )

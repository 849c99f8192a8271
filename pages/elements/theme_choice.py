"""The choice of a theme."""

from collections.abc import Iterable

from nicegui import ui

from anonchat import Theme

from ..i18n.language import current_language
from ..look import SCHEMES, THEME_COOKIE, theme_style, theme_title, theme_url
from .preference import preference_cookie


class ThemeChoice(ui.element, component="theme_choice.js"):
    """A radio button for each theme; the page shows the chosen one at once, and remembers it.

    `accent` is the accent colour of the site.
    """

    def __init__(self, themes: Iterable[Theme], *, accent: str) -> None:
        super().__init__()
        _ = current_language()
        self._props["label"] = _("Theme")
        self._props["options"] = [
            {
                "name": theme.name,
                "title": theme_title(theme, _),
                "style": theme_style(theme),
                "css": theme_url(theme, theme.css) if theme.css else "",
                "cookie": preference_cookie(THEME_COOKIE, theme.name),
                "page": _colors(theme, "paper", accent),
                "button": _colors(theme, "accent", accent),
            }
            for theme in themes
        ]


def _colors(theme: Theme, token: str, accent: str) -> dict[str, str]:
    return {scheme: theme.hex_color(token, scheme, accent=accent) for scheme in SCHEMES}

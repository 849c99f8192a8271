"""How a page looks: a theme, light or dark, and the accent colour of the site."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import escape

from anonchat import Language, Theme

SCHEMES = ("light", "dark")
SCHEME_COOKIE, THEME_COOKIE = "theme", "look"
FOLDER = "assets/themes"
"""Where the files of the themes are served, relative to the site."""


@dataclass(frozen=True)
class Look:
    """The look of one page; the `scheme` is "light", "dark", or "" to follow the system."""

    theme: Theme
    scheme: str
    accent: str

    @property
    def head(self) -> str:
        """What the theme adds to the head of the page; `theme_choice.js` replaces it."""
        scheme = f" color-scheme: {self.scheme};" if self.scheme else ""
        root = f":root {{ --accent-base: {self.accent};{scheme} }}"
        style = (
            f'<style>{root}</style><style id="theme-style" data-theme="{self.theme.name}">'
            f"{theme_style(self.theme)}</style>"
        )
        if not self.theme.css:
            return style
        href = escape(theme_url(self.theme, self.theme.css))
        return f'{style}<link class="theme-css" rel="stylesheet" href="{href}">'

    def browser_colors(self) -> dict[str, str]:
        """Return the colours of a phone around the page, by scheme."""
        return {
            scheme: self.theme.hex_color("paper", scheme, accent=self.accent)
            for scheme in SCHEMES
            if self.scheme in ("", scheme)
        }


def theme_url(theme: Theme, path: Path) -> str:
    """Return the URL of a file of a theme, relative to the site; it changes with the file."""
    return f"{FOLDER}/{theme.name}/{path.name}?v={path.stat().st_mtime_ns}"


def theme_style(theme: Theme) -> str:
    """Return the style of a theme, with its logo."""
    if not theme.logo:
        return theme.style()
    logo = (
        ".mark::before { width: 32px; height: 32px; mask: none; "
        f'background: url("{theme_url(theme, theme.logo)}") center / contain no-repeat; }}'
    )
    return f"{theme.style()} {logo}"


def theme_title(theme: Theme, language: Language) -> str:
    """Return what the settings call a theme."""
    return language.translate(theme.title)


def theme_headline(theme: Theme, language: Language) -> str:
    """Return the headline of the login page in a language, or `""`."""
    return language.translate(theme.headline)

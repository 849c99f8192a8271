"""The frame of every page: language, colours, title, and the line that says one is offline."""

import copy
from pathlib import Path

from fastapi import Request
from nicegui import app, ui

from .controls import Tag
from .language import COOKIE, Language
from .live.connection import Connection
from .site import Site

_ASSETS = Path(__file__).parent / "assets"
STYLE_SHEET = f"/assets/theme.css?v={(_ASSETS / 'theme.css').stat().st_mtime_ns}"
ICON = _ASSETS / "icon.svg"
_THEMES = ("light", "dark")
_QUASAR_CODES = {"en": "en-US"}


def add_assets() -> None:
    """Serve the style sheet and the icon, and load them in every page."""
    app.add_static_files("/assets", _ASSETS, max_cache_age=31_536_000)
    ui.add_head_html(f'<link rel="stylesheet" href="{STYLE_SHEET}">', shared=True)


def open_page(site: Site, request: Request, *, title: str = "") -> Language:
    """Prepare the page that is being built; return the language to build it in."""
    language = site.language(request)
    client = ui.context.client
    client.page = copy.copy(client.page)  # the page object is shared by all visitors
    client.page.language = _QUASAR_CODES.get(language.code, language.code)  # type: ignore[assignment]
    ui.page_title(f"{title} · anonchat" if title else "anonchat")
    if theme := _chosen_theme(request):
        ui.add_head_html(f"<style>:root {{ color-scheme: {theme}; }}</style>")
    Connection(language)
    return language


def mark() -> Tag:
    """Draw the mark: three dots, each fainter, and the name."""
    with Tag("a", href="/", class_="mark") as link:
        with Tag("span", class_="dots", aria_hidden="true"):
            for _ in range(3):
                Tag("i")
        Tag("span", "anonchat")
    return link


def language_links(site: Site, current: Language) -> None:
    """Draw a link to each language; choosing one is remembered and shown on the spot."""
    for language in site.languages.values():
        link = Tag("button", language.name, type="button", class_="link", lang=language.code)
        if language is current:
            link._props["aria-current"] = "true"
        link.on("click", js_handler=_remember(COOKIE, language.code))


def theme_links(language: Language) -> None:
    """Draw a link to each colouring: as the system is, light, dark."""
    chosen = _chosen_theme(ui.context.client.request)
    for theme, text in (
        ("", language("as the system")),
        ("light", language("light")),
        ("dark", language("dark")),
    ):
        link = Tag("button", text, type="button", class_="link")
        if theme == chosen:
            link._props["aria-current"] = "true"
        link.on("click", js_handler=_remember("theme", theme))


def _chosen_theme(request: Request) -> str:
    theme = request.cookies.get("theme", "")
    return theme if theme in _THEMES else ""


def _remember(cookie: str, value: str) -> str:
    """Return what keeps a preference in the browser; both words are constants of ours."""
    age = 31_536_000 if value else 0
    return (
        f"() => {{ document.cookie = '{cookie}={value}; path=/; max-age={age}; samesite=lax';"
        " window.location.reload(); }"
    )

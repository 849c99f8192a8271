"""The layout shared by all pages: language, theme, title and connection status."""

import asyncio
import copy
import inspect
from collections.abc import Callable, Iterable
from functools import cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException, Request
from htpy import Node, a, i, span
from markupsafe import Markup
from nicegui import app, ui

from .context import PageContext
from .controls import link_button
from .elements.connection import Connection
from .elements.first_paint import paint_on_response
from .i18n.language import COOKIE, Language

_BUILD_SECONDS = 10.0
_ASSETS = Path(__file__).parent / "assets"
STYLE_SHEET = f"/assets/theme.css?v={(_ASSETS / 'theme.css').stat().st_mtime_ns}"
ICON = _ASSETS / "icon.svg"
_THEMES = ("light", "dark")
_QUASAR_COLORS = {
    "primary": "accent",
    "secondary": "ink-soft",
    "accent": "accent-strong",
    "dark": "surface",
    "dark_page": "paper",
    "positive": "fresh",
    "negative": "danger",
    "info": "accent",
    "warning": "ember",
}
_QUASAR_CODES = {"en": "en-US"}


def add_assets() -> None:
    """Serve the style sheet and the icon, and load them in every page.

    Quasar's colours are those of the style sheet.
    """
    app.colors(**{name: f"var(--{ours})" for name, ours in _QUASAR_COLORS.items()})
    app.add_static_files("/assets", _ASSETS, max_cache_age=31_536_000)
    ui.add_head_html(f'<link rel="stylesheet" href="{STYLE_SHEET}">', shared=True)


def redirect(request: Request, path: str) -> HTTPException:
    """Return a permanent redirect to another path of this site; the query is kept."""
    query = f"?{request.url.query}" if request.url.query else ""
    return HTTPException(308, headers={"Location": f"{quote(path)}{query}"})


def page(path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function that builds the page at a path; building it has a deadline of 10 s.

    On an exception or timeout the client is deleted and the error propagates. NiceGUI's own timeout
    would show the elapsed time and keep the half-built page. A trailing slash redirects to `path`.
    """

    def decorate(build: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(build)
        async def build_in_time(*args: Any, **values: Any) -> None:
            client = ui.context.client
            paint_on_response(client)
            try:
                async with asyncio.timeout(_BUILD_SECONDS):
                    if inspect.isawaitable(result := build(*args, **values)):
                        await result
            except BaseException:
                client.delete()
                raise

        if path != "/":
            app.get(f"{path}/", include_in_schema=False)(_drop_slash)
        return ui.page(path, response_timeout=2 * _BUILD_SECONDS)(build_in_time)

    return decorate


def _drop_slash(request: Request) -> None:
    raise redirect(request, request.url.path.rstrip("/"))


def open_page(context: PageContext, request: Request, *, title: str = "") -> Language:
    """Set language, title and theme of the page that is being built; return its language."""
    language = context.language(request)
    client = ui.context.client
    client.page = copy.copy(client.page)  # the page object is shared by all visitors
    client.page.language = _QUASAR_CODES.get(language.code, language.code)  # type: ignore[assignment]
    ui.page_title(f"{title} · anonchat" if title else "anonchat")
    if theme := chosen_theme(request):
        client.page.dark = theme == "dark"  # for Quasar's elements
        ui.add_head_html(f"<style>:root {{ color-scheme: {theme}; }}</style>")
    Connection(language)
    return language


@cache
def logo() -> Markup:
    """Draw the logo: three dots, each fainter, and the name."""
    return a(href="/", class_="mark")[
        span(class_="dots", aria_hidden="true")[i, i, i], span["anonchat"]
    ].__html__()


def language_links(languages: Iterable[Language], current: Language) -> Node:
    """Draw a link for each language; a click stores it in a cookie and reloads the page."""
    return [
        link_button(
            language.name,
            current=language is current,
            lang=language.code,
            data_remembers=f"{COOKIE}={language.code}",
        )
        for language in languages
    ]


def theme_links(language: Language, *, chosen: str) -> Node:
    """Draw a link for each theme: as the system, light, dark."""
    return [
        link_button(text, current=theme == chosen, data_remembers=f"theme={theme}")
        for theme, text in (
            ("", language("as the system")),
            ("light", language("light")),
            ("dark", language("dark")),
        )
    ]


def chosen_theme(request: Request) -> str:
    """Return the theme in the visitor's cookie, or `""`."""
    theme = request.cookies.get("theme", "")
    return theme if theme in _THEMES else ""

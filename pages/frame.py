"""The frame of every page: language, colours, title, and the line that says one is offline."""

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

from .controls import link_button
from .language import COOKIE, Language
from .live.connection import Connection
from .site import Site

_BUILD_SECONDS = 10.0
_ASSETS = Path(__file__).parent / "assets"
STYLE_SHEET = f"/assets/theme.css?v={(_ASSETS / 'theme.css').stat().st_mtime_ns}"
ICON = _ASSETS / "icon.svg"
_THEMES = ("light", "dark")
_QUASAR_CODES = {"en": "en-US"}


def add_assets() -> None:
    """Serve the style sheet and the icon, and load them in every page."""
    app.add_static_files("/assets", _ASSETS, max_cache_age=31_536_000)
    ui.add_head_html(f'<link rel="stylesheet" href="{STYLE_SHEET}">', shared=True)


def redirect(request: Request, path: str) -> HTTPException:
    """Return what leads a browser to another path of this site, with the same query."""
    query = f"?{request.url.query}" if request.url.query else ""
    return HTTPException(308, headers={"Location": f"{quote(path)}{query}"})


def page(path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a function build the page at a path; what fails or takes too long is an error.

    With a slash at its end the path leads to the page, too. NiceGUI would tell the visitor of the
    time that it took, and keep the half-built page.
    """

    def decorate(build: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(build)
        async def build_in_time(*args: Any, **values: Any) -> None:
            client = ui.context.client
            try:
                async with asyncio.timeout(_BUILD_SECONDS):
                    if inspect.isawaitable(building := build(*args, **values)):
                        await building
            except BaseException:
                client.delete()
                raise

        if path != "/":
            app.get(f"{path}/", include_in_schema=False)(_drop_slash)
        return ui.page(path, response_timeout=2 * _BUILD_SECONDS)(build_in_time)

    return decorate


def _drop_slash(request: Request) -> None:
    raise redirect(request, request.url.path.rstrip("/"))


def open_page(site: Site, request: Request, *, title: str = "") -> Language:
    """Prepare the page that is being built; return the language to build it in."""
    language = site.language(request)
    client = ui.context.client
    client.page = copy.copy(client.page)  # the page object is shared by all visitors
    client.page.language = _QUASAR_CODES.get(language.code, language.code)  # type: ignore[assignment]
    ui.page_title(f"{title} · anonchat" if title else "anonchat")
    if theme := chosen_theme(request):
        ui.add_head_html(f"<style>:root {{ color-scheme: {theme}; }}</style>")
    Connection(language)
    return language


@cache
def mark() -> Markup:
    """Draw the mark: three dots, each fainter, and the name."""
    return a(href="/", class_="mark")[
        span(class_="dots", aria_hidden="true")[i, i, i], span["anonchat"]
    ].__html__()


def language_links(languages: Iterable[Language], current: Language) -> Node:
    """Draw a link to each language; choosing one is remembered and shown on the spot."""
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
    """Draw a link to each colouring: as the system is, light, dark."""
    return [
        link_button(text, current=theme == chosen, data_remembers=f"theme={theme}")
        for theme, text in (
            ("", language("as the system")),
            ("light", language("light")),
            ("dark", language("dark")),
        )
    ]


def chosen_theme(request: Request) -> str:
    """Return the colouring that the visitor has chosen, if any."""
    theme = request.cookies.get("theme", "")
    return theme if theme in _THEMES else ""

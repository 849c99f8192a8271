"""The layout shared by all pages: language, look, title and connection status."""

import asyncio
import copy
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import HTTPException, Request
from markupsafe import escape
from nicegui import Client, app, storage, ui

from anonchat import Language, Theme

from .asset_files import ASSETS, asset_url
from .context import PageContext, current_context
from .elements.component import follow_connection
from .elements.connection import Connection
from .elements.document_language import find_quasar_pack
from .elements.first_paint import paint_on_response
from .elements.live_list import load_lists
from .elements.page_budget import PageBudget
from .elements.static_page import StaticPage, fill_placeholders, placeholder
from .http.cross_origin import normalize_origin, request_origin
from .http.path_prefix import path_prefix
from .http.plain_paths import plain_path
from .look import FOLDER, Look

_BUILD_SECONDS = 10.0
ICON = ASSETS / "icon.svg"
MANIFEST = "manifest.webmanifest"
_YEAR = 31_536_000  # seconds
_QUASAR_DARK = {"": None, "light": False, "dark": True}  # None: as the system
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


STYLE_SHEET, _STORAGE_CHECK = asset_url("theme.css"), asset_url("storage_check.js")


def add_assets(themes: Iterable[Theme], plugin_sheets: Mapping[str, Path]) -> None:
    """Serve style sheets, logos and icons; Quasar's colours are those of our style sheet.

    `plugin_sheets` are the style sheets of plugins, by name.
    """
    app.colors(**{name: f"var(--{ours})" for name, ours in _QUASAR_COLORS.items()})
    for theme in themes:
        for path in theme.files:
            url = f"/{FOLDER}/{theme.name}/{path.name}"
            app.add_static_file(local_file=path, url_path=url, max_cache_age=_YEAR)
    for plugin, path in plugin_sheets.items():
        url = f"/{_plugin_sheet(plugin)}"
        app.add_static_file(local_file=path, url_path=url, max_cache_age=_YEAR)
    app.add_static_files("/assets", ASSETS, max_cache_age=_YEAR)


def _plugin_sheet(plugin: str) -> str:
    return f"assets/plugins/{plugin}.css"


def _plugin_links(context: PageContext) -> str:
    """Return the links to the style sheets of plugins; their URLs change with the files."""
    return "".join(
        f'<link rel="stylesheet" href="{_plugin_sheet(plugin)}?v={path.stat().st_mtime_ns}">'
        for plugin, path in context.plugins.registry.stylesheets.items()
    )


def _base_links(href: str) -> str:
    """Return the head elements of every page: what URLs are relative to, and the style sheet."""
    return f'<base href="{escape(href)}"><link rel="stylesheet" href="{STYLE_SHEET}">'


def base_url(request: Request) -> str:
    """Return what the URLs of a page are relative to, such as `/chat/`."""
    return f"{path_prefix(request.scope)}/"


def site_url(request: Request) -> str:
    """Return the URL of the site, without a slash at its end."""
    settings = current_context().chat.settings
    origin = normalize_origin(settings.base_url) or request_origin(request.scope)
    return f"{origin}{path_prefix(request.scope)}"


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
            _keep_request(client)
            follow_connection(client)
            try:
                async with asyncio.timeout(_BUILD_SECONDS):
                    if inspect.isawaitable(result := build(*args, **values)):
                        await result
                    await load_lists(client.content)
            except BaseException:
                client.delete()
                raise

        if path != "/":
            app.get(f"{path}/", include_in_schema=False)(_drop_slash)
        return ui.page(path, response_timeout=2 * _BUILD_SECONDS)(build_in_time)

    return decorate


def _keep_request(client: Client) -> None:
    """Keep of the request what its page needs; the state of the middleware weighs 30 kB."""
    scope = client.request.scope.items()
    client._request = Request({name: value for name, value in scope if "astack" not in name})
    storage.request_contextvar.set(client.request)  # event listeners keep it too


def _drop_slash(request: Request) -> None:
    raise redirect(request, request.url.path.rstrip("/"))


def open_page(context: PageContext, request: Request, *, title: str = "") -> Language:
    """Set language, title and look of the page that is being built; return its language.

    Its elements find the context, language and work budget from now on.
    """
    language = context.language(request)
    client = ui.context.client
    budget = PageBudget(context.chat.work_budget, request)
    client.request.scope.update(context=context, language=language, budget=budget)
    client.page = copy.copy(client.page)  # the page object is shared by all visitors
    client.page.language = find_quasar_pack(language.code)
    request.scope["language"] = language  # for the template: the client has a copy of the scope
    look, settings = context.look(request), context.chat.settings
    client.page.dark = _QUASAR_DARK[look.scheme]
    show_title(title)
    ui.add_head_html(_base_links(base_url(request)) + _metadata(language, look))
    ui.add_head_html(_plugin_links(context) + look.head)
    nonce = request.scope["nonce"]
    plain = plain_path(request.url.path).removeprefix("/")
    requirements = fill_placeholders(_requirements(language, settings.name), plain=plain)
    ui.add_body_html(f'{requirements}<script src="{_STORAGE_CHECK}" nonce="{nonce}"></script>')
    origin = normalize_origin(settings.base_url) or request_origin(request.scope)
    Connection(language, origin=origin, is_configured=bool(settings.base_url))
    return language


def show_title(title: str) -> None:
    """Set the title of the page, also while it is shown."""
    name = current_context().chat.settings.name
    ui.page_title(f"{title} · {name}" if title else name)


def static_page(title: str, *, language: Language, look: Look) -> StaticPage:
    """Return a page without scripts, to be filled; URLs are relative to the placeholder `base`."""
    head = f"{_base_links(placeholder('base'))}{look.head}"
    return StaticPage(title, language=language, head=head)


@cache
def _metadata(language: Language, look: Look) -> str:
    """Return what search engines show, and the colours of a phone around the page."""
    text = language("An anonymous chat: come in with a nickname. Everything said here fades away.")
    tags = [
        f'<meta name="description" content="{escape(text)}">',
        f'<link rel="manifest" href="{MANIFEST}">',
        f'<link rel="apple-touch-icon" href="{asset_url("apple-touch-icon.png")}">',
    ]
    for scheme, color in look.browser_colors().items():
        media = "" if look.scheme else f' media="(prefers-color-scheme: {scheme})"'
        tags.append(f'<meta name="theme-color" data-scheme="{scheme}" content="{color}"{media}>')
    return "".join(tags)


@cache
def _requirements(language: Language, name: str) -> str:
    """Return the texts for browsers that run no scripts, or block cookies and site data.

    The first one has a link to the placeholder `plain`.
    """
    no_scripts = language("This page needs JavaScript. Please allow it for this site.")
    plain = f' <a href="{placeholder("plain")}">{escape(language("Use the plain version."))}</a>'
    no_storage = language(
        "This page needs cookies and site data. Please allow them for this site, and load it again."
    )
    return (
        "<noscript><style>#esm-fallback { display: none !important }</style>"
        f"{_draw_notice(no_scripts, name, link=plain)}</noscript>"
        f'<div id="no-storage" hidden>{_draw_notice(no_storage, name)}</div>'
    )


def _draw_notice(text: str, name: str, *, link: str = "") -> str:
    return (
        f'<main class="nothing page"><a href="." class="mark">{escape(name)}</a>'
        f'<p role="alert">{escape(text)}{link}</p></main>'
    )

"""What is shown when an address leads nowhere, or something broke: plain pages, no live parts."""

import logging

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from htpy import Element, a, body, h1, head, html, link, main, meta, p
from htpy import title as title_tag
from nicegui import app, ui

from .frame import STYLE_SHEET
from .language import Language
from .live.screen import Screen
from .site import Site

_log = logging.getLogger(__name__)


def register(site: Site) -> None:
    """Answer for missing pages and for pages that fail to build."""

    @app.exception_handler(404)
    async def not_found(request: Request, _error: Exception) -> Response:
        language = site.language(request)
        page = html(lang=language.code)[
            head[
                meta(charset="utf-8"),
                meta(name="viewport", content="width=device-width, initial-scale=1"),
                title_tag["anonchat"],
                link(rel="stylesheet", href=STYLE_SHEET),
            ],
            body[
                main(class_="nothing page")[
                    h1[language("There is nothing at this address.")],
                    p[language("Perhaps it was here once. Things go away in this place.")],
                    way_back(language),
                ]
            ],
        ]
        return HTMLResponse(str(page), 404)

    def failed(error: Exception) -> None:
        _log.error("a page could not be built", exc_info=error)
        language = site.language(ui.context.client.request)
        Screen("nothing page").draw(
            h1[language("Something went wrong here.")],
            p[language("It is not your doing. Please try again in a moment.")],
            way_back(language),
        )

    app.on_page_exception(failed)


def way_back(language: Language) -> Element:
    """Draw the way out of where there is nothing."""
    return a(class_="button", href="/")[language("Back to the lobby")]

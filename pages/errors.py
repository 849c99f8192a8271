"""What is shown when an address leads nowhere, or something broke: plain pages, no live parts."""

from collections.abc import Callable

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from htpy import Element, Node, a, body, h1, head, html, link, main, meta, p
from htpy import title as title_tag
from nicegui import app

from anonchat import LimitReached, NotFound, Unavailable

from .frame import STYLE_SHEET
from .language import Language
from .site import Site


def register(
    site: Site,
) -> tuple[Callable[[Request], Response], Callable[[Request, LimitReached], Response]]:
    """Answer for missing pages and for pages that fail.

    Return what makes the answer to a failure, and the one to whoever comes too often.

    NiceGUI would make a page of its own for each, keep it for a minute, and show the error in it.
    """

    @app.exception_handler(404)
    async def not_found(request: Request, _error: Exception) -> Response:
        language = site.language(request)
        return _page(
            language,
            h1[language("There is nothing at this address.")],
            p[language("Perhaps it was here once. Things go away in this place.")],
            status=404,
        )

    @app.exception_handler(NotFound)
    async def no_room(request: Request, error: NotFound) -> Response:
        language = site.language(request)
        return _page(
            language,
            h1[language.explain(error)],
            p[language("Rooms here come and go. Perhaps it is time for a new one.")],
            status=404,
        )

    @app.exception_handler(Unavailable)
    async def not_now(request: Request, _error: Unavailable) -> Response:
        answer = apologise(request)
        answer.status_code = 503
        return answer

    @app.exception_handler(405)
    async def not_so(request: Request, error: HTTPException) -> Response:
        language = site.language(request)
        answer = _page(language, h1[language("This cannot be done here.")], status=405)
        answer.headers.update(error.headers or {})
        if answer.headers.get("Allow") == "GET":
            answer.headers["Allow"] = "GET, HEAD"
        return answer

    def apologise(request: Request) -> Response:
        language = site.language(request)
        return _page(
            language,
            h1[language("Something went wrong here.")],
            p[language("It is not your doing. Please try again in a moment.")],
            status=500,
        )

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        return apologise(request)

    def hold_back(request: Request, error: LimitReached) -> Response:
        language = site.language(request)
        answer = _page(language, h1[language.explain(error)], status=429)
        answer.headers["Retry-After"] = str(error.details.get("seconds", 1))
        return answer

    @app.exception_handler(LimitReached)
    async def too_much(request: Request, error: LimitReached) -> Response:
        return hold_back(request, error)

    return apologise, hold_back


def way_back(language: Language) -> Element:
    """Draw the way out of where there is nothing."""
    return a(class_="button", href="/")[language("Back to the lobby")]


def _page(language: Language, *nodes: Node, status: int) -> Response:
    page = html(lang=language.code)[
        head[
            meta(charset="utf-8"),
            meta(name="viewport", content="width=device-width, initial-scale=1"),
            title_tag["anonchat"],
            link(rel="stylesheet", href=STYLE_SHEET),
        ],
        body[main(class_="nothing page")[nodes, way_back(language)]],
    ]
    return HTMLResponse(str(page), status)

"""Static pages for errors: not found, not allowed, rate limited, failed."""

from collections.abc import Callable
from functools import lru_cache, partial

from fastapi import HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response
from nicegui import app, html

from anonchat import (
    ChatError,
    Language,
    LimitReached,
    NotFound,
    PluginFailed,
    Refused,
    Unavailable,
)

from .context import PageContext
from .elements.static_page import fill_placeholders, placeholder
from .layout import base_url, static_page
from .look import Look

_CACHED_PAGES_MAX = 100  # each language and look, with a text and without
_DEFAULT_RETRY_SECONDS = 10  # used if the error names no time


def register(
    context: PageContext,
) -> tuple[Callable[[Request], Response], Callable[[Request, LimitReached], Response]]:
    """Register the handlers for missing and failing pages.

    Return two functions, which make the response to a failure and to a rate-limited request.

    NiceGUI's default error page would stay in memory for a minute and show the error's text.
    """

    page = partial(make_error_page, context)
    rate_limited_page = partial(make_rate_limited_page, context)

    @app.exception_handler(404)
    async def not_found(request: Request, _error: Exception) -> Response:
        language = context.language(request)
        return page(
            request,
            language("There is nothing at this address."),
            language("Perhaps it was here once. Things go away in this place."),
            status=404,
        )

    @app.exception_handler(NotFound)
    async def room_not_found(request: Request, error: NotFound) -> Response:
        language = context.language(request)
        return page(
            request,
            language.explain(error),
            language("Rooms here come and go. Perhaps it is time for a new one."),
            status=404,
        )

    @app.exception_handler(Unavailable)
    async def unavailable(request: Request, _error: Unavailable) -> Response:
        response = error_page(request)
        response.status_code = 503
        return response

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return page(request, context.language(request).explain(error), status=403)

    @app.exception_handler(PluginFailed)
    async def plugin_failed(request: Request, _error: PluginFailed) -> Response:
        return error_page(request)  # logged where it failed

    @app.exception_handler(405)
    async def method_not_allowed(request: Request, error: HTTPException) -> Response:
        language = context.language(request)
        response = page(request, language("This cannot be done here."), status=405)
        response.headers.update(error.headers or {})
        if response.headers.get("Allow") == "GET":
            response.headers["Allow"] = "GET, HEAD"
        return response

    def error_page(request: Request) -> Response:
        language = context.language(request)
        return page(
            request,
            language("Something went wrong here."),
            language("It is not your doing. Please try again in a moment."),
            status=500,
        )

    @app.exception_handler(Exception)
    async def unhandled(request: Request, error: Exception) -> Response:
        return error_page(request)

    @app.exception_handler(LimitReached)
    async def rate_limited(request: Request, error: LimitReached) -> Response:
        return rate_limited_page(request, error)

    return error_page, rate_limited_page


def make_error_page(
    context: PageContext, request: Request, title: str, text: str = "", *, status: int
) -> Response:
    """Return the response to a request that failed, with a link to the lobby."""
    name, look = context.chat.settings.name, context.look(request)
    document = _draw(context.language(request), name=name, look=look, has_text=bool(text))
    content = fill_placeholders(document, base=base_url(request), title=title, text=text)
    return HTMLResponse(content, status)


def make_rate_limited_page(context: PageContext, request: Request, error: LimitReached) -> Response:
    """Return the response to a rate-limited request."""
    response = make_error_page(
        context, request, context.language(request).explain(error), status=429
    )
    response.headers["Retry-After"] = retry_after(error)
    return response


def retry_after(error: ChatError) -> str:
    """Return the value of the `Retry-After` header, in seconds."""
    return str(error.details.get("seconds", _DEFAULT_RETRY_SECONDS))


def make_misdirected_page(context: PageContext, request: Request) -> Response:
    """Return the response to a request for a host name not served here."""
    text = context.language(request)(
        "Without a configured address this server serves localhost and IP addresses only. To "
        "serve it under another name, its operator sets ANONCHAT_BASE_URL to the address that "
        "visitors use, such as https://chat.example"
    )
    return PlainTextResponse(f"{text}\n", 421)


@lru_cache(maxsize=_CACHED_PAGES_MAX)
def _draw(language: Language, *, name: str, look: Look, has_text: bool) -> str:
    """Draw an error page with placeholders for its texts."""
    title = placeholder("title")
    with static_page(f"{title} · {name}", language=language, look=look) as page:
        with html.div().classes("nothing page"):
            html.h1(title)
            if has_text:
                html.p(placeholder("text"))
            html.a(language("Back to the lobby"), href=".").classes("button")
    return page.text

"""The document of a page without scripts, and the response that carries it."""

from collections.abc import Mapping
from types import MappingProxyType

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from nicegui import ui

from anonchat import ChatError, LimitReached, NotAllowed, NotAMember, NotFound, Unavailable

from ..context import PageContext
from ..elements.static_page import StaticPage, fill_placeholders
from ..error_pages import retry_after
from ..layout import base_url, static_page

_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; frame-src 'self'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors {ancestors}"
)
_HEADERS: Mapping[str, str] = MappingProxyType(
    {"Content-Security-Policy": _POLICY.format(ancestors="'none'")}
)
_FRAME_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": _POLICY.format(ancestors="'self'"),
        "X-Frame-Options": "SAMEORIGIN",
    }
)


def open_document(context: PageContext, request: Request, *, title: str = "") -> StaticPage:
    """Return a page, to be filled in its `with` block."""
    name = context.chat.settings.name
    return static_page(
        f"{title} · {name}" if title else name,
        language=context.language(request),
        look=context.look(request),
    )


def send_origin() -> None:
    """Make browsers name the origin of the forms of the page that is being drawn.

    Without a referrer they post them without their origin, and the posts are refused.
    """
    ui.add_head_html('<meta name="referrer" content="same-origin">')


def respond(
    request: Request,
    document: StaticPage,
    *,
    error: ChatError | None = None,
    is_frame: bool = False,
    **values: str,
) -> Response:
    """Return the response with a drawn page, whose placeholders are filled; no script may run.

    `error` is why what the request asks for was refused. A frame may be shown by our own pages.
    """
    headers = dict(_FRAME_HEADERS if is_frame else _HEADERS)
    status = _status(error) if error else 200
    if status == 429 and error:
        headers["Retry-After"] = retry_after(error)
    content = fill_placeholders(document.text, base=base_url(request), **values)
    return HTMLResponse(content, status, headers)


def lead_to(path: str) -> Response:
    """Return the response to a form that was accepted, which leads to a page of ours."""
    return RedirectResponse(f"/{path}", 303)


def _status(error: ChatError) -> int:
    match error:
        case NotAMember() | NotAllowed():
            return 403
        case NotFound():
            return 404
        case LimitReached():
            return 429
        case Unavailable():
            return 503
    return 422

"""The chat without scripts: plain HTML and forms, for the same visitors and by the same rules."""

from fastapi import Request
from nicegui import app

from ..context import PageContext
from ..http.plain_paths import LOBBY
from ..layout import redirect
from . import lobby, log, room

__all__ = ["register"]


def register(context: PageContext) -> None:
    """Add the pages; errors of them are answered as those of the other pages are."""
    for module in (lobby, room, log):
        app.include_router(module.routes(context))
    app.get(f"/{LOBBY}/", include_in_schema=False)(_drop_slash)


def _drop_slash(request: Request) -> None:
    raise redirect(request, f"/{LOBBY}")

"""Pages that are built without a server."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from nicegui import Client, ui

from anonchat import Chat, load_languages
from pages.elements.page_budget import PageBudget
from tests.pages.contexts import make_context

LANGUAGES = load_languages()


@contextmanager
def show_page(chat: Chat, *, visitor_id: str = "") -> Iterator[Client]:
    """Return the client of an English page, in whose `with` block elements can be created."""
    request = Request({"type": "http", "path": "/", "headers": [], "visitor": visitor_id})
    request.scope.update(
        context=make_context(chat),
        language=LANGUAGES["en"],
        budget=PageBudget(chat.work_budget, request),
    )
    client = Client(ui.page(""), request=request)
    try:
        with client:
            yield client
    finally:
        client.delete()

"""Pages that are built without a server."""

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request
from nicegui import Client, ui

from anonchat import Chat
from pages.context import PageContext
from pages.elements.page_budget import PageBudget
from pages.feeds.broadcaster import FeedBroadcaster
from pages.http.auth import SessionAuth
from pages.i18n.language import load_languages
from tests.fakes import THEMES

LANGUAGES = load_languages()


@contextmanager
def show_page(chat: Chat, *, visitor_id: str = "") -> Iterator[Client]:
    """Return the client of an English page, in whose `with` block elements can be created."""
    feeds = FeedBroadcaster(chat.clock, chat.metrics, chat.work_budget)
    request = Request({"type": "http", "path": "/", "headers": [], "visitor": visitor_id})
    request.scope.update(
        context=PageContext(chat, feeds, SessionAuth(chat), LANGUAGES, THEMES),
        language=LANGUAGES["en"],
        budget=PageBudget(chat.work_budget, request),
    )
    client = Client(ui.page(""), request=request)
    try:
        with client:
            yield client
    finally:
        client.delete()

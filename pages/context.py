"""The services that every page is built from."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import Request
from nicegui import ui

from anonchat import Chat, CodeHighlighter, Cost, Language, PluginHost, Theme

from .feeds.broadcaster import FeedBroadcaster
from .feeds.topics import messages_topic
from .http.auth import SessionAuth
from .i18n.language import choose_language
from .look import SCHEME_COOKIE, SCHEMES, THEME_COOKIE, Look


@dataclass(frozen=True)
class PageContext:
    """The chat, its plugins, feeds, authentication, and the languages and themes of the pages.

    `highlighter` finds the colours of code.
    """

    chat: Chat
    feeds: FeedBroadcaster
    auth: SessionAuth
    languages: Mapping[str, Language]
    themes: Mapping[str, Theme]
    plugins: PluginHost
    highlighter: CodeHighlighter

    def broadcast_cost(self, room_id: str) -> float:
        """Return the cost, in milliseconds, of sending one change to all pages of a room."""
        return Cost.PAGE_UPDATE * self.feeds.subscriptions.count(messages_topic(room_id))

    def language(self, request: Request) -> Language:
        """Return the language of the page that answers this request."""
        return choose_language(request, self.languages, default=self.chat.settings.language)

    def look(self, request: Request) -> Look:
        """Return the look of the page that answers this request."""
        settings = self.chat.settings
        theme = self.themes.get(request.cookies.get(THEME_COOKIE, ""))
        scheme = request.cookies.get(SCHEME_COOKIE, "")
        return Look(
            theme or self.themes[settings.theme],
            scheme if scheme in SCHEMES else "",
            settings.accent,
        )


def current_context() -> PageContext:
    """Return the context of the page that is being built or whose event is being handled."""
    context: PageContext = ui.context.client.request.scope["context"]
    return context


def current_visitor_id() -> str:
    """Return the id of the visitor of that page; "" if they are not signed in."""
    visitor_id: str = ui.context.client.request.scope.get("visitor", "")
    return visitor_id

"""The context of pages, without the pages of the whole application."""

from anonchat import Chat, CodeHighlighter, PluginHost, PluginRegistry, load_languages
from anonchat.plugins.themes import load_themes
from pages.context import PageContext
from pages.feeds.broadcaster import FeedBroadcaster
from pages.http.auth import SessionAuth


def make_context(
    chat: Chat, *, registry: PluginRegistry | None = None, auth: SessionAuth | None = None
) -> PageContext:
    """Return a context of a chat, with the plugins of the registry if one is given."""
    registry = registry or PluginRegistry([])
    languages = load_languages()
    return PageContext(
        chat,
        FeedBroadcaster(chat.clock, chat.metrics, chat.work_budget),
        auth or SessionAuth(chat),
        languages,
        load_themes(registry.themes.values(), chosen="paper", accent=chat.settings.accent),
        PluginHost(chat, registry, languages),
        CodeHighlighter(),
    )

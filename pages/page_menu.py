"""The links to the pages of plugins that are in the menu."""

from .context import current_context
from .elements.page_links import PageLinks
from .i18n.language import current_language


def show_page_menu() -> None:
    """Create the links, if there are any."""
    _ = current_language()
    pages = current_context().plugins.registry.pages.values()
    if links := [(each.path.removeprefix("/"), _.translate(each.title)) for each in pages if each.in_menu]:
        PageLinks(links)

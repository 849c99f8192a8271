"""The links to the pages of plugins that are in the menu."""

from anonchat import Language

from .context import PageContext
from .elements.page_links import PageLinks


def show_page_menu(context: PageContext, language: Language) -> None:
    """Create the links, if there are any."""
    pages = context.plugins.registry.pages.values()
    links = [
        (each.path.removeprefix("/"), language.translate(each.title))
        for each in pages
        if each.in_menu
    ]
    if links:
        PageLinks(links)

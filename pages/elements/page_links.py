"""Links to pages, drawn as one element."""

from collections.abc import Sequence

from markupsafe import escape
from nicegui import ui


class PageLinks(ui.element, component="page_links.js"):
    """A link for each pair of an address, relative to the site, and a title."""

    def __init__(self, links: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._props["links"] = list(links)

    def paint(self) -> str:
        """Return the links as HTML."""
        links = "".join(
            f'<a href="{escape(href)}">{escape(title)}</a>' for href, title in self._props["links"]
        )
        return f'<div class="page-links">{links}</div>'

"""A URL, to be copied."""

from nicegui import ui

from ..i18n.language import current_language


class CopyLink(ui.element, component="copy_link.js"):
    """A field with a URL, and buttons that copy it and share it."""

    def __init__(self, url: str) -> None:
        super().__init__()
        _ = current_language()
        self._props.update(
            url=url,
            label=_("Link"),
            copy=_("Copy the link"),
            copied=_("Copied"),
            share=_("Share"),
        )

    def show(self, url: str) -> None:
        """Show another URL."""
        self._props["url"] = url
        self.update()

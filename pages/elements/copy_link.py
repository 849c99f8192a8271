"""The address of a page, to be copied."""

from nicegui import ui

from ..i18n.language import current_language


class CopyLink(ui.element, component="copy_link.js"):
    """A field with the address of the open page, and a button that copies it."""

    def __init__(self) -> None:
        super().__init__()
        _ = current_language()
        self._props.update(
            label=_("Link"), copy=_("Copy the link"), copied=_("Copied"), share=_("Share")
        )
